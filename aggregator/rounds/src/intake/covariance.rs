//! Whether numbers can be covariances. Where a site told covariances below what its variances allow, they would take away from a sum over
//! sites what all others vary by, and leave a mean over classes an interval of no width. Pure.

/// Numbers of twelve digits, and what is summed of them, are off by this much at most, as a share.
const ROUNDING: f64 = 1e-9;
/// A small difference of large numbers is off by this much of the most that it could be.
const CANCELLED: f64 = 1e-12;

/// One of several numbers that vary.
pub(super) struct Varying {
    /// Its variance, finite and not negative.
    pub variance: f64,
    /// The most that it could vary by.
    pub variance_max: f64,
    /// How it goes together with each one before it, in their order; finite.
    pub covariances: Vec<f64>,
}

/// The first of `numbers` that cannot vary as it says with those before it: some sum of them, each times any weight, would vary by less than
/// nothing. Two that go together by more than both vary are the plainest case. Cholesky's decomposition finds it, whatever the weights.
pub(super) fn first_impossible(numbers: &[Varying]) -> Option<usize> {
    let count = numbers.len() as f64;
    let mut roots: Vec<(Vec<f64>, f64)> = Vec::with_capacity(numbers.len());
    for (place, number) in numbers.iter().enumerate() {
        let mut root: Vec<f64> = Vec::with_capacity(place);
        for (covariance, (before, own)) in number.covariances.iter().zip(&roots) {
            let told = product(&root, before);
            root.push((covariance - told) / own);
        }
        // As many numbers as there are, each off by its rounding, are off together by no more than this on the diagonal.
        let off = count * (ROUNDING * number.variance + CANCELLED * number.variance_max);
        let left = number.variance + off - product(&root, &root);
        if left.is_nan() || left <= 0.0 {
            return Some(place);
        }
        roots.push((root, left.sqrt()));
    }
    None
}

/// Of as many as the shorter has.
fn product(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varying(variance: f64, covariances: &[f64]) -> Varying {
        Varying {
            variance,
            variance_max: 10.0,
            covariances: covariances.to_vec(),
        }
    }

    /// With the digits that leave a node.
    fn twelve_digits(number: f64) -> f64 {
        format!("{number:.11e}").parse().unwrap()
    }

    /// Nine numbers that follow from three: as close to what cannot be as what is can come.
    #[test]
    fn covariances_of_numbers_that_follow_from_each_other_are_possible_when_rounded() {
        for scale in [1e-9, 1.0, 1e6] {
            let vectors: Vec<[f64; 3]> = (0_u8..9)
                .map(|number| [1.0, 2.0, 3.0].map(|part: f64| scale * (part * f64::from(number) + part).sin()))
                .collect();
            let of = |one: usize, other: usize| twelve_digits(product(&vectors[one], &vectors[other]));
            let mut numbers: Vec<Varying> = (0..9)
                .map(|place| Varying {
                    variance: of(place, place),
                    variance_max: 3.0 * scale * scale,
                    covariances: (0..place).map(|before| of(place, before)).collect(),
                })
                .collect();
            assert_eq!(first_impossible(&numbers), None, "{scale}");
            numbers[8].variance *= 0.999;
            assert_eq!(first_impossible(&numbers), Some(8), "{scale}");
        }
    }

    #[test]
    fn what_goes_together_by_more_than_both_vary_is_impossible() {
        let with = |covariance| first_impossible(&[varying(4.0, &[]), varying(9.0, &[covariance])]);
        for possible in [-6.0, 0.0, 5.9, 6.0, 6.0 + 1e-11] {
            assert_eq!(with(possible), None, "{possible}");
        }
        for impossible in [-7.0, -6.001, 6.001, 1e300, f64::NAN] {
            assert_eq!(with(impossible), Some(1), "{impossible}");
        }
    }

    /// Each two may; the sum of all three would have a variance of 3 - 3.6.
    #[test]
    fn three_that_all_shun_each_other_are_impossible() {
        let with = |covariance| {
            first_impossible(&[
                varying(1.0, &[]),
                varying(1.0, &[covariance]),
                varying(1.0, &[covariance, covariance]),
            ])
        };
        assert_eq!(with(-0.5), None);
        assert_eq!(with(-0.6), Some(2));
    }

    #[test]
    fn what_does_not_vary_goes_together_with_nothing() {
        assert_eq!(first_impossible(&[]), None);
        assert_eq!(
            first_impossible(&[varying(0.0, &[]), varying(1.0, &[0.0]), varying(0.0, &[0.0, 0.0])]),
            None
        );
        assert_eq!(first_impossible(&[varying(0.0, &[]), varying(1.0, &[-0.01])]), Some(1));
        assert_eq!(first_impossible(&[varying(1.0, &[]), varying(0.0, &[-0.01])]), Some(1));
    }
}
