//! From the least to the largest of some values, and round numbers between them for an axis.

/// From the least to the largest value, never of no width.
#[derive(Clone, Copy)]
pub(crate) struct Range {
    low: f64,
    high: f64,
}

impl Range {
    /// `None` where no value is finite.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let finite = values.filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            return None;
        }
        Some(if low < high {
            Self { low, high }
        } else {
            let half = if low == 0.0 { 0.5 } else { low.abs() / 10.0 };
            Self {
                low: low - half,
                high: high + half,
            }
        })
    }

    /// Where a value lies between `from` and `to`.
    pub(crate) fn place(&self, value: f64, from: f64, to: f64) -> f64 {
        from + (value - self.low) / (self.high - self.low) * (to - from)
    }

    /// The range widened to round numbers, and those: about `wanted` steps of 1, 2 or 5 times a power of ten.
    pub(crate) fn rounded(&self, wanted: u32) -> (Self, Vec<f64>) {
        let step = round_step((self.high - self.low) / f64::from(wanted));
        // A bound that is round up to the last bit is not passed by a whole step.
        let (first, last) = (
            (self.low / step + 1e-9).floor() as i64,
            (self.high / step - 1e-9).ceil() as i64,
        );
        let ticks: Vec<f64> = (first..=last).map(|number| number as f64 * step).collect();
        match (ticks.first(), ticks.last()) {
            (Some(low), Some(high)) if low < high => (Self { low: *low, high: *high }, ticks),
            // Numbers so large that a step is lost in their last bit.
            _ => (*self, vec![self.low, self.high]),
        }
    }
}

/// Whole numbers from `first` to `last` that an axis names: all where there are few, else round ones.
pub(crate) fn round_steps(first: u64, last: u64, most: u64) -> Vec<u64> {
    let span = last.saturating_sub(first);
    let step = round_step((span / most.max(1) + 1) as f64).round().max(1.0) as u64;
    if step == 1 {
        return (first..=last).collect();
    }
    let next = first.next_multiple_of(step);
    (next..=last)
        .step_by(usize::try_from(step).unwrap_or(usize::MAX))
        .collect()
}

/// The least of 1, 2 or 5 times a power of ten that is not below `least`.
fn round_step(least: f64) -> f64 {
    let power = 10.0_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let fits = |step: &f64| *step >= least * (1.0 - 1e-9);
    steps.into_iter().find(fits).unwrap_or(steps[3])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ticks(low: f64, high: f64) -> Vec<f64> {
        Range::of([low, high].into_iter()).unwrap().rounded(4).1
    }

    fn near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }

    #[test]
    fn an_axis_has_round_numbers() {
        near(&ticks(14.91, 33.48), &[10.0, 15.0, 20.0, 25.0, 30.0, 35.0]);
        near(&ticks(0.0, 1.0), &[0.0, 0.5, 1.0]);
        near(&ticks(0.002, 0.035), &[0.0, 0.01, 0.02, 0.03, 0.04]);
        near(&ticks(-0.12, 0.03), &[-0.15, -0.1, -0.05, 0.0, 0.05]);
    }

    #[test]
    fn one_value_has_room_of_its_own_size() {
        let (_, ticks) = Range::of([0.035].into_iter()).unwrap().rounded(4);
        assert!(ticks[0] > 0.0 && ticks[ticks.len() - 1] < 0.05, "{ticks:?}");
        assert!(Range::of([f64::NAN].into_iter()).is_none());
    }

    #[test]
    fn steps_are_named_each_or_by_round_numbers() {
        assert_eq!(round_steps(1, 3, 10), [1, 2, 3]);
        assert_eq!(round_steps(4, 4, 10), [4]);
        assert_eq!(round_steps(1, 236, 10), [50, 100, 150, 200]);
    }

    proptest! {
        #[test]
        fn every_value_lies_between_few_ticks(low in -1e6..1e6_f64, span in 1e-3..1e6_f64) {
            let range = Range::of([low, low + span].into_iter()).unwrap();
            let (wide, ticks) = range.rounded(4);
            prop_assert!(ticks.len() >= 2 && ticks.len() <= 7, "{ticks:?}");
            prop_assert!(wide.place(low, 0.0, 1.0) >= -1e-6 && wide.place(low + span, 0.0, 1.0) <= 1.0 + 1e-6);
        }

        #[test]
        fn few_steps_are_named(first in 0..10_000_u64, span in 0..1_000_000_u64) {
            let named = round_steps(first, first + span, 10);
            prop_assert!(!named.is_empty() && named.len() <= 12, "{named:?}");
            prop_assert!(named.iter().all(|step| (first..=first + span).contains(step)));
        }
    }
}
