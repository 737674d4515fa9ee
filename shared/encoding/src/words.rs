//! Numbers that are words of a fixed width: binary32 and bfloat16.

/// Reads words of `WIDTH` bytes; those of a word that is cut wait for the next piece.
#[derive(Clone, Debug)]
pub(crate) struct Words<const WIDTH: usize> {
    pending: [u8; WIDTH],
    pending_bytes: usize,
}

impl<const WIDTH: usize> Default for Words<WIDTH> {
    fn default() -> Self {
        Self {
            pending: [0; WIDTH],
            pending_bytes: 0,
        }
    }
}

impl<const WIDTH: usize> Words<WIDTH> {
    /// Fills `out` as far as `bytes` go, takes what it used off them, and gives how many numbers it wrote.
    pub(crate) fn fill(
        &mut self,
        bytes: &mut &[u8],
        out: &mut [f32],
        // A type of its own for each, so that the loop below is one over whole vectors: a pointer would be called for each number.
        number: impl Fn([u8; WIDTH]) -> f32,
    ) -> usize {
        let mut filled = 0;
        if self.pending_bytes > 0 && !out.is_empty() {
            self.wait(bytes);
            if self.pending_bytes < WIDTH {
                return 0;
            }
            self.pending_bytes = 0;
            out[0] = number(self.pending);
            filled = 1;
        }
        let free = &mut out[filled..];
        let (words, _) = bytes.as_chunks::<WIDTH>();
        let count = words.len().min(free.len());
        for (value, word) in free.iter_mut().zip(words) {
            *value = number(*word);
        }
        *bytes = &bytes[count * WIDTH..];
        if count < free.len() {
            self.wait(bytes);
        }
        filled + count
    }

    /// Whether no byte is left over.
    pub(crate) const fn is_whole(&self) -> bool {
        self.pending_bytes == 0
    }

    fn wait(&mut self, bytes: &mut &[u8]) {
        let (head, rest) = bytes.split_at((WIDTH - self.pending_bytes).min(bytes.len()));
        self.pending[self.pending_bytes..self.pending_bytes + head.len()].copy_from_slice(head);
        self.pending_bytes += head.len();
        *bytes = rest;
    }
}

/// The number of a bfloat16.
pub(crate) fn from_bf16(bytes: [u8; 2]) -> f32 {
    f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)
}

/// The nearest bfloat16 of a finite number, ties to even. Beyond the largest one it is infinite, as IEEE 754 has it.
pub(crate) fn to_bf16(value: f32) -> [u8; 2] {
    let bits = value.to_bits();
    // Half a unit of the last place, less one where the part that stays is even. Of a finite number the sum cannot overflow.
    let rounded = bits + 0x7fff + ((bits >> 16) & 1);
    // What is left of the shift has 16 bits.
    ((rounded >> 16) as u16).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bfloat16_rounds_to_nearest_and_ties_to_even() {
        let round = |bits: u32| u32::from(u16::from_le_bytes(to_bf16(f32::from_bits(bits))));
        for (bits, rounded) in [
            (0x3f80_0000, 0x3f80),
            (0x3f80_7fff, 0x3f80),
            (0x3f80_8000, 0x3f80),
            (0x3f80_8001, 0x3f81),
            (0x3f81_8000, 0x3f82),
            (0xbf81_8000, 0xbf82),
            (0x8000_0000, 0x8000),
            (0x0000_8001, 0x0001),
            (0x7f7f_ffff, 0x7f80),
        ] {
            assert_eq!(round(bits), rounded, "{bits:08x}");
        }
        assert_eq!(from_bf16(to_bf16(-1.5)), -1.5);
    }

    #[test]
    fn a_number_that_is_cut_off_is_not_made_up() {
        let mut words = Words::<4>::default();
        let mut out = [0.0; 2];
        assert_eq!(words.fill(&mut &[0, 0, 128][..], &mut out, f32::from_le_bytes), 0);
        assert!(!words.is_whole());
        assert_eq!(words.fill(&mut &[63][..], &mut out, f32::from_le_bytes), 1);
        assert!(words.is_whole() && out[0] == 1.0);
    }
}
