//! The bits of one entropy-coded segment (T.81 section F.2.2.5): stuffed bytes removed, ended by a marker.

use super::markers;

/// Reads bits, the highest first. Past the end it gives zeros and remembers that it did, so that the inner loops need
/// no check of their own; [`Bits::overrun`] tells afterwards.
pub(super) struct Bits<'a> {
    stream: &'a [u8],
    at: usize,
    /// Left-aligned. Below `count` bits there may be a copy of the bits that come next, never anything else.
    buffer: u64,
    count: u32,
    /// Zeros given in place of data, in bits.
    padding: u32,
}

impl<'a> Bits<'a> {
    pub(super) const fn new(stream: &'a [u8], at: usize) -> Self {
        Self {
            stream,
            at,
            buffer: 0,
            count: 0,
            padding: 0,
        }
    }

    /// True if more bits were used than the segment holds.
    pub(super) const fn overrun(&self) -> bool {
        self.padding > self.count
    }

    /// Where reading stands: at or before the marker that ends the segment.
    pub(super) const fn place(&self) -> usize {
        self.at
    }

    /// Goes on behind the next marker, which must be `marker`; the rest of the segment is dropped.
    pub(super) fn restart(&mut self, marker: u8) -> Option<()> {
        let at = markers::next_marker(self.stream, self.at)?;
        (!self.overrun() && self.stream[at + 1] == marker).then_some(())?;
        *self = Self::new(self.stream, at + 2);
        Some(())
    }

    /// Makes sure of at least 48 bits.
    #[inline]
    pub(super) fn refill(&mut self) {
        if self.count >= 48 {
            return;
        }
        if let Some(bytes) = self.stream.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            let ahead = u64::from_be_bytes(*bytes);
            // A byte of ones in `ahead` is a byte of zeros in its complement.
            let turned = !ahead;
            let has_marker = turned.wrapping_sub(0x0101_0101_0101_0101) & !turned & 0x8080_8080_8080_8080 != 0;
            if !has_marker {
                self.buffer |= ahead >> self.count;
                let taken = (63 - self.count) / 8;
                self.at += taken as usize;
                self.count += 8 * taken;
                return;
            }
        }
        self.refill_slowly();
    }

    #[cold]
    fn refill_slowly(&mut self) {
        while self.count <= 56 {
            let byte = match (self.stream.get(self.at), self.stream.get(self.at + 1)) {
                (Some(0xFF), Some(0)) => {
                    self.at += 2;
                    0xFF
                }
                (Some(0xFF), _) | (None, _) => {
                    self.padding = self.padding.saturating_add(8);
                    0
                }
                (Some(byte), _) => {
                    self.at += 1;
                    *byte
                }
            };
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// The next `bits` (1 to 16) without passing over them.
    #[inline]
    pub(super) const fn peek(&self, bits: u32) -> u32 {
        (self.buffer >> (64 - bits)) as u32
    }

    /// Passes over bits that were made sure of.
    #[inline]
    pub(super) const fn skip(&mut self, bits: u32) {
        self.buffer <<= bits;
        self.count -= bits;
    }

    /// The next `bits` (0 to 16) as a number.
    #[inline]
    pub(super) fn take(&mut self, bits: u32) -> u32 {
        if bits == 0 {
            return 0;
        }
        self.refill();
        let value = self.peek(bits);
        self.skip(bits);
        value
    }

    /// A signed value of `bits` (1 to 16) that were made sure of: those that start with a zero are negative (EXTEND in
    /// T.81 section F.2.2.1).
    #[inline]
    pub(super) const fn signed(&mut self, bits: u32) -> i32 {
        let value = self.peek(bits).cast_signed();
        self.skip(bits);
        let negative = (value >> (bits - 1)) ^ 1;
        value - negative * ((1 << bits) - 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stuffed_bytes_are_data_and_markers_end_it() {
        let mut bits = Bits::new(&[0xA5, 0xFF, 0x00, 0x0F, 0xFF, 0xD9], 0);
        assert_eq!([bits.take(4), bits.take(12)], [0xA, 0x5FF]);
        assert_eq!(bits.take(8), 0x0F);
        assert!(!bits.overrun());
        assert_eq!((bits.take(1), bits.overrun(), bits.place()), (0, true, 4));
    }

    #[test]
    fn values_extend_as_the_standard_s_table_says() {
        let value = |bits: u8, of: u32| {
            let mut stream = Bits::new(&[0; 0], 0);
            stream.buffer = u64::from(bits) << 56;
            stream.count = 8;
            stream.signed(of)
        };
        assert_eq!([value(0x00, 1), value(0x80, 1)], [-1, 1]);
        assert_eq!(
            [value(0x00, 2), value(0x40, 2), value(0x80, 2), value(0xC0, 2)],
            [-3, -2, 2, 3]
        );
        assert_eq!([value(0x00, 8), value(0xFF, 8)], [-255, 255]);
    }

    proptest! {
        #[test]
        fn any_split_reads_the_same_bits(bytes in proptest::collection::vec(any::<u8>(), 1..80), sizes in proptest::collection::vec(1_u32..=16, 1..60)) {
            let stuffed: Vec<u8> = bytes.iter().flat_map(|byte| if *byte == 0xFF { vec![0xFF, 0] } else { vec![*byte] }).collect();
            let mut bits = Bits::new(&stuffed, 0);
            let mut at = 0_usize;
            for size in sizes {
                let expected = (at..at + size as usize).fold(0, |value, bit| {
                    let byte = bytes.get(bit / 8).copied().unwrap_or(0);
                    value << 1 | u32::from(byte >> (7 - bit % 8) & 1)
                });
                prop_assert_eq!(bits.take(size), expected);
                at += size as usize;
                prop_assert_eq!(bits.overrun(), at > 8 * bytes.len());
            }
        }
    }
}
