//! Little-endian binary32 out of bytes that may be cut anywhere, and sums of squares that do not depend on the cuts.

const BLOCK: usize = 1024;
const WIDTH: usize = size_of::<f32>();

/// Reads numbers out of pieces of bytes; up to three bytes wait for the next piece.
#[derive(Clone, Default)]
pub(crate) struct FloatBytes {
    pending: [u8; WIDTH],
    pending_bytes: usize,
}

impl FloatBytes {
    /// Hands every number that is complete to `take`, in order, in blocks.
    pub(crate) fn read(&mut self, mut bytes: &[u8], mut take: impl FnMut(&[f32])) {
        if self.pending_bytes > 0 {
            let missing = (WIDTH - self.pending_bytes).min(bytes.len());
            let (head, rest) = bytes.split_at(missing);
            self.pending[self.pending_bytes..self.pending_bytes + missing].copy_from_slice(head);
            self.pending_bytes += missing;
            bytes = rest;
            if self.pending_bytes < WIDTH {
                return;
            }
            take(&[f32::from_le_bytes(self.pending)]);
        }
        let (whole, rest) = bytes.split_at(bytes.len() - bytes.len() % WIDTH);
        let mut block = [0.0; BLOCK];
        for part in whole.chunks(BLOCK * WIDTH) {
            let values = &mut block[..part.len() / WIDTH];
            for (value, bytes) in values.iter_mut().zip(part.chunks_exact(WIDTH)) {
                *value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
            take(values);
        }
        self.pending[..rest.len()].copy_from_slice(rest);
        self.pending_bytes = rest.len();
    }

    /// Whether no byte is left over.
    pub(crate) const fn is_whole(&self) -> bool {
        self.pending_bytes == 0
    }
}

const LANES: usize = 8;

/// A sum of squares in binary64 over eight lanes; number i goes to lane i modulo 8, so that the cuts do not matter.
#[derive(Clone, Default)]
pub(crate) struct SquareSum {
    lanes: [f64; LANES],
    next: usize,
}

impl SquareSum {
    pub(crate) fn add(&mut self, values: &[f32]) {
        let to_first_lane = (LANES - self.next) % LANES;
        let (head, body) = values.split_at(to_first_lane.min(values.len()));
        self.add_singly(head);
        let blocks = body.chunks_exact(LANES);
        let tail = blocks.remainder();
        for block in blocks {
            for (lane, value) in self.lanes.iter_mut().zip(block) {
                *lane += f64::from(*value) * f64::from(*value);
            }
        }
        self.add_singly(tail);
    }

    pub(crate) fn total(&self) -> f64 {
        self.lanes.iter().sum()
    }

    fn add_singly(&mut self, values: &[f32]) {
        for value in values {
            self.lanes[self.next] += f64::from(*value) * f64::from(*value);
            self.next = (self.next + 1) % LANES;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn cuts_change_neither_the_numbers_nor_the_sum(
            values in prop::collection::vec(-1e6_f32..1e6, 0..3000),
            cuts in prop::collection::vec(0_usize..12_000, 0..8),
        ) {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            cuts.push(bytes.len());
            let (mut reader, mut read, mut sum) = (FloatBytes::default(), Vec::new(), SquareSum::default());
            let mut start = 0;
            for cut in cuts {
                reader.read(&bytes[start..cut], |block| {
                    read.extend_from_slice(block);
                    sum.add(block);
                });
                start = cut;
            }
            prop_assert!(reader.is_whole());
            prop_assert_eq!(&read, &values);
            let mut whole = SquareSum::default();
            whole.add(&values);
            prop_assert_eq!(sum.total().to_bits(), whole.total().to_bits());
        }
    }

    #[test]
    fn a_number_that_is_cut_off_is_not_made_up() {
        let mut reader = FloatBytes::default();
        reader.read(&[0, 0, 128], |_| panic!("no number is complete"));
        assert!(!reader.is_whole());
        let mut read = Vec::new();
        reader.read(&[63], |block| read.extend_from_slice(block));
        assert_eq!(read, [1.0]);
    }
}
