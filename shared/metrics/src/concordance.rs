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

/// What each patient adds to one class's area at a site.
#[derive(Clone, PartialEq, Debug)]
pub struct Influence {
    area: f64,
    /// Patients stand in the order of their numbers.
    of: Vec<Sides>,
    /// As it is estimated: of very few patients it may be more than an area can vary by.
    variance: f64,
}

/// Of a patient by how much its rows are placed better than the mean, with the class and without, as shares of all rows of that side; none
/// where it has no row there.
type Sides = [Option<f64>; 2];

impl Influence {
    /// Of finite `scores`; `has[row]` says whether the row has the class, `patients[row]` whose it is, under any number. `None` with
    /// fewer than two patients on one side: then nobody can say how sure the area is.
    ///
    /// # Panics
    /// When there are not as many of each.
    #[must_use]
    pub fn of(scores: &[f64], has: &[bool], patients: &[usize]) -> Option<Self> {
        assert_eq!(scores.len(), patients.len(), "a patient a row");
        let placed = placements(scores, has);
        let with = has.iter().filter(|has| **has).count() as f64;
        let without = has.len() as f64 - with;
        let area = placed
            .iter()
            .zip(has)
            .filter(|(_, has)| **has)
            .map(|(place, _)| place)
            .sum::<f64>()
            / with;
        let mut of: BTreeMap<usize, Sides> = BTreeMap::new();
        for ((place, has), patient) in placed.iter().zip(has).zip(patients) {
            let side = &mut of.entry(*patient).or_default()[usize::from(!has)];
            let rows = if *has { with } else { without };
            *side = Some(side.unwrap_or(0.0) + (place - area) / rows);
        }
        let of: Vec<Sides> = of.into_values().collect();
        let variance = together(&of, &of);
        let found = Self { area, of, variance };
        (found.patients(0) >= 2 && found.patients(1) >= 2).then_some(found)
    }

    fn patients(&self, side: usize) -> u64 {
        self.of.iter().filter(|sides| sides[side].is_some()).count() as u64
    }

    /// What the area weighs.
    #[must_use]
    pub fn weight(&self) -> f64 {
        weight(self.patients(0), self.patients(1))
    }

    /// The area and how sure it is.
    #[must_use]
    pub fn concordance(&self) -> Concordance {
        Concordance {
            patients: self.patients(0),
            other_patients: self.patients(1),
            area: self.area,
            variance: self.variance.clamp(0.0, AREA_VARIANCE_MAX),
        }
    }

    /// How this area goes together with another one of the same rows. With itself it has Obuchowski's variance, and two classes that are each
    /// other's rest have it too, as it must be.
    ///
    /// No mean of several areas varies by less than nothing by these, and an aggregator takes no others: what sides are made unbiased by is
    /// greater the more patients two sides have in common outside of both, which is a product of vectors as the sums are. So an area whose
    /// variance is held to what it can be goes together less with all others by the same measure.
    #[must_use]
    pub fn covariance(&self, other: &Self) -> f64 {
        together(&self.of, &other.of) * self.held() * other.held()
    }

    /// By how much the area's deviation is held to what it can be.
    fn held(&self) -> f64 {
        if self.variance > AREA_VARIANCE_MAX {
            (AREA_VARIANCE_MAX / self.variance).sqrt()
        } else {
            1.0
        }
    }
}

/// What each patient adds to the one area, times what it adds to the other, side by side. Each sum is made unbiased by the patients who could
/// have a part in it.
fn together(one: &[Sides], other: &[Sides]) -> f64 {
    let mut sum = 0.0;
    for (side, other_side) in [(0_usize, 0_usize), (0, 1), (1, 0), (1, 1)] {
        let (mut products, mut patients) = (0.0, 0.0);
        for (sides, other_sides) in one.iter().zip(other) {
            let (one, two) = (sides[side], other_sides[other_side]);
            patients += f64::from(u8::from(one.is_some() || two.is_some()));
            products += one.unwrap_or(0.0) * two.unwrap_or(0.0);
        }
        if patients > 1.0 {
            sum += products * patients / (patients - 1.0);
        }
    }
    sum
}

impl Concordance {
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

/// The plain mean of the classes' areas. `together` tells of each two of them, by their places, the correlation of their areas.
///
/// The interval recovers each class's variance from its own interval, on the side of each end (Zou and Donner 2008), so that it has what makes
/// those honest near 1. With a correlation of 1 throughout its ends are the means of the classes' ends: right of two classes that are each
/// other's rest, and else wider than it need be. That is what to take where a correlation is not known.
#[must_use]
pub fn macro_area(classes: &[Figure], together: impl Fn(usize, usize) -> f64) -> Option<Figure> {
    let count = (!classes.is_empty()).then_some(classes.len() as f64)?;
    let value = classes.iter().map(|figure| figure.value).sum::<f64>() / count;
    let half = |distance: fn(&Figure) -> Option<f64>| {
        let distances: Vec<f64> = classes.iter().map(distance).collect::<Option<_>>()?;
        let mut sum = 0.0;
        for (place, one) in distances.iter().enumerate() {
            sum += one * one;
            for (before, other) in distances[..place].iter().enumerate() {
                sum += 2.0 * together(place, before).clamp(-1.0, 1.0) * one * other;
            }
        }
        Some(sum.max(0.0).sqrt() / count)
    };
    Some(Figure {
        value,
        low: half(|figure| Some(figure.value - figure.low?)).map(|half| (value - half).max(0.0)),
        high: half(|figure| Some(figure.high? - figure.value)).map(|half| (value + half).min(1.0)),
    })
}

#[cfg(test)]
mod tests;
