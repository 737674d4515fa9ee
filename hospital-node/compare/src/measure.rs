//! One figure for how well a run did on the patients that all runs are judged on, computed again for every resample of them.

use serde::{Deserialize, Serialize};
use snowball_metrics::Ranking;

use crate::runs::{Outputs, Truths};

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Area under the ROC curve of the second of two classes, by ranks with ties counted half (Hanley and McNeil 1982).
    Auroc,
    /// Mean of the classes' recalls (Brodersen 2010).
    BalancedAccuracy,
    /// Mean absolute error in the label's unit.
    MeanAbsoluteError,
}

impl Measure {
    /// The one that fits what is to be told.
    #[must_use]
    pub const fn of(truths: &Truths) -> Self {
        match truths {
            Truths::Classes { names, .. } if names.len() == 2 => Self::Auroc,
            Truths::Classes { .. } => Self::BalancedAccuracy,
            Truths::Numbers { .. } => Self::MeanAbsoluteError,
        }
    }

    /// Whether more is better.
    #[must_use]
    pub const fn rises(self) -> bool {
        !matches!(self, Self::MeanAbsoluteError)
    }

    /// What guessing reaches, where that is known without the data.
    #[must_use]
    pub fn chance(self, truths: &Truths) -> Option<f64> {
        match (self, truths) {
            (Self::Auroc, _) => Some(0.5),
            (Self::BalancedAccuracy, Truths::Classes { names, .. }) => Some(1.0 / names.len().max(1) as f64),
            _ => None,
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auroc => "AUROC",
            Self::BalancedAccuracy => "balanced accuracy",
            Self::MeanAbsoluteError => "mean absolute error",
        }
    }
}

/// One run's outputs, made ready to be measured many times.
pub(crate) enum Prepared {
    /// By the score of the second class.
    Ranked(Ranking),
    /// Per radiograph its class and whether it was recognised; the number of classes.
    Recognised(Vec<(usize, bool)>, usize),
    /// Per radiograph the absolute error.
    Errors(Vec<f64>),
}

impl Prepared {
    /// Nothing where outputs and truths do not fit each other.
    pub(crate) fn new(truths: &Truths, outputs: &Outputs) -> Option<Self> {
        match (truths, outputs) {
            (Truths::Classes { names, of }, Outputs::Probabilities(rows)) => {
                if of.len() != rows.len() || rows.iter().any(|row| row.len() != names.len()) {
                    return None;
                }
                Some(if names.len() == 2 {
                    ranked(of, rows)
                } else {
                    Self::Recognised(
                        of.iter()
                            .zip(rows)
                            .map(|(class, row)| (*class, largest(row) == Some(*class)))
                            .collect(),
                        names.len(),
                    )
                })
            }
            (Truths::Numbers { of }, Outputs::Numbers(told)) if of.len() == told.len() => Some(Self::Errors(
                of.iter().zip(told).map(|(truth, told)| (truth - told).abs()).collect(),
            )),
            _ => None,
        }
    }

    /// The figure where radiograph `i` counts `weights[i]` times; nothing where a class that it needs does not occur.
    pub(crate) fn figure(&self, weights: &[f64]) -> Option<f64> {
        match self {
            Self::Ranked(ranking) => ranking.auroc(weights),
            Self::Recognised(rows, classes) => balanced_accuracy(rows, *classes, weights),
            Self::Errors(errors) => {
                let (sum, count) = errors
                    .iter()
                    .zip(weights)
                    .fold((0.0, 0.0), |(sum, count), (error, weight)| {
                        (weight.mul_add(*error, sum), count + weight)
                    });
                (count > 0.0).then(|| sum / count)
            }
        }
    }
}

/// By the probability of the second of two classes.
fn ranked(of: &[usize], rows: &[Vec<f64>]) -> Prepared {
    let scores: Vec<f64> = rows.iter().map(|row| row[1]).collect();
    let has: Vec<bool> = of.iter().map(|class| *class == 1).collect();
    Prepared::Ranked(Ranking::new(&scores, &has))
}

fn balanced_accuracy(rows: &[(usize, bool)], classes: usize, weights: &[f64]) -> Option<f64> {
    let mut counts = vec![(0.0, 0.0); classes];
    for ((class, is_right), weight) in rows.iter().zip(weights) {
        let (all, right) = counts.get_mut(*class)?;
        *all += weight;
        *right += if *is_right { *weight } else { 0.0 };
    }
    let recalls: Vec<f64> = counts
        .iter()
        .filter(|(all, _)| *all > 0.0)
        .map(|(all, right)| right / all)
        .collect();
    (!recalls.is_empty()).then(|| recalls.iter().sum::<f64>() / recalls.len() as f64)
}

/// The first of the largest; nothing where a value is no number.
fn largest(row: &[f64]) -> Option<usize> {
    if row.iter().any(|value| value.is_nan()) {
        return None;
    }
    (0..row.len()).reduce(|best, place| if row[place] > row[best] { place } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two(of: &[usize], scores: &[f64]) -> Prepared {
        let truths = Truths::Classes {
            names: vec!["no".to_owned(), "yes".to_owned()],
            of: of.to_vec(),
        };
        let rows = scores.iter().map(|score| vec![1.0 - score, *score]).collect();
        Prepared::new(&truths, &Outputs::Probabilities(rows)).unwrap()
    }

    /// Of four pairs of a yes and a no one is in the wrong order; where the no above it counts three times, three of eight.
    #[test]
    fn the_second_class_is_ranked_as_often_as_each_counts() {
        let prepared = two(&[0, 0, 1, 1], &[0.1, 0.4, 0.35, 0.8]);
        assert_eq!(prepared.figure(&[1.0; 4]), Some(0.75));
        assert_eq!(prepared.figure(&[1.0, 3.0, 1.0, 1.0]), Some(5.0 / 8.0));
        assert_eq!(prepared.figure(&[1.0, 1.0, 0.0, 0.0]), None);
    }

    #[test]
    fn recalls_are_averaged_over_the_classes_that_occur() {
        let truths = Truths::Classes {
            names: ["a", "b", "c"].map(str::to_owned).to_vec(),
            of: vec![0, 0, 0, 1],
        };
        let row = |class: usize| (0..3).map(|place| f64::from(u8::from(place == class))).collect();
        let outputs = Outputs::Probabilities(vec![row(0), row(0), row(2), row(1)]);
        let prepared = Prepared::new(&truths, &outputs).unwrap();
        let found = prepared.figure(&[1.0; 4]).unwrap();
        assert!((found - (2.0 / 3.0 + 1.0) / 2.0).abs() < 1e-12);
        assert_eq!(prepared.figure(&[0.0, 0.0, 1.0, 0.0]), Some(0.0));
        assert_eq!(prepared.figure(&[0.0; 4]), None);
        assert_eq!(Measure::of(&truths), Measure::BalancedAccuracy);
        assert_eq!(Measure::of(&truths).chance(&truths), Some(1.0 / 3.0));
    }

    #[test]
    fn errors_are_weighted_and_what_does_not_fit_is_refused() {
        let truths = Truths::Numbers { of: vec![10.0, 20.0] };
        let prepared = Prepared::new(&truths, &Outputs::Numbers(vec![12.0, 16.0])).unwrap();
        assert_eq!(prepared.figure(&[1.0; 2]), Some(3.0));
        assert_eq!(prepared.figure(&[3.0, 1.0]), Some(2.5));
        assert!(Prepared::new(&truths, &Outputs::Numbers(vec![1.0])).is_none());
        assert!(Prepared::new(&truths, &Outputs::Probabilities(vec![vec![1.0]; 2])).is_none());
    }
}
