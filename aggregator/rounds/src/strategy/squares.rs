//! Sums of squares that do not depend on where the numbers were cut.

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
        fn cuts_do_not_change_the_sum(
            values in prop::collection::vec(-1e6_f32..1e6, 0..3000),
            cuts in prop::collection::vec(0_usize..3000, 0..8),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(values.len())).collect();
            cuts.sort_unstable();
            cuts.push(values.len());
            let (mut sum, mut start) = (SquareSum::default(), 0);
            for cut in cuts {
                sum.add(&values[start..cut]);
                start = cut;
            }
            let mut whole = SquareSum::default();
            whole.add(&values);
            prop_assert_eq!(sum.total().to_bits(), whole.total().to_bits());
        }
    }
}
