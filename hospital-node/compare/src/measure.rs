//! One figure for how well a run did on the patients that all runs are judged on, computed again for every resample of them.

use serde::{Deserialize, Serialize};

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
    /// By rising score: which radiograph, whether of the second class, whether its score is that of the one before.
    Ranked(Vec<(usize, bool, bool)>),
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
    pub(crate) fn figure(&self, weights: &[u32]) -> Option<f64> {
        match self {
            Self::Ranked(order) => auroc(order, weights),
            Self::Recognised(rows, classes) => balanced_accuracy(rows, *classes, weights),
            Self::Errors(errors) => {
                let (sum, count) = errors
                    .iter()
                    .zip(weights)
                    .fold((0.0, 0.0), |(sum, count), (error, weight)| {
                        (f64::from(*weight).mul_add(*error, sum), count + f64::from(*weight))
                    });
                (count > 0.0).then(|| sum / count)
            }
        }
    }
}

fn ranked(of: &[usize], rows: &[Vec<f64>]) -> Prepared {
    let mut places: Vec<usize> = (0..of.len()).collect();
    places.sort_by(|left, right| rows[*left][1].total_cmp(&rows[*right][1]));
    let mut before = None;
    let order = places
        .into_iter()
        .map(|place| {
            let score = rows[place][1];
            let is_tied = before
                .replace(score)
                .is_some_and(|before: f64| before.total_cmp(&score).is_eq());
            (place, of[place] == 1, is_tied)
        })
        .collect();
    Prepared::Ranked(order)
}

fn auroc(order: &[(usize, bool, bool)], weights: &[u32]) -> Option<f64> {
    let (mut below, mut tied_negative, mut tied_positive) = (0.0, 0.0, 0.0);
    let (mut area, mut positives) = (0.0, 0.0);
    for (place, is_positive, is_tied) in order {
        if !is_tied {
            area += tied_positive * (below + tied_negative / 2.0);
            (positives, below) = (positives + tied_positive, below + tied_negative);
            (tied_negative, tied_positive) = (0.0, 0.0);
        }
        let weight = f64::from(weights[*place]);
        if *is_positive {
            tied_positive += weight;
        } else {
            tied_negative += weight;
        }
    }
    area += tied_positive * (below + tied_negative / 2.0);
    let pairs = (positives + tied_positive) * (below + tied_negative);
    (pairs > 0.0).then(|| area / pairs)
}

fn balanced_accuracy(rows: &[(usize, bool)], classes: usize, weights: &[u32]) -> Option<f64> {
    let mut counts = vec![(0_u64, 0_u64); classes];
    for ((class, is_right), weight) in rows.iter().zip(weights) {
        let (all, right) = counts.get_mut(*class)?;
        *all += u64::from(*weight);
        *right += u64::from(*weight) * u64::from(*is_right);
    }
    let recalls: Vec<f64> = counts
        .iter()
        .filter(|(all, _)| *all > 0)
        .map(|(all, right)| *right as f64 / *all as f64)
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
    use proptest::prelude::*;

    use super::*;

    fn two(of: &[usize], scores: &[f64]) -> Prepared {
        let truths = Truths::Classes {
            names: vec!["no".to_owned(), "yes".to_owned()],
            of: of.to_vec(),
        };
        let rows = scores.iter().map(|score| vec![1.0 - score, *score]).collect();
        Prepared::new(&truths, &Outputs::Probabilities(rows)).unwrap()
    }

    /// By its definition: the share of pairs in the right order.
    fn by_pairs(of: &[usize], scores: &[f64], weights: &[u32]) -> Option<f64> {
        let (mut right, mut all) = (0.0, 0.0);
        for (i, _) in of.iter().enumerate().filter(|(_, class)| **class == 1) {
            for (j, _) in of.iter().enumerate().filter(|(_, class)| **class == 0) {
                let pairs = f64::from(weights[i]) * f64::from(weights[j]);
                all += pairs;
                right += pairs
                    * match scores[i].total_cmp(&scores[j]) {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    };
            }
        }
        (all > 0.0).then(|| right / all)
    }

    proptest! {
        #[test]
        fn the_area_is_the_share_of_pairs_in_order(
            rows in prop::collection::vec((0_usize..2, 0_u8..6, 0_u32..3), 1..40)
        ) {
            let of: Vec<usize> = rows.iter().map(|row| row.0).collect();
            let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.1) / 6.0).collect();
            let weights: Vec<u32> = rows.iter().map(|row| row.2).collect();
            match (two(&of, &scores).figure(&weights), by_pairs(&of, &scores, &weights)) {
                (Some(found), Some(wanted)) => prop_assert!((found - wanted).abs() < 1e-12),
                (found, wanted) => prop_assert_eq!(found, wanted),
            }
        }
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
        let found = prepared.figure(&[1, 1, 1, 1]).unwrap();
        assert!((found - (2.0 / 3.0 + 1.0) / 2.0).abs() < 1e-12);
        assert_eq!(prepared.figure(&[0, 0, 1, 0]), Some(0.0));
        assert_eq!(prepared.figure(&[0; 4]), None);
        assert_eq!(Measure::of(&truths), Measure::BalancedAccuracy);
        assert_eq!(Measure::of(&truths).chance(&truths), Some(1.0 / 3.0));
    }

    #[test]
    fn errors_are_weighted_and_what_does_not_fit_is_refused() {
        let truths = Truths::Numbers { of: vec![10.0, 20.0] };
        let prepared = Prepared::new(&truths, &Outputs::Numbers(vec![12.0, 16.0])).unwrap();
        assert_eq!(prepared.figure(&[1, 1]), Some(3.0));
        assert_eq!(prepared.figure(&[3, 1]), Some(2.5));
        assert!(Prepared::new(&truths, &Outputs::Numbers(vec![1.0])).is_none());
        assert!(Prepared::new(&truths, &Outputs::Probabilities(vec![vec![1.0]; 2])).is_none());
    }
}
