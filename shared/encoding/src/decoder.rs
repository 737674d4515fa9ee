//! Bytes that may be cut anywhere, as numbers in order.

use snowball_protocol::plan::UpdateEncoding;

use crate::{
    BLOCK,
    fault::DecodeFault,
    int8::Int8,
    top_k::{self, TopK},
    words::{Words, from_bf16},
};

/// Reads one update from its first byte to its last. It holds at most a few bytes of it, so that it can be kept and gone on with.
#[derive(Clone, Debug)]
pub struct Decoder {
    form: Form,
    /// Numbers that are still to come.
    left: usize,
}

#[derive(Clone, Debug)]
enum Form {
    F32(Words<4>),
    Bf16(Words<2>),
    Int8(Int8),
    TopK(TopK, usize),
}

impl Decoder {
    pub(crate) fn new(encoding: UpdateEncoding, parameters: usize) -> Self {
        let form = match encoding {
            UpdateEncoding::F32 => Form::F32(Words::default()),
            UpdateEncoding::Bf16 => Form::Bf16(Words::default()),
            UpdateEncoding::Int8 => Form::Int8(Int8::default()),
            UpdateEncoding::TopK { share } => {
                let kept = top_k::kept(share, parameters);
                Form::TopK(TopK::new(kept, parameters), parameters / kept.max(1))
            }
        };
        Self { form, left: parameters }
    }

    /// Fills `out` from its beginning, takes what it used off `bytes`, and gives how many numbers it wrote. Afterwards `out` is full, or
    /// `bytes` is empty, or all numbers were given.
    ///
    /// # Errors
    /// When the bytes are no update of the study; then nothing that follows means anything.
    pub fn fill(&mut self, bytes: &mut &[u8], out: &mut [f32]) -> Result<usize, DecodeFault> {
        if self.left == 0 {
            return if bytes.is_empty() {
                Ok(0)
            } else {
                Err(DecodeFault::TooLong)
            };
        }
        let room = self.left.min(out.len());
        let out = &mut out[..room];
        let filled = match &mut self.form {
            Form::F32(words) => words.fill(bytes, out, f32::from_le_bytes),
            Form::Bf16(words) => words.fill(bytes, out, from_bf16),
            Form::Int8(blocks) => blocks.fill(bytes, out)?,
            Form::TopK(entries, _) => entries.fill(bytes, out)?,
        };
        self.left -= filled;
        Ok(filled)
    }

    /// Hands every number that `bytes` complete to `take`, in order, in blocks.
    ///
    /// # Errors
    /// As [`fill`](Self::fill), and whatever `take` says.
    pub fn read<E: From<DecodeFault>>(
        &mut self,
        mut bytes: &[u8],
        mut take: impl FnMut(&[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut block = [0.0; BLOCK];
        loop {
            match self.fill(&mut bytes, &mut block)? {
                0 => return Ok(()),
                filled => take(&block[..filled])?,
            }
        }
    }

    /// Whether all is well now that no byte follows.
    ///
    /// # Errors
    /// When numbers are missing.
    pub const fn finish(&self) -> Result<(), DecodeFault> {
        let is_whole = match &self.form {
            Form::F32(words) => words.is_whole(),
            Form::Bf16(words) => words.is_whole(),
            Form::Int8(blocks) => blocks.is_whole(),
            Form::TopK(entries, _) => entries.is_whole(),
        };
        if self.left == 0 && is_whole {
            Ok(())
        } else {
            Err(DecodeFault::TooShort)
        }
    }

    /// About how many bytes so many numbers take; more or fewer may be read.
    #[must_use]
    pub const fn bytes_for(&self, numbers: usize) -> usize {
        match &self.form {
            Form::F32(_) => numbers * 4,
            Form::Bf16(_) => numbers * 2,
            Form::Int8(_) => numbers + numbers.div_ceil(1024) * 4,
            Form::TopK(_, apart) => (numbers / if *apart == 0 { 1 } else { *apart } + 1) * 4,
        }
    }
}
