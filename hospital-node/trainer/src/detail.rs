//! What an evaluation says of each class in more than counts, where the plan asks for detailed metrics: how its score ranks radiographs, for
//! which classes its radiographs are taken, and how far off the probabilities are. Scores come in and sums go out. Pure.

use std::collections::BTreeMap;

use rayon::prelude::*;
use snowball_metrics::{Influence, brier};
use snowball_protocol::evaluation::{ClassDetail, HeadEvaluation, Ranks};

/// A radiograph with the label of a head that names classes, and what the network says of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// Whose it is, under any number.
    pub patient: usize,
    /// The class that it has, by position.
    pub truth: usize,
    /// The class that the network says.
    pub said: usize,
    /// Of each class; adds up to 1.
    pub probabilities: Vec<f32>,
}

/// Adds the details of `rows` to the counts of `head`, whose classes are all those of the plan, in its order.
pub fn add(head: &mut HeadEvaluation, rows: &[Row]) {
    let HeadEvaluation::Classes { classes, .. } = head else {
        return;
    };
    let ranked: Vec<Option<Influence>> = (0..classes.len())
        .into_par_iter()
        .map(|class| influence(class, rows))
        .collect();
    classes.par_iter_mut().enumerate().for_each(|(place, class)| {
        if class.images > 0 {
            class.detail = Some(of_class(place, rows, &ranked));
        }
    });
}

fn influence(class: usize, rows: &[Row]) -> Option<Influence> {
    let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.probabilities[class])).collect();
    let has: Vec<bool> = rows.iter().map(|row| row.truth == class).collect();
    let owners: Vec<usize> = rows.iter().map(|row| row.patient).collect();
    Influence::of(&scores, &has, &owners)
}

/// `ranked` is of each class of the plan, in its order.
fn of_class(class: usize, rows: &[Row], ranked: &[Option<Influence>]) -> ClassDetail {
    let own = || rows.iter().filter(|row| row.truth == class);
    let mut said = vec![0; rows.first().map_or(0, |row| row.probabilities.len())];
    // Of each patient how many radiographs there are, and how many are recognised.
    let mut patients: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for row in own() {
        said[row.said] += 1;
        let (images, correct) = patients.entry(row.patient).or_default();
        *images += 1.0;
        *correct += f64::from(u8::from(row.said == class));
    }
    let own_ranks = ranked[class].as_ref();
    ClassDetail {
        patients: patients.len() as u64,
        said,
        correct_variance: correct_variance(patients.values().copied()),
        brier_sum: own().map(|row| brier(&row.probabilities, class)).sum(),
        ranks: own_ranks.map(|influence| {
            let ranked = influence.concordance();
            let sums = ranked.sums();
            Ranks {
                other_patients: ranked.other_patients,
                weight_sum: sums.weight,
                area_sum: sums.area,
                variance_sum: sums.variance,
            }
        }),
        covariance_sums: own_ranks.map(|influence| {
            let before = ranked[..class].iter();
            before.map(|other| covariance_sum(influence, other.as_ref())).collect()
        }),
    }
}

/// How two classes go together, times the weights of both.
fn covariance_sum(one: &Influence, other: Option<&Influence>) -> f64 {
    other.map_or(0.0, |other| one.covariance(other) * one.weight() * other.weight())
}

/// Variance of how many radiographs are recognised where patients are drawn (Cochran 1977 on ratios); each patient's radiographs and the
/// recognised among them come in. One patient says nothing of how patients differ.
fn correct_variance(patients: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let (count, images, correct) = patients.clone().fold((0.0, 0.0, 0.0), |(count, images, correct), of| {
        (count + 1.0, images + of.0, correct + of.1)
    });
    if count < 2.0 {
        return 0.0;
    }
    let share = correct / images;
    let squares: f64 = patients
        .map(|(images, correct)| (correct - images * share).powi(2))
        .sum();
    squares * count / (count - 1.0)
}

#[cfg(test)]
mod tests {
    use snowball_protocol::{evaluation::ClassCount, labels::LabelName};

    use super::*;

    fn row(patient: usize, truth: usize, yes: f32) -> Row {
        Row {
            patient,
            truth,
            said: usize::from(yes > 0.5),
            probabilities: vec![1.0 - yes, yes, 0.0],
        }
    }

    /// Patients 1 and 2 without, 3 and 4 with; patient 4 has two radiographs with it.
    #[test]
    fn a_small_head_by_hand() {
        let rows = [
            row(1, 0, 0.25),
            row(2, 0, 0.75),
            row(3, 1, 0.5),
            row(4, 1, 0.75),
            row(4, 1, 1.0),
        ];
        let class = |code: &str, images, correct| ClassCount {
            class: code.to_owned(),
            images,
            correct,
            detail: None,
        };
        let mut head = HeadEvaluation::Classes {
            label: LabelName::Sex,
            loss_sum: 1.0,
            images: 5,
            classes: vec![class("F", 2, 1), class("M", 3, 2), class("O", 0, 0)],
        };
        add(&mut head, &rows);
        let HeadEvaluation::Classes { classes, .. } = &head else {
            panic!()
        };
        assert_eq!(classes[2].detail, None);
        let [without, with] = [0, 1].map(|place| classes[place].detail.clone().unwrap());
        assert_eq!((without.patients, with.patients), (2, 2));
        assert_eq!((&without.said[..], &with.said[..]), (&[1, 1, 0][..], &[1, 2, 0][..]));
        // One of two, of patients with 1 and 0 of 1: 2 * (1/4 + 1/4). Two of three, of patients with 0 of 1 and 2 of 2: 2 * (4/9 + 4/9).
        assert!((without.correct_variance - 1.0).abs() < 1e-10);
        assert!((with.correct_variance - 16.0 / 9.0).abs() < 1e-10);
        assert!((without.brier_sum - 2.0 * (0.0625 + 0.5625)).abs() < 1e-9);
        assert!((with.brier_sum - 2.0 * (0.25 + 0.0625)).abs() < 1e-9);
        // Pairs: 0.5 above 0.25 only; 0.75 above 0.25 and as 0.75; 1.0 above both. 4.5 of 6; the weight is 4/5.
        let (one, other) = (without.ranks.unwrap(), with.ranks.unwrap());
        assert!((other.weight_sum - 0.8).abs() < 1e-10 && (other.area_sum - 0.8 * 0.75).abs() < 1e-10);
        assert!((one.area_sum - other.area_sum).abs() < 1e-10 && (one.variance_sum - other.variance_sum).abs() < 1e-10);
        assert_eq!((one.other_patients, other.other_patients), (2, 2));
        assert!(other.variance_sum > 0.0);
        // Each is the other's rest, so that they are lucky or unlucky together.
        assert_eq!(without.covariance_sums, Some(vec![]));
        let sums = with.covariance_sums.unwrap();
        assert!(
            sums.len() == 1 && (sums[0] - other.variance_sum).abs() < 1e-10,
            "{sums:?}"
        );
    }

    #[test]
    fn a_patient_alone_gives_neither_variance_nor_ranks() {
        let rows = [row(1, 0, 0.25), row(1, 0, 0.5), row(2, 1, 0.5)];
        let detail = of_class(0, &rows, &[influence(0, &rows), influence(1, &rows)]);
        assert_eq!((detail.patients, detail.correct_variance, detail.ranks), (1, 0.0, None));
        assert_eq!(detail.covariance_sums, None);
    }
}
