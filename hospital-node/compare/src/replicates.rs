//! The paired hierarchical bootstrap: seeds are drawn with replacement, then patients, and every arm is measured on the same draw.
//!
//! Efron and Tibshirani 1993, chapters 6 and 13 (percentile intervals); drawn by patient, since radiographs of one person are no
//! two observations. Two arms measured on the same draw share its luck, so their difference has the interval that it deserves.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    measure::{Measure, Prepared},
    runs::{Judged, Run},
};

/// A value and from where to where it may be, with 95 % confidence.
#[derive(Clone, Copy, PartialEq, Debug, serde::Serialize)]
pub struct Interval {
    /// On all patients and seeds, each once.
    pub value: f64,
    /// The 2.5th percentile of the draws.
    pub low: f64,
    /// The 97.5th.
    pub high: f64,
}

/// Where an arm stands for as many labels as another needed.
#[derive(Clone, Copy, PartialEq, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// It is there with the fewest labels that were tried.
    AtOnce,
    /// It is there with about so many, between two that were tried.
    With(f64),
    /// It is not, with the most labels that were tried.
    Never,
}

/// Why runs cannot be compared.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RunFault {
    /// There are too few patients to say anything.
    #[error("{0} patients with the label are set apart for testing; at least 10 are needed")]
    Patients(usize),
    /// A run is missing, or there are two of it.
    #[error("arm {arm} with {labels} labels was not trained from every start under every seed, once each")]
    Missing {
        /// Its place.
        arm: usize,
        /// With how many labels.
        labels: u64,
    },
    /// A run's outputs do not fit what is true.
    #[error("a run of arm {0} says something else than what is asked of it")]
    Outputs(usize),
    /// A figure needs a class that no patient set apart has.
    #[error("the patients set apart for testing do not have every class; ingest more, or ask less")]
    Classes,
}

/// Every figure on every draw.
#[derive(Debug)]
pub struct Replicates {
    measure: Measure,
    labels: Vec<u64>,
    arms: usize,
    /// First the figures on everything as it is, then one set a draw; in each, arm by arm, in the order of `labels`.
    figures: Vec<Vec<f64>>,
}

impl Replicates {
    /// Measures `runs` on `judged` and on `draws` draws of it, the same for the same `seed`.
    ///
    /// # Errors
    /// When runs are missing or fit neither each other nor what is true.
    pub fn of(judged: &Judged, runs: &[Run], draws: u32, seed: u64) -> Result<Self, RunFault> {
        let people = judged.people();
        if people < 10 {
            return Err(RunFault::Patients(people));
        }
        let table = Table::of(judged, runs)?;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let seeds = table.seeds.len();
        let mut figures = vec![
            table
                .measure(&vec![1.0; judged.radiographs()], &vec![1; seeds])
                .ok_or(RunFault::Classes)?,
        ];
        let mut weights = vec![0.0; judged.radiographs()];
        // A draw that lost a class says nothing and is drawn again, so often at most.
        for _ in 0..draws.saturating_mul(4) {
            if figures.len() > draws as usize {
                break;
            }
            let of_seeds = drawn(seeds, &mut random);
            let of_people = drawn(people, &mut random);
            for (weight, patient) in weights.iter_mut().zip(&judged.patients) {
                *weight = f64::from(of_people[*patient]);
            }
            figures.extend(table.measure(&weights, &of_seeds));
        }
        if figures.len() <= draws as usize {
            return Err(RunFault::Classes);
        }
        Ok(Self {
            measure: Measure::of(&judged.truths),
            labels: table.labels,
            arms: table.arms,
            figures,
        })
    }

    /// What was measured.
    #[must_use]
    pub const fn measure(&self) -> Measure {
        self.measure
    }

    /// The numbers of labels that were tried, rising.
    #[must_use]
    pub fn labels(&self) -> &[u64] {
        &self.labels
    }

    /// How well `arm` does with the `place`th number of labels.
    #[must_use]
    pub fn figure(&self, arm: usize, place: usize) -> Interval {
        self.interval(|figures| figures[self.at(arm, place)])
    }

    /// By how much `arm` is better than `other` with the `place`th number of labels: below zero where it is worse, whatever is measured.
    #[must_use]
    pub fn gain(&self, arm: usize, other: usize, place: usize) -> Interval {
        let sign = if self.measure.rises() { 1.0 } else { -1.0 };
        self.interval(|figures| sign * (figures[self.at(arm, place)] - figures[self.at(other, place)]))
    }

    /// With how many labels `arm` is as good as `other` is with the most, and the middle 95 % of that over all draws, from few
    /// to many.
    #[must_use]
    pub fn reach(&self, arm: usize, other: usize) -> (Reach, Reach, Reach) {
        let told = |figures: &Vec<f64>| self.reach_in(figures, arm, other);
        let mut drawn: Vec<Reach> = self.figures[1..].iter().map(told).collect();
        drawn.sort_by(|left, right| left.order().total_cmp(&right.order()));
        let end = |share: f64| drawn[percentile_place(drawn.len(), share)];
        (told(&self.figures[0]), end(0.025), end(0.975))
    }

    fn reach_in(&self, figures: &[f64], arm: usize, other: usize) -> Reach {
        let sign = if self.measure.rises() { 1.0 } else { -1.0 };
        let goal = sign * figures[self.at(other, self.labels.len() - 1)];
        let mut before: Option<(f64, f64)> = None;
        for (place, labels) in self.labels.iter().enumerate() {
            let here = (((*labels).max(1) as f64).ln(), sign * figures[self.at(arm, place)]);
            if here.1 >= goal {
                return match before {
                    None => Reach::AtOnce,
                    Some(before) => Reach::With(crossing(before, here, goal).exp()),
                };
            }
            before = Some(here);
        }
        Reach::Never
    }

    const fn at(&self, arm: usize, place: usize) -> usize {
        debug_assert!(arm < self.arms);
        arm * self.labels.len() + place
    }

    fn interval(&self, told: impl Fn(&Vec<f64>) -> f64) -> Interval {
        let mut drawn: Vec<f64> = self.figures[1..].iter().map(&told).collect();
        drawn.sort_by(f64::total_cmp);
        let end = |share| drawn[percentile_place(drawn.len(), share)];
        Interval {
            value: told(&self.figures[0]),
            low: end(0.025),
            high: end(0.975),
        }
    }
}

impl Reach {
    const fn order(self) -> f64 {
        match self {
            Self::AtOnce => 0.0,
            Self::With(labels) => labels,
            Self::Never => f64::INFINITY,
        }
    }
}

/// Where the straight line from `from` to `to`, each (logarithm of labels, figure), first reaches `goal`.
fn crossing(from: (f64, f64), to: (f64, f64), goal: f64) -> f64 {
    let rise = to.1 - from.1;
    let share = if rise > 0.0 { (goal - from.1) / rise } else { 1.0 };
    share.clamp(0.0, 1.0).mul_add(to.0 - from.0, from.0)
}

fn percentile_place(count: usize, share: f64) -> usize {
    ((count as f64 * share) as usize).min(count.saturating_sub(1))
}

/// How often each of `count` came in as many draws.
fn drawn(count: usize, random: &mut ChaCha8Rng) -> Vec<u32> {
    let mut times = vec![0; count];
    for _ in 0..count {
        times[random.random_range(0..count)] += 1;
    }
    times
}

/// The runs in order: by arm, labels and seed, of each the starts.
struct Table {
    arms: usize,
    labels: Vec<u64>,
    seeds: Vec<u32>,
    cells: Vec<Vec<Vec<Prepared>>>,
}

impl Table {
    fn of(judged: &Judged, runs: &[Run]) -> Result<Self, RunFault> {
        let sorted = |mut values: Vec<u64>| {
            values.sort_unstable();
            values.dedup();
            values
        };
        let labels = sorted(runs.iter().map(|run| run.labels).collect());
        let seeds: Vec<u32> = sorted(runs.iter().map(|run| u64::from(run.seed)).collect())
            .into_iter()
            .filter_map(|seed| u32::try_from(seed).ok())
            .collect();
        let arms = runs.iter().map(|run| run.arm + 1).max().unwrap_or(0);
        let mut found: BTreeMap<(usize, u64, u32), BTreeMap<usize, Prepared>> = BTreeMap::new();
        for run in runs {
            let prepared = Prepared::new(&judged.truths, &run.outputs).ok_or(RunFault::Outputs(run.arm))?;
            let cell = found.entry((run.arm, run.labels, run.seed)).or_default();
            if cell.insert(run.start, prepared).is_some() {
                return Err(RunFault::Missing {
                    arm: run.arm,
                    labels: run.labels,
                });
            }
        }
        let mut cells = Vec::new();
        for arm in 0..arms {
            let starts = found.iter().filter(|((of, ..), _)| *of == arm);
            let starts = starts.map(|(_, cell)| cell.len()).max().unwrap_or(0);
            for count in &labels {
                let missing = || RunFault::Missing { arm, labels: *count };
                let mut row = Vec::new();
                for seed in &seeds {
                    let cell = found.remove(&(arm, *count, *seed)).ok_or_else(missing)?;
                    if cell.len() != starts {
                        return Err(missing());
                    }
                    row.push(cell.into_values().collect());
                }
                cells.push(row);
            }
        }
        Ok(Self {
            arms,
            labels,
            seeds,
            cells,
        })
    }

    /// Every cell's figure, averaged over its starts and over the seeds as often as each was drawn.
    fn measure(&self, weights: &[f64], seeds: &[u32]) -> Option<Vec<f64>> {
        self.cells
            .iter()
            .map(|row| {
                let (mut sum, mut count) = (0.0, 0.0);
                for (starts, times) in row.iter().zip(seeds).filter(|(_, times)| **times > 0) {
                    for start in starts {
                        sum += f64::from(*times) * start.figure(weights)?;
                        count += f64::from(*times);
                    }
                }
                (count > 0.0).then(|| sum / count)
            })
            .collect()
    }
}
