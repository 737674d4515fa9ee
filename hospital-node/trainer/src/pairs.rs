//! Which radiographs are of one patient, and the views of a batch: two a radiograph, the second of another radiograph of the same patient
//! where there is one (MICLe, Azizi et al. 2021).

use std::collections::BTreeMap;

use rand::Rng as _;
use snowball_protocol::plan::Positives;

use crate::{examples::Examples, random::JobSeed};

/// Radiographs by patient.
pub struct Pairs {
    /// The patient of each radiograph, by its position in the dataset; a number that means nothing outside this job.
    patients: BTreeMap<usize, usize>,
    /// The radiographs of each patient, in the dataset's order.
    radiographs: Vec<Vec<usize>>,
    positives: Positives,
}

/// What is compared in a step: view 0 with view 1, view 2 with view 3 and so on, each with all others.
pub struct Views {
    /// The radiograph of each view, two a pair.
    pub positions: Vec<usize>,
    /// The patient of each pair.
    pub patients: Vec<usize>,
}

impl Pairs {
    /// Those of `positions`, a part of the dataset: no pair reaches out of it.
    pub fn of(examples: &Examples, positions: &[usize], positives: Positives) -> Self {
        Self::new(positions, &examples.patients(positions), positives)
    }

    fn new(positions: &[usize], of: &[usize], positives: Positives) -> Self {
        let count = of.iter().max().map_or(0, |last| last + 1);
        let mut radiographs = vec![Vec::new(); count];
        let pairs = || positions.iter().copied().zip(of.iter().copied());
        pairs().for_each(|(position, patient)| radiographs[patient].push(position));
        Self {
            patients: pairs().collect(),
            radiographs,
            positives,
        }
    }

    /// How many patients there are.
    pub const fn patients(&self) -> usize {
        self.radiographs.len()
    }

    /// The views of a batch of radiographs; `drawn` radiographs under this seed came before it.
    pub fn views(&self, batch: &[usize], seed: JobSeed, drawn: u64) -> Views {
        let mut views = Views {
            positions: Vec::with_capacity(2 * batch.len()),
            patients: Vec::with_capacity(batch.len()),
        };
        for (place, position) in batch.iter().enumerate() {
            let patient = self.patients[position];
            let others = || self.radiographs[patient].iter().filter(|other| *other != position);
            let second = match (self.positives, others().count()) {
                (Positives::Radiograph, _) | (_, 0) => *position,
                (Positives::Patient, count) => {
                    let chosen = seed.making(drawn + place as u64).random_range(0..count);
                    others().nth(chosen).copied().unwrap_or(*position)
                }
            };
            views.positions.extend([*position, second]);
            views.patients.push(patient);
        }
        views
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSITIONS: [usize; 6] = [3, 4, 5, 8, 9, 11];
    const OF: [usize; 6] = [0, 1, 0, 2, 0, 2];

    #[test]
    fn a_pair_is_two_radiographs_of_one_patient_where_there_are_two() {
        let pairs = Pairs::new(&POSITIONS, &OF, Positives::Patient);
        assert_eq!(pairs.patients(), 3);
        let views = |drawn| pairs.views(&POSITIONS, JobSeed::new(1, 1), drawn);
        let mut mates = [const { Vec::new() }; 6];
        for drawn in (0..40).map(|step| 6 * step) {
            let views = views(drawn);
            assert_eq!(views.patients, OF);
            for (place, pair) in views.positions.chunks(2).enumerate() {
                assert_eq!(pair[0], POSITIONS[place]);
                mates[place].push(pair[1]);
            }
        }
        for (mates, expected) in mates.iter_mut().zip([&[5, 9][..], &[4], &[3, 9], &[11], &[3, 5], &[8]]) {
            mates.sort_unstable();
            mates.dedup();
            assert_eq!(
                mates, expected,
                "all of the patient's others, and the same only where there is none"
            );
        }
        assert_eq!(views(6).positions, views(6).positions);
        let alone = Pairs::new(&POSITIONS, &OF, Positives::Radiograph).views(&POSITIONS, JobSeed::new(1, 1), 0);
        assert!(alone.positions.chunks(2).all(|pair| pair[0] == pair[1]));
    }
}
