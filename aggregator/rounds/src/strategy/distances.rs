//! Which updates lie close to the others, as the weights of a mixture: Krum and multi-Krum (Blanchard et al. 2017), geometric median
//! (RFA, Pillutla et al. 2022).

use snowball_protocol::plan::Combination;

use super::Gram;

/// Weiszfeld's steps. Each takes as many operations as there are pairs of updates: none of the parameters is looked at again.
const STEPS_MAX: usize = 200;
/// Below this distance an update counts as if it were this far away (the paper's nu).
const DISTANCE_MIN: f64 = 1e-6;
/// When no weight moves further than this, the median is found.
const MOVED_MAX: f64 = 1e-12;

/// The mixture that `combination` asks for, a weight for each update; `None` where it does not ask for distances.
pub(super) fn mixture(
    combination: &Combination,
    gram: &Gram,
    shortenings: &[f64],
    examples: &[u64],
) -> Option<Vec<f64>> {
    match combination {
        Combination::Krum { hostile } => Some(closest(gram, shortenings, *hostile, 1)),
        Combination::MultiKrum { hostile, kept } => Some(closest(gram, shortenings, *hostile, *kept)),
        Combination::GeometricMedian => Some(geometric_median(gram, shortenings, examples)),
        _ => None,
    }
}

/// Equal weights for the `kept` updates with the lowest scores. A score is the sum of the squared distances to the n - f - 2 nearest
/// others; of equal ones the first counts.
fn closest(gram: &Gram, shortenings: &[f64], hostile: u32, kept: u32) -> Vec<f64> {
    let updates = gram.updates();
    let neighbours = updates.saturating_sub(hostile as usize + 2).max(1);
    let square = |one: usize, other: usize| {
        let product = |one, other| gram.product(one, other, shortenings);
        (product(one, one) + product(other, other) - 2.0 * product(one, other)).max(0.0)
    };
    let mut scores: Vec<(f64, usize)> = (0..updates)
        .map(|one| {
            let mut squares: Vec<f64> = (0..updates)
                .filter(|other| *other != one)
                .map(|other| square(one, other))
                .collect();
            squares.sort_unstable_by(f64::total_cmp);
            (squares.iter().take(neighbours).sum(), one)
        })
        .collect();
    scores.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let kept = (kept as usize).clamp(1, updates.max(1));
    let mut weights = vec![0.0; updates];
    for (_, one) in scores.into_iter().take(kept) {
        weights[one] = 1.0 / kept as f64;
    }
    weights
}

/// Smoothed Weiszfeld. The median lies among mixtures of the updates, so its distances follow from the products alone.
fn geometric_median(gram: &Gram, shortenings: &[f64], examples: &[u64]) -> Vec<f64> {
    let updates = gram.updates();
    let total: f64 = examples.iter().map(|examples| *examples as f64).sum();
    let shares: Vec<f64> = examples.iter().map(|examples| *examples as f64 / total).collect();
    let products: Vec<Vec<f64>> = (0..updates)
        .map(|one| {
            (0..updates)
                .map(|other| gram.product(one, other, shortenings))
                .collect()
        })
        .collect();
    let mut weights = shares.clone();
    for _ in 0..STEPS_MAX {
        let with_mixture: Vec<f64> = products.iter().map(|row| dot(row, &weights)).collect();
        let mixture_square = dot(&with_mixture, &weights);
        let pulls: Vec<f64> = (0..updates)
            .map(|one| {
                let square = mixture_square - 2.0 * with_mixture[one] + products[one][one];
                shares[one] / square.max(0.0).sqrt().max(DISTANCE_MIN)
            })
            .collect();
        let sum: f64 = pulls.iter().sum();
        let next: Vec<f64> = pulls.into_iter().map(|pull| pull / sum).collect();
        let moved = next
            .iter()
            .zip(&weights)
            .map(|(next, before)| (next - before).abs())
            .fold(0.0, f64::max);
        weights = next;
        if moved <= MOVED_MAX {
            break;
        }
    }
    weights
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gram(rows: &[&[f32]]) -> Gram {
        let mut gram = Gram::new(rows.len());
        gram.block(&rows.concat());
        gram
    }

    fn mixed(combination: &Combination, rows: &[&[f32]], examples: &[u64]) -> Vec<f64> {
        mixture(combination, &gram(rows), &vec![1.0; rows.len()], examples).unwrap()
    }

    const HONEST_AND_TWO: [&[f32]; 7] = [
        &[1.0, 0.0],
        &[1.1, 0.1],
        &[0.9, -0.1],
        &[1.0, 0.1],
        &[1.05, 0.0],
        &[-90.0, 40.0],
        &[-90.0, 40.0],
    ];

    #[test]
    fn krum_takes_an_honest_update_although_the_hostile_ones_agree_with_each_other() {
        let weights = mixed(&Combination::Krum { hostile: 2 }, &HONEST_AND_TWO, &[1; 7]);
        assert_eq!(weights.iter().filter(|weight| **weight == 1.0).count(), 1);
        assert_eq!(weights[5..], [0.0, 0.0]);
        let weights = mixed(
            &Combination::MultiKrum { hostile: 2, kept: 4 },
            &HONEST_AND_TWO,
            &[1; 7],
        );
        assert_eq!(weights.iter().filter(|weight| **weight == 0.25).count(), 4);
        assert_eq!(weights[5..], [0.0, 0.0]);
    }

    /// Scores by hand, from the differences themselves.
    #[test]
    fn scores_are_those_of_the_paper() {
        let rows = HONEST_AND_TWO;
        let score = |one: usize| {
            let mut squares: Vec<f64> = (0..7)
                .filter(|other| *other != one)
                .map(|other| {
                    rows[one]
                        .iter()
                        .zip(rows[other])
                        .map(|(a, b)| f64::from(a - b).powi(2))
                        .sum()
                })
                .collect();
            squares.sort_by(f64::total_cmp);
            squares[..3].iter().sum::<f64>()
        };
        let best = (0..7)
            .min_by(|one, other| score(*one).total_cmp(&score(*other)))
            .unwrap();
        let weights = mixed(&Combination::Krum { hostile: 2 }, &rows, &[1; 7]);
        assert_eq!(weights[best], 1.0);
    }

    #[test]
    fn the_geometric_median_is_where_the_pulls_cancel() {
        // Of a triangle: Fermat's point, which sees each side under 120 degrees.
        let rows: [&[f32]; 3] = [&[0.0, 0.0], &[4.0, 0.0], &[1.0, 3.0]];
        let weights = mixed(&Combination::GeometricMedian, &rows, &[1; 3]);
        let point: Vec<f64> = (0..2)
            .map(|axis| {
                rows.iter()
                    .zip(&weights)
                    .map(|(row, weight)| f64::from(row[axis]) * weight)
                    .sum()
            })
            .collect();
        let pull = rows.iter().fold([0.0, 0.0], |pull, row| {
            let way = [f64::from(row[0]) - point[0], f64::from(row[1]) - point[1]];
            let length = way[0].hypot(way[1]);
            [pull[0] + way[0] / length, pull[1] + way[1] / length]
        });
        assert!(pull[0].hypot(pull[1]) < 1e-5, "{point:?} {pull:?}");

        // More than half of the examples decide, however far away the others are.
        let weights = mixed(&Combination::GeometricMedian, &[&[1.0, 1.0], &[1e3, -1e3]], &[60, 40]);
        assert!(weights[0] > 0.999_999, "{weights:?}");
    }

    #[test]
    fn updates_that_are_all_alike_give_no_division_by_zero() {
        let rows: [&[f32]; 5] = [&[2.0, 1.0]; 5];
        for combination in [Combination::Krum { hostile: 1 }, Combination::GeometricMedian] {
            let weights = mixed(&combination, &rows, &[3; 5]);
            assert!(
                (weights.iter().sum::<f64>() - 1.0).abs() < 1e-12 && weights.iter().all(|weight| weight.is_finite())
            );
        }
        assert!(mixture(&Combination::Mean, &gram(&rows), &[1.0; 5], &[1; 5]).is_none());
    }
}
