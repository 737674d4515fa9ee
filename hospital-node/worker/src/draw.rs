//! A number of labels out of a training part, the same for every way of learning that is compared: drawn by patient, and nested, so that
//! fewer labels are always some of more.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use snowball_protocol::Sha256Digest;

/// How many labelled radiographs to learn from, and the seed that draws them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelDraw {
    /// How many.
    pub labels: u64,
    /// The same seed gives the same order, whatever the number.
    pub seed: u64,
}

/// A labelled radiograph of the training part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Labelled<'a> {
    /// The patient's pseudonym.
    pub patient: &'a str,
    /// The class that draws are balanced by; `None` where the radiograph has none.
    pub class: Option<usize>,
}

/// The order in which radiographs are drawn, as positions in `labelled`; of `n` labels they are the first `n`.
///
/// The next patient always comes from the class of which fewest radiographs were drawn, as long as there are patients of it, and brings
/// all of its radiographs. A patient with several classes stands with the rarest of them. Those without a class come last.
#[must_use]
pub fn order(labelled: &[Labelled<'_>], seed: u64) -> Vec<usize> {
    let mut of_class: BTreeMap<usize, u64> = BTreeMap::new();
    let mut of_patient: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (position, one) in labelled.iter().enumerate() {
        if let Some(class) = one.class {
            *of_class.entry(class).or_default() += 1;
        }
        of_patient.entry(one.patient).or_default().push(position);
    }
    let mut patients: Vec<(Sha256Digest, Vec<usize>)> = of_patient
        .into_iter()
        .map(|(patient, positions)| (ticket(seed, patient), positions))
        .collect();
    patients.sort_unstable_by(|first, second| first.0.as_bytes().cmp(second.0.as_bytes()));
    let mut waiting: BTreeMap<Option<usize>, VecDeque<Vec<usize>>> = BTreeMap::new();
    for (_, positions) in patients {
        let classes = positions.iter().filter_map(|position| labelled[*position].class);
        let rarest = classes.min_by_key(|class| (of_class[class], *class));
        waiting.entry(rarest).or_default().push_back(positions);
    }
    let mut drawn: BTreeMap<usize, u64> = BTreeMap::new();
    let mut order = Vec::with_capacity(labelled.len());
    while let Some(positions) = next(&mut waiting, &drawn) {
        for position in positions {
            if let Some(class) = labelled[position].class {
                *drawn.entry(class).or_default() += 1;
            }
            order.push(position);
        }
    }
    order
}

/// The next patient of the class of which fewest were drawn.
fn next(
    waiting: &mut BTreeMap<Option<usize>, VecDeque<Vec<usize>>>,
    drawn: &BTreeMap<usize, u64>,
) -> Option<Vec<usize>> {
    waiting.retain(|_, patients| !patients.is_empty());
    let fewest = *waiting.keys().min_by_key(|class| match class {
        Some(class) => (false, drawn.get(class).copied().unwrap_or(0), *class),
        None => (true, 0, 0),
    })?;
    waiting.get_mut(&fewest)?.pop_front()
}

/// Where a patient stands in the line: a digest, so that it does not hang on the order of the dataset.
fn ticket(seed: u64, patient: &str) -> Sha256Digest {
    let mut text = b"snowball label draw v1\n".to_vec();
    text.extend(seed.to_le_bytes());
    text.extend(patient.as_bytes());
    Sha256Digest::of(&text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// 120 radiographs of 60 patients, one in six of class 1.
    fn knees() -> Vec<(String, Option<usize>)> {
        (0..120)
            .map(|number| {
                let patient = number / 2;
                (format!("p{patient}"), Some(usize::from(patient % 6 == 0)))
            })
            .collect()
    }

    fn labelled(of: &[(String, Option<usize>)]) -> Vec<Labelled<'_>> {
        of.iter()
            .map(|(patient, class)| Labelled { patient, class: *class })
            .collect()
    }

    #[test]
    fn each_radiograph_comes_once_and_patients_come_whole() {
        let of = knees();
        let order = order(&labelled(&of), 1);
        assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 120);
        for pair in order.chunks(2) {
            assert_eq!(of[pair[0]].0, of[pair[1]].0);
        }
    }

    #[test]
    fn classes_are_balanced_as_long_as_there_are_patients_of_each() {
        let of = knees();
        let order = order(&labelled(&of), 1);
        // Ten patients, twenty radiographs, are of the rare class.
        for count in [8, 20, 40] {
            let rare = order[..count]
                .iter()
                .filter(|position| of[**position].1 == Some(1))
                .count();
            assert_eq!(rare, count / 2);
        }
    }

    #[test]
    fn the_draw_hangs_on_the_seed_and_on_patients_and_not_on_the_dataset_s_order() {
        let of = knees();
        let mut reversed = of.clone();
        reversed.reverse();
        let patients = |of: &[(String, Option<usize>)], seed| -> BTreeSet<String> {
            order(&labelled(of), seed)[..30]
                .iter()
                .map(|position| of[*position].0.clone())
                .collect()
        };
        assert_eq!(patients(&of, 1), patients(&reversed, 1));
        assert_ne!(patients(&of, 1), patients(&of, 2));
    }

    #[test]
    fn a_patient_with_two_classes_stands_with_the_rarer_and_one_with_none_comes_last() {
        let of = [
            ("a", Some(0)),
            ("a", Some(1)),
            ("b", Some(0)),
            ("c", None),
            ("d", Some(0)),
        ];
        let labelled = of.map(|(patient, class)| Labelled { patient, class });
        for seed in 0..20 {
            let order = order(&labelled, seed);
            // One of class 0, then what is due of class 1, then the rest.
            assert_eq!((&order[1..3], order[4]), (&[0, 1][..], 3), "{order:?}");
        }
    }
}
