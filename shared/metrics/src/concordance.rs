//! The area under the receiver operating characteristic over several sites, from sums that each site makes of its own radiographs.
//!
//! The area of all radiographs thrown together does not follow from sums: it asks how radiographs of one site are ranked among those of
//! another, and to know that, scores must leave. Counts of scores in fixed bins would give it nearly, and tell of each bin how many
//! patients are in it, the small ones included. So pairs are made within a site only, as in a stratified test of ranks (Van Elteren 1960):
//! each site tells its own area, its variance and its weight, and their weighted mean is the area over all sites. That is also what a
//! hospital wants to know, whose patients are ranked among each other; a network that only tells hospitals apart gets 0.5 by it and
//! not more. It says nothing of whether one threshold suits all sites.
//!
//! A site weighs as much as its patients can tell: Van Elteren's weight, with and without the class `p` and `q` patients, is
//! `p q / (p + q + 1)`. By the number of its pairs a site ten times as large would count a hundred times.
//!
//! The variance takes radiographs of one patient as alike (Obuchowski 1997, which is DeLong's, 1988, for one radiograph a patient).

use std::collections::BTreeMap;

use crate::{Figure, NORMAL_95, ranking::placements};

/// How well one score ranks the radiographs of one site.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Concordance {
    /// Patients that have a radiograph with the class.
    pub patients: u64,
    /// Patients that have one without it; who has both is in both.
    pub other_patients: u64,
    /// The share of pairs of one with and one without the class that are ranked right; half a pair where both have the same score.
    pub area: f64,
    /// Variance of `area`.
    pub variance: f64,
}

/// The sums over sites.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct ConcordanceSums {
    /// Of the weights.
    pub weight: f64,
    /// Of the areas, each times its weight.
    pub area: f64,
    /// Of the variances, each times the square of its weight.
    pub variance: f64,
}

/// A number between 0 and 1 varies by this much at most.
pub const AREA_VARIANCE_MAX: f64 = 0.25;

/// Of patients with one radiograph each whose scores tell something, an area is as sure as a share of so many times their weight: three
/// times in the middle, four times near 1 (by the variance of Hanley and McNeil 1982).
const PRECISION_MAX: f64 = 4.0;
const PRECISION_MIN: f64 = 3.0;

impl Concordance {
    /// Of finite `scores`; `has[row]` says whether the row has the class, `patients[row]` whose it is, under any number. `None` with
    /// fewer than two patients on one side: then nobody can say how sure the area is.
    ///
    /// # Panics
    /// When there are not as many of each.
    #[must_use]
    pub fn of(scores: &[f64], has: &[bool], patients: &[usize]) -> Option<Self> {
        assert_eq!(scores.len(), patients.len(), "a patient a row");
        let placed = placements(scores, has);
        let (with, without) = has.iter().fold((0.0, 0.0), |(with, without), has| {
            if *has {
                (with + 1.0, without)
            } else {
                (with, without + 1.0)
            }
        });
        let area = placed
            .iter()
            .zip(has)
            .filter(|(_, has)| **has)
            .map(|(place, _)| place)
            .sum::<f64>()
            / with;
        // Of each patient by how much its rows are placed better than the mean, with the class and without, and whether it has any.
        let mut clusters: BTreeMap<usize, [Option<f64>; 2]> = BTreeMap::new();
        for ((place, has), patient) in placed.iter().zip(has).zip(patients) {
            let side = &mut clusters.entry(*patient).or_default()[usize::from(!has)];
            *side = Some(side.unwrap_or(0.0) + place - area);
        }
        let of_side = |side: usize| {
            let of: Vec<f64> = clusters.values().filter_map(|patient| patient[side]).collect();
            (of.len() as f64, of.iter().map(|sum| sum * sum).sum::<f64>())
        };
        let ((p, squares), (q, other_squares)) = (of_side(0), of_side(1));
        if p < 2.0 || q < 2.0 {
            return None;
        }
        let both: f64 = clusters
            .values()
            .filter_map(|[one, other]| Some((*one)? * (*other)?))
            .sum();
        let all = clusters.len() as f64;
        let unbiased = |count: f64| count / (count - 1.0);
        let variance = unbiased(p) * squares / (with * with)
            + unbiased(q) * other_squares / (without * without)
            + 2.0 * unbiased(all) * both / (with * without);
        Some(Self {
            patients: p as u64,
            other_patients: q as u64,
            area,
            variance: variance.clamp(0.0, AREA_VARIANCE_MAX),
        })
    }

    /// What the site adds to the sums over all sites.
    #[must_use]
    pub fn sums(&self) -> ConcordanceSums {
        let weight = weight(self.patients, self.other_patients);
        ConcordanceSums {
            weight,
            area: weight * self.area,
            variance: weight * weight * self.variance,
        }
    }
}

/// What an area of so many patients weighs.
#[must_use]
pub fn weight(patients: u64, other_patients: u64) -> f64 {
    let (p, q) = (patients as f64, other_patients as f64);
    p * q / (p + q + 1.0)
}

impl ConcordanceSums {
    /// The area over all sites with its interval of 95 % over patients. The interval is Wilson's (1927) of a share of as many trials as make
    /// a share as sure as this area: it stays within 0 and 1 and says how sure an area is that happens to be 1, where its variance is 0.
    /// It is never narrower than that of as many patients with one radiograph each.
    #[must_use]
    pub fn figure(&self) -> Option<Figure> {
        let area = (self.weight > 0.0).then(|| self.area / self.weight)?;
        let variance = self.variance / (self.weight * self.weight);
        let spread = area * (1.0 - area);
        let trials = if variance > 0.0 && spread > 0.0 {
            (spread / variance).min(PRECISION_MAX * self.weight)
        } else {
            PRECISION_MIN * self.weight
        };
        let (low, high) = wilson(area, trials);
        Some(Figure {
            value: area,
            low: Some(low),
            high: Some(high),
        })
    }
}

/// Wilson's interval (1927) of a share of `trials`.
fn wilson(share: f64, trials: f64) -> (f64, f64) {
    let square = NORMAL_95 * NORMAL_95;
    let wider = 1.0 + square / trials;
    let centre = (share + square / (2.0 * trials)) / wider;
    let half = NORMAL_95 / wider * (share * (1.0 - share) / trials + square / (4.0 * trials * trials)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

/// The plain mean of the classes' areas, with the means of their intervals' ends: right where all classes are lucky or unlucky together
/// (with two classes they are), and else too wide rather than too narrow. How classes go together would be a number for each two of
/// them, which no site is asked for.
#[must_use]
pub fn macro_area(classes: &[Figure]) -> Option<Figure> {
    let count = (!classes.is_empty()).then_some(classes.len() as f64)?;
    let mean = |of: fn(&Figure) -> Option<f64>| {
        let ends: Option<Vec<f64>> = classes.iter().map(of).collect();
        ends.map(|ends| ends.iter().sum::<f64>() / count)
    };
    Some(Figure {
        value: mean(|figure| Some(figure.value))?,
        low: mean(|figure| figure.low),
        high: mean(|figure| figure.high),
    })
}

#[cfg(test)]
mod tests;
