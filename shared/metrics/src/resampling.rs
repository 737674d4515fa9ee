//! The cluster bootstrap: patients are drawn with replacement, each with all of its radiographs.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Fewer patients than this give a figure without an interval: the bootstrap of so few is far too narrow.
pub const PATIENTS_MIN: u64 = 10;
/// At least this share of the resamples must give the figure, else it gets no interval: what is left would be a choice.
const DEFINED_SHARE: f64 = 0.9;
const LOW: f64 = 0.025;
const HIGH: f64 = 0.975;

/// How intervals are made: percentiles of so many resamples of patients (Efron 1979; percentile interval, Efron and Tibshirani 1993).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Resampling {
    /// What the draws follow from.
    pub seed: u64,
    /// How many draws.
    pub resamples: u32,
}

impl Default for Resampling {
    fn default() -> Self {
        Self {
            seed: 1,
            resamples: 1000,
        }
    }
}

/// A figure and its 95 % interval, which is absent where there are too few patients for one.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Figure {
    /// Of the rows as they are.
    pub value: f64,
    /// The interval's lower end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The interval's upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

impl Figure {
    /// The reflected interval (basic bootstrap, Davison and Hinkley 1997), for a figure that resampling always makes larger; never
    /// below 0.
    pub(crate) fn reflected(self) -> Self {
        let about = |end: f64| (2.0 * self.value - end).max(0.0);
        Self {
            value: self.value,
            low: self.high.map(about),
            high: self.low.map(about),
        }
    }
}

/// `statistics` of the rows as they are, each with its interval. `patients[row]` is the row's patient, under any number; `statistics` is
/// given the weight of every row (how often its patient was drawn) and answers as many values each time, `None` where there is no figure.
pub fn resampled(
    patients: &[usize],
    resampling: Resampling,
    statistics: impl Fn(&[f64]) -> Vec<Option<f64>>,
) -> Vec<Option<Figure>> {
    let values = statistics(&vec![1.0; patients.len()]);
    let (clusters, count) = dense(patients);
    let mut drawn: Vec<Vec<f64>> = vec![Vec::new(); values.len()];
    if count as u64 >= PATIENTS_MIN {
        for draw in 0..resampling.resamples {
            let weights = weights(&clusters, count, resampling.seed, draw);
            for (drawn, value) in drawn.iter_mut().zip(statistics(&weights)) {
                drawn.extend(value);
            }
        }
    }
    let figure = |(value, drawn): (Option<f64>, Vec<f64>)| {
        let ends = ends(drawn, resampling.resamples);
        value.map(|value| Figure {
            value,
            low: ends.map(|ends| ends.0),
            high: ends.map(|ends| ends.1),
        })
    };
    values.into_iter().zip(drawn).map(figure).collect()
}

/// How many patients there are behind rows.
pub(crate) fn count(patients: impl Iterator<Item = usize>) -> u64 {
    patients.collect::<std::collections::BTreeSet<_>>().len() as u64
}

/// The patients' numbers without gaps, and how many there are.
fn dense(patients: &[usize]) -> (Vec<usize>, usize) {
    let mut places = BTreeMap::new();
    let clusters = patients
        .iter()
        .map(|patient| {
            let next = places.len();
            *places.entry(*patient).or_insert(next)
        })
        .collect();
    (clusters, places.len())
}

/// How often each row counts in one draw of as many patients as there are.
fn weights(clusters: &[usize], count: usize, seed: u64, draw: u32) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(u64::from(draw) + 1);
    let mut times = vec![0.0; count];
    for _ in 0..count {
        times[random.random_range(0..count)] += 1.0;
    }
    clusters.iter().map(|cluster| times[*cluster]).collect()
}

fn ends(mut drawn: Vec<f64>, resamples: u32) -> Option<(f64, f64)> {
    if drawn.len() < 2 || (drawn.len() as f64) < DEFINED_SHARE * f64::from(resamples) {
        return None;
    }
    drawn.sort_unstable_by(f64::total_cmp);
    Some((quantile(&drawn, LOW), quantile(&drawn, HIGH)))
}

/// Linear between order statistics (type 7 of Hyndman and Fan 1996).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(values: &[f64], weights: &[f64]) -> Vec<Option<f64>> {
        let sum: f64 = values.iter().zip(weights).map(|(value, weight)| value * weight).sum();
        vec![Some(sum / weights.iter().sum::<f64>())]
    }

    #[test]
    fn quantiles_lie_between_order_statistics() {
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.5), 2.5);
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.0), 1.0);
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 1.0), 3.0);
    }

    #[test]
    fn the_same_seed_draws_the_same_and_another_seed_something_else() {
        let values: Vec<f64> = (0..40).map(|row| f64::from(row * 7 % 11)).collect();
        let patients: Vec<usize> = (0..40).map(|row| row / 2).collect();
        let drawn = |seed| {
            let resampling = Resampling { seed, resamples: 200 };
            resampled(&patients, resampling, |weights| mean(&values, weights))
        };
        assert_eq!(drawn(3), drawn(3));
        assert_ne!(drawn(3), drawn(4));
    }

    /// Ten radiographs of a patient that are all alike say no more than one: as if each were a patient, the interval would be about
    /// the root of ten narrower.
    #[test]
    fn patients_are_drawn_and_not_pictures() {
        let values: Vec<f64> = (0..300).map(|row| f64::from(row / 10 * 17 % 31)).collect();
        let width = |patients: Vec<usize>| {
            let figures = resampled(&patients, Resampling::default(), |weights| mean(&values, weights));
            let figure = figures[0].unwrap();
            figure.high.unwrap() - figure.low.unwrap()
        };
        let ratio = width((0..300).map(|row| row / 10).collect()) / width((0..300).collect());
        assert!((2.6..3.8).contains(&ratio), "{ratio}");
    }

    #[test]
    fn few_patients_and_figures_that_most_draws_lack_get_no_interval() {
        let few = resampled(&[1, 1, 2, 3, 4, 5, 6, 7, 8, 9], Resampling::default(), |_| {
            vec![Some(0.5)]
        });
        assert_eq!(
            few[0],
            Some(Figure {
                value: 0.5,
                low: None,
                high: None
            })
        );
        // Only draws with the first patient, about two thirds of them, give the figure.
        let patients: Vec<usize> = (0..20).collect();
        let seldom = resampled(&patients, Resampling::default(), |weights| {
            vec![(weights[0] > 0.0).then_some(weights[0]), None]
        });
        assert_eq!(seldom[0].unwrap().low, None);
        assert_eq!(seldom[1], None);
    }
}
