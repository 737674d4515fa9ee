//! A signed byte a number and a scale for each block. Rounded to nearest, ties to even, without chance: the same update always has the
//! same bytes. What rounding leaves over goes with the next update, so that chance would gain nothing.

use crate::fault::DecodeFault;

/// Numbers that share a scale.
pub(crate) const SCALED: usize = 1024;
/// The largest byte. -128 is left out, so that both signs reach as far.
const BYTE_MAX: f32 = 127.0;

/// Bytes of an update of so many numbers.
pub(crate) const fn bytes(parameters: u64) -> u64 {
    parameters + parameters.div_ceil(SCALED as u64) * 4
}

/// Appends `values`, which are finite.
pub(crate) fn encode(values: &[f32], bytes: &mut Vec<u8>) {
    for block in values.chunks(SCALED) {
        let largest = block.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = largest / BYTE_MAX;
        bytes.extend(scale.to_le_bytes());
        // A block of numbers so small that their scale is zero is zero.
        let factor = if scale > 0.0 { 1.0 / f64::from(scale) } else { 0.0 };
        bytes.extend(block.iter().map(|value| {
            let number = (f64::from(*value) * factor).round_ties_even();
            // Within -127 to 127, which a byte holds.
            (number.clamp(-127.0, 127.0) as i8).cast_unsigned()
        }));
    }
}

/// Reads blocks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Int8 {
    scale: f32,
    /// Numbers that the scale still holds for.
    left: usize,
    pending: [u8; 4],
    pending_bytes: usize,
}

impl Int8 {
    /// As [`crate::Decoder::fill`].
    pub(crate) fn fill(&mut self, bytes: &mut &[u8], out: &mut [f32]) -> Result<usize, DecodeFault> {
        let mut filled = 0;
        while filled < out.len() {
            if self.left == 0 && !self.next_scale(bytes)? {
                break;
            }
            let count = self.left.min(out.len() - filled).min(bytes.len());
            if count == 0 {
                break;
            }
            let (block, rest) = bytes.split_at(count);
            for (value, byte) in out[filled..].iter_mut().zip(block) {
                *value = self.scale * f32::from(byte.cast_signed());
            }
            if block.iter().fold(false, |any, byte| any | (*byte == 0x80)) {
                return Err(DecodeFault::ByteOutOfRange);
            }
            *bytes = rest;
            filled += count;
            self.left -= count;
        }
        Ok(filled)
    }

    /// Whether no byte is left over.
    pub(crate) const fn is_whole(&self) -> bool {
        self.pending_bytes == 0
    }

    /// Whether the next block's scale is known.
    fn next_scale(&mut self, bytes: &mut &[u8]) -> Result<bool, DecodeFault> {
        let (head, rest) = bytes.split_at((self.pending.len() - self.pending_bytes).min(bytes.len()));
        self.pending[self.pending_bytes..self.pending_bytes + head.len()].copy_from_slice(head);
        self.pending_bytes += head.len();
        *bytes = rest;
        if self.pending_bytes < self.pending.len() {
            return Ok(false);
        }
        let scale = f32::from_le_bytes(self.pending);
        if !scale.is_finite() {
            return Err(DecodeFault::ScaleNotFinite);
        }
        if scale.is_sign_negative() {
            return Err(DecodeFault::ScaleNegative);
        }
        (self.scale, self.left, self.pending_bytes) = (scale, SCALED, 0);
        Ok(true)
    }
}
