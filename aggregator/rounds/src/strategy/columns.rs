//! One coordinate of all updates at a time: median and trimmed mean (Yin et al. 2018). However large a minority's numbers are, they
//! do not reach the model.

use snowball_protocol::plan::Combination;

/// What is taken of each coordinate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Columns {
    Median,
    TrimmedMean { share: f64 },
}

impl Columns {
    pub(super) const fn of(combination: &Combination) -> Option<Self> {
        match combination {
            Combination::Median => Some(Self::Median),
            Combination::TrimmedMean { share } => Some(Self::TrimmedMean { share: *share }),
            _ => None,
        }
    }

    /// Of one coordinate's values, which it sorts; 0 where there are none.
    pub(super) fn of_column(self, values: &mut [f64]) -> f64 {
        values.sort_unstable_by(f64::total_cmp);
        let kept = match self {
            Self::Median => values.len().div_ceil(2).saturating_sub(1)..values.len() / 2 + 1,
            Self::TrimmedMean { share } => {
                // Below half of the values: something is always left.
                let cut = (share * values.len() as f64).floor() as usize;
                cut..values.len() - cut
            }
        };
        let kept = values.get(kept).unwrap_or_default();
        if kept.is_empty() {
            return 0.0;
        }
        kept.iter().sum::<f64>() / kept.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_middle_of_a_column() {
        let median = |values: &[f64]| Columns::Median.of_column(&mut values.to_vec());
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[5.0, 1.0, 3.0]), 3.0);
        assert_eq!(median(&[5.0, 1.0, 3.0, 4.0]), 3.5);
        assert_eq!(median(&[]), 0.0);
        let trimmed = |share, values: &[f64]| Columns::TrimmedMean { share }.of_column(&mut values.to_vec());
        assert_eq!(trimmed(0.0, &[1.0, 2.0, 6.0]), 3.0);
        assert_eq!(trimmed(0.2, &[1e9, 1.0, 2.0, 3.0, -1e9]), 2.0);
        assert_eq!(trimmed(0.2, &[1.0, 2.0, 3.0, 4.0]), 2.5, "less than one update is none");
        assert_eq!(trimmed(0.49, &[1.0, 2.0, 30.0]), 2.0);
    }

    proptest! {
        /// The property that they exist for: fewer hostile values than half, or than the share that is left out, move the result to
        /// nowhere but between the honest ones.
        #[test]
        fn a_minority_stays_between_the_others(
            honest in prop::collection::vec(-1.0_f64..1.0, 5..12),
            hostile in prop::collection::vec(prop_oneof![Just(1e30), Just(-1e30), -1e3_f64..1e3], 0..=4),
        ) {
            let (low, high) = honest.iter().fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(*value), high.max(*value)));
            let all: Vec<f64> = honest.iter().chain(&hostile).copied().collect();
            let share = (hostile.len() as f64 / all.len() as f64 + 1e-9).min(0.4999);
            for columns in [Columns::Median, Columns::TrimmedMean { share }] {
                let result = columns.of_column(&mut all.clone());
                prop_assert!((low..=high).contains(&result), "{columns:?}: {result} of {all:?}");
                let mut turned: Vec<f64> = all.iter().rev().copied().collect();
                prop_assert_eq!(columns.of_column(&mut turned).to_bits(), result.to_bits());
            }
        }
    }
}
