//! Whether a probability of 0.8 is right in 8 of 10.

/// Bins of equal width between 0 and 1 in which probabilities are compared with what came true.
pub const BINS: usize = 15;

/// The expected calibration error of the class that was said (Guo et al. 2017, with 15 bins as there): over bins of its probability, the
/// mean distance between the probability and how often it was right, weighted by what is in the bin. `None` without weight.
pub(crate) fn expected_error(probabilities: &[f64], right: &[bool], weights: &[f64]) -> Option<f64> {
    let mut bins = [(0.0, 0.0); BINS];
    let mut all = 0.0;
    for ((probability, right), weight) in probabilities.iter().zip(right).zip(weights) {
        let bin = &mut bins[bin(*probability)];
        bin.0 += weight * probability;
        bin.1 += weight * f64::from(u8::from(*right));
        all += weight;
    }
    (all > 0.0).then(|| bins.iter().map(|(said, came)| (said - came).abs()).sum::<f64>() / all)
}

/// Bins are open below and closed above, as in Guo et al.; 0 is in the first.
fn bin(probability: f64) -> usize {
    ((probability * BINS as f64).ceil() as usize).clamp(1, BINS) - 1
}

/// Brier's score of one row (Brier 1950): the squared distances of all classes' probabilities from the truth, 0 to 2.
#[must_use]
pub fn brier(probabilities: &[f32], truth: usize) -> f64 {
    let distance = |(class, probability): (usize, &f32)| {
        let came = f64::from(u8::from(class == truth));
        (f64::from(*probability) - came).powi(2)
    };
    probabilities.iter().enumerate().map(distance).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_closed_above() {
        assert_eq!((bin(0.0), bin(1.0 / 15.0), bin(0.067), bin(1.0)), (0, 0, 1, 14));
    }

    /// Two at 0.9, one of them right; two at 0.6, both right: (|1.8 - 1| + |1.2 - 2|) / 4.
    #[test]
    fn four_probabilities_by_hand() {
        let error = expected_error(&[0.9, 0.9, 0.6, 0.6], &[true, false, true, true], &[1.0; 4]);
        assert!((error.unwrap() - 0.4).abs() < 1e-12);
        assert_eq!(expected_error(&[], &[], &[]), None);
        assert_eq!(expected_error(&[1.0], &[true], &[1.0]), Some(0.0));
    }

    #[test]
    fn brier_by_hand() {
        assert!((brier(&[0.7, 0.2, 0.1], 0) - (0.09 + 0.04 + 0.01)).abs() < 1e-6);
        assert_eq!(brier(&[0.0, 1.0], 0), 2.0);
        assert_eq!(brier(&[1.0, 0.0], 0), 0.0);
    }
}
