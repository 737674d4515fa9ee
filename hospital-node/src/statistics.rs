//! What a sample says about the whole: sizes, bounds and intervals. Pure, exact, without tables.

use std::f64::consts::PI;

/// Steps of a bisection: more than the digits of a double.
const BISECTIONS: u32 = 100;

/// The interval of Wilson (1927) for `right` of `all` at 95 %, two-sided; `(0, 1)` where there is nothing to go by.
#[must_use]
pub fn wilson(right: u64, all: u64) -> (f64, f64) {
    if all == 0 {
        return (0.0, 1.0);
    }
    const Z: f64 = 1.959_963_984_540_054;
    let (n, p) = (all as f64, right as f64 / all as f64);
    let middle = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    // At the ends the formula gives 0 and 1 but for rounding.
    let low = if right == 0 { 0.0 } else { (middle - half).max(0.0) };
    let high = if right == all { 1.0 } else { (middle + half).min(1.0) };
    (low, high)
}

/// The upper bound of Clopper and Pearson (1934): the largest share at which `found` or fewer among `looked_at` would still
/// come about with probability 1 - `confidence`. One-sided.
#[must_use]
pub fn clopper_pearson_upper(found: u64, looked_at: u64, confidence: f64) -> f64 {
    if found >= looked_at {
        return 1.0;
    }
    let alpha = 1.0 - confidence;
    let (mut low, mut high) = (found as f64 / looked_at as f64, 1.0);
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(low, high);
        if binomial_at_most(found, looked_at, middle) > alpha {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The probability of `found` or fewer among `all`, each with probability `share`.
fn binomial_at_most(found: u64, all: u64, share: f64) -> f64 {
    if share <= 0.0 {
        return 1.0;
    }
    if share >= 1.0 {
        return if found >= all { 1.0 } else { 0.0 };
    }
    let n = all as f64;
    let terms = (0..=found).map(|count| {
        let k = count as f64;
        let ways = ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0);
        (ways + k * share.ln() + (n - k) * (-share).ln_1p()).exp()
    });
    terms.sum::<f64>().min(1.0)
}

/// Logarithm of the gamma function by Stirling's series with the argument raised above 12: exact to twelve digits.
fn ln_gamma(value: f64) -> f64 {
    let (mut x, mut shift) = (value, 0.0);
    while x < 12.0 {
        shift += x.ln();
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series = (1.0 / 12.0 - y * (1.0 / 360.0 - y * (1.0 / 1260.0 - y / 1680.0))) / x;
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * PI).ln() + series - shift
}

/// One group of pictures and how many of them are drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stratum {
    /// Pictures in it.
    pub pictures: u64,
    /// Pictures drawn from it, without putting any back.
    pub drawn: u64,
}

/// The largest probability that a sample shows nothing although `bad` pictures are bad, wherever they lie: the worst case
/// over all ways to spread them over the strata. For one stratum it is the hypergeometric one.
#[must_use]
pub fn overlooked(strata: &[Stratum], bad: u64) -> f64 {
    // The factor of each further bad picture of a stratum, (rest - drawn) / rest, falls as they become more, so taking
    // the largest factor each time gives the largest product.
    let mut rests: Vec<(f64, f64)> = strata
        .iter()
        .map(|stratum| (stratum.pictures as f64, stratum.drawn as f64))
        .collect();
    let mut probability = 1.0;
    for _ in 0..bad {
        let factor = |(rest, drawn): &(f64, f64)| if rest > drawn { (rest - drawn) / rest } else { 0.0 };
        let Some(worst) = rests
            .iter_mut()
            .max_by(|one, other| factor(one).total_cmp(&factor(other)))
        else {
            return 0.0;
        };
        probability *= factor(worst);
        worst.0 -= 1.0;
        if probability == 0.0 {
            return 0.0;
        }
    }
    probability
}

/// The most bad pictures that a sample without any leaves possible at `confidence`, exactly, wherever they lie.
#[must_use]
pub fn bad_at_most(strata: &[Stratum], confidence: f64) -> u64 {
    let (mut low, mut high) = (0, strata.iter().map(|stratum| stratum.pictures).sum::<u64>());
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if overlooked(strata, middle) > 1.0 - confidence {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

/// How many pictures to draw of each stratum (they hold `sizes`), the same share of each, so that a sample without a bad
/// picture proves at `confidence` that at most the share `bound` is bad. All of them where nothing less will do.
#[must_use]
pub fn draw(sizes: &[u64], bound: f64, confidence: f64) -> Vec<Stratum> {
    let all: u64 = sizes.iter().sum();
    // The least number of bad pictures that breaks the bound.
    let bad = (all as f64 * bound).floor() as u64 + 1;
    let shares = |drawn: u64| -> Vec<Stratum> {
        sizes
            .iter()
            .map(|pictures| {
                let part = (u128::from(*pictures) * u128::from(drawn)).div_ceil(u128::from(all.max(1)));
                Stratum {
                    pictures: *pictures,
                    drawn: u64::try_from(part).unwrap_or(*pictures),
                }
            })
            .collect()
    };
    let (mut low, mut high) = (0, all);
    while low < high {
        let middle = low + (high - low) / 2;
        if overlooked(&shares(middle), bad) <= 1.0 - confidence {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    shares(high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(one: f64, other: f64, by: f64) {
        assert!((one - other).abs() <= by, "{one} is not {other}");
    }

    /// Table I of Newcombe, Statistics in Medicine 17 (1998), 857-872: two-sided 95 %, that is one-sided 97.5 %.
    #[test]
    fn intervals_are_those_of_newcombe_s_table() {
        for (right, all, wilson_low, wilson_high, exact_high) in [
            (81, 263, 0.2553, 0.3662, 0.3676),
            (15, 148, 0.0624, 0.1605, 0.1617),
            (0, 20, 0.0, 0.1611, 0.1684),
            (1, 29, 0.0061, 0.1718, 0.1776),
        ] {
            let (low, high) = wilson(right, all);
            near(low, wilson_low, 5e-5);
            near(high, wilson_high, 5e-5);
            near(clopper_pearson_upper(right, all, 0.975), exact_high, 5e-5);
        }
        assert_eq!(wilson(0, 0), (0.0, 1.0));
        assert_eq!((wilson(5, 5).1, clopper_pearson_upper(5, 5, 0.95)), (1.0, 1.0));
    }

    /// Hanley and Lippman-Hand, JAMA 249 (1983), 1743-1745: nothing among n means at most about 3/n.
    #[test]
    fn nothing_found_gives_the_rule_of_three() {
        for looked_at in [30_u64, 100, 598, 1000, 100_000] {
            let bound = clopper_pearson_upper(0, looked_at, 0.95);
            near(bound, 1.0 - 0.05_f64.powf(1.0 / looked_at as f64), 1e-9);
            assert!(bound < 3.0 / looked_at as f64);
            near(bound * looked_at as f64, 3.0, 0.15);
        }
    }

    #[test]
    fn factorials_are_exact_to_many_digits() {
        near(ln_gamma(1.0), 0.0, 1e-11);
        near(ln_gamma(6.0), 120.0_f64.ln(), 1e-11);
        near(ln_gamma(0.5), PI.sqrt().ln(), 1e-11);
        near(ln_gamma(171.0), 706.573_062_245_787_4, 1e-9);
    }

    /// 598 is the binomial size: the least n with 0.995^n at most 0.05. A finite number of pictures needs fewer.
    #[test]
    fn half_a_percent_takes_598_pictures_of_very_many_and_fewer_of_few() {
        let drawn = |all: u64| draw(&[all], 0.005, 0.95)[0].drawn;
        assert_eq!(drawn(100_000_000), 598);
        assert_eq!(
            drawn(100),
            95,
            "one bad picture of a hundred is found in 95 draws with probability 0.95"
        );
        assert_eq!((drawn(1), drawn(0)), (1, 0));
        let sizes: Vec<u64> = [500, 1000, 5000, 20_000, 1_000_000].map(drawn).to_vec();
        assert!(sizes.is_sorted() && sizes[0] > 300 && sizes[4] <= 598, "{sizes:?}");
    }

    /// C(8, 3) / C(10, 3) = 56 / 120.
    #[test]
    fn one_stratum_is_hypergeometric() {
        let stratum = Stratum { pictures: 10, drawn: 3 };
        near(overlooked(&[stratum], 2), 56.0 / 120.0, 1e-12);
        near(overlooked(&[stratum], 8), 0.0, 0.0);
        assert_eq!(overlooked(&[], 1), 0.0);
        assert_eq!(
            bad_at_most(
                &[Stratum {
                    pictures: 10,
                    drawn: 10
                }],
                0.95
            ),
            0
        );
    }

    proptest! {
        /// The greedy worst case is the worst of all ways to spread the bad pictures over two strata.
        #[test]
        fn no_way_to_spread_bad_pictures_is_worse(
            first in 1_u64..30, second in 1_u64..30, share in 1_u64..100, bad in 1_u64..20,
        ) {
            let of = |pictures: u64| Stratum { pictures, drawn: (pictures * share).div_ceil(100).min(pictures) };
            let strata = [of(first), of(second)];
            let worst = (0..=bad.min(first))
                .filter(|in_first| bad - in_first <= second)
                .map(|in_first| overlooked(&strata[..1], in_first) * overlooked(&strata[1..], bad - in_first))
                .fold(0.0, f64::max);
            prop_assert!((overlooked(&strata, bad) - worst).abs() < 1e-9);
        }

        /// What is drawn proves the bound, and a sample of one less a stratum's worth is never larger than all.
        #[test]
        fn what_is_drawn_proves_the_bound(sizes in proptest::collection::vec(0_u64..3000, 1..8), bound in 0.001_f64..0.05) {
            let strata = draw(&sizes, bound, 0.95);
            let all: u64 = sizes.iter().sum();
            prop_assert!(strata.iter().all(|stratum| stratum.drawn <= stratum.pictures));
            prop_assert!(bad_at_most(&strata, 0.95) as f64 <= all as f64 * bound);
        }
    }
}
