//! The JPEG 2000 codec of dicom-rs, given one frame and what we have already checked about it.

use std::borrow::Cow;

use dicom_encoding::{
    adapters::{PixelDataObject, RawPixelData},
    transfer_syntax::{Codec, TransferSyntaxIndex as _},
};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;
use snowball_protocol::intake::IntakeReason;

use super::Description;
use crate::read::syntax::TransferSyntax;

/// One compressed frame as the codecs want to see it.
struct Frame<'a> {
    syntax: TransferSyntax,
    stream: Vec<u8>,
    description: &'a Description,
}

/// What the codec is to write for each sample, whatever is stored.
const WORD_BITS: u16 = 16;

/// Decodes `stream` into words.
pub(super) fn decode(
    stream: Vec<u8>,
    syntax: TransferSyntax,
    description: &Description,
) -> Result<Vec<u16>, IntakeReason> {
    let Some(Codec::EncapsulatedPixelData(Some(reader), _)) =
        TransferSyntaxRegistry.get(syntax.uid()).map(|entry| entry.codec())
    else {
        return Err(IntakeReason::TransferSyntax);
    };
    let frame = Frame {
        syntax,
        stream,
        description,
    };
    let mut bytes = Vec::new();
    reader
        .decode_frame(&frame, 0, &mut bytes)
        .map_err(|_| IntakeReason::DecodeError)?;
    let words: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    if words.len() == description.values() {
        Ok(words)
    } else {
        Err(IntakeReason::SizeMismatch)
    }
}

impl PixelDataObject for Frame<'_> {
    fn transfer_syntax_uid(&self) -> &str {
        self.syntax.uid()
    }

    fn rows(&self) -> Option<u16> {
        u16::try_from(self.description.rows).ok()
    }

    fn cols(&self) -> Option<u16> {
        u16::try_from(self.description.columns).ok()
    }

    fn samples_per_pixel(&self) -> Option<u16> {
        Some(u16::from(self.description.samples))
    }

    fn bits_allocated(&self) -> Option<u16> {
        Some(WORD_BITS)
    }

    fn bits_stored(&self) -> Option<u16> {
        Some(WORD_BITS)
    }

    fn photometric_interpretation(&self) -> Option<&str> {
        Some(if self.description.samples == 1 {
            "MONOCHROME2"
        } else {
            "RGB"
        })
    }

    fn number_of_frames(&self) -> Option<u32> {
        Some(1)
    }

    fn number_of_fragments(&self) -> Option<u32> {
        Some(1)
    }

    fn fragment(&self, fragment: usize) -> Option<Cow<'_, [u8]>> {
        (fragment == 0).then(|| Cow::Borrowed(&self.stream[..]))
    }

    fn offset_table(&self) -> Option<Cow<'_, [u32]>> {
        None
    }

    fn raw_pixel_data(&self) -> Option<RawPixelData> {
        Some(RawPixelData {
            fragments: std::iter::once(self.stream.clone()).collect(),
            offset_table: std::iter::empty().collect(),
        })
    }
}
