use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn names(count: usize) -> Vec<String> {
    ["CHEST", "HAND", "KNEE"][..count]
        .iter()
        .map(|name| (*name).to_owned())
        .collect()
}

fn row(patient: usize, truth: usize, probabilities: &[f32]) -> ClassRow {
    ClassRow {
        patient,
        truth,
        probabilities: probabilities.to_vec(),
    }
}

fn near(found: Option<Figure>, expected: f64) {
    assert!((found.unwrap().value - expected).abs() < 1e-6, "{found:?} {expected}");
}

/// Three chests (two recognised, one said to be a hand), one hand (recognised), no knee.
fn four() -> Vec<ClassRow> {
    vec![
        row(1, 0, &[0.8, 0.1, 0.1]),
        row(1, 0, &[0.6, 0.3, 0.1]),
        row(2, 0, &[0.2, 0.7, 0.1]),
        row(3, 1, &[0.1, 0.6, 0.3]),
    ]
}

#[test]
fn four_radiographs_by_hand() {
    let figures = of_classes(&names(3), Agreement::Nominal, &four(), Resampling::default()).unwrap();
    assert_eq!((figures.radiographs, figures.patients), (4, 3));
    near(figures.accuracy, 0.75);
    near(figures.balanced_accuracy, (2.0 / 3.0 + 1.0) / 2.0);
    // Chest scores 0.8, 0.6, 0.2 against 0.1: all right. Hand 0.6 against 0.1, 0.3 right, against 0.7 wrong.
    near(figures.auroc, (1.0 + 2.0 / 3.0) / 2.0);
    // Chest 1; the hand is second of two: 1/2.
    near(figures.average_precision, 0.75);
    // By chance: (3 * 2 + 1 * 2) / 16 = 0.5.
    near(figures.kappa, 0.5);
    let briers = [
        0.04 + 0.01 + 0.01,
        0.16 + 0.09 + 0.01,
        0.64 + 0.49 + 0.01,
        0.01 + 0.16 + 0.09,
    ];
    near(figures.brier, briers.iter().sum::<f64>() / 4.0);
    // 0.8 right; 0.6 and 0.6 right, one bin; 0.7 wrong.
    near(figures.calibration_error, (0.2 + 0.8 + 0.7) / 4.0);
    assert_eq!(figures.confusion, [vec![2, 1, 0], vec![0, 1, 0], vec![0, 0, 0]]);
    let classes: Vec<_> = figures
        .classes
        .iter()
        .map(|class| (class.class.as_str(), class.radiographs, class.patients))
        .collect();
    assert_eq!(
        classes,
        [("CHEST", 3, 2), ("HAND", 1, 1)],
        "nobody has a knee: no figure of it"
    );
    near(figures.classes[0].recall, 2.0 / 3.0);
}

#[test]
fn a_class_alone_has_a_recall_and_nothing_to_be_told_from() {
    let figures = of_classes(&names(3), Agreement::Nominal, &four()[..3], Resampling::default()).unwrap();
    assert_eq!((figures.auroc, figures.average_precision), (None, None));
    near(figures.balanced_accuracy, 2.0 / 3.0);
    let none = of_classes(&names(3), Agreement::Nominal, &[], Resampling::default()).unwrap();
    assert_eq!(
        (none.accuracy, none.kappa, none.brier, none.calibration_error),
        (None, None, None, None)
    );
    assert!(none.classes.is_empty());
}

#[test]
fn rows_that_are_none_are_refused() {
    for bad in [
        row(0, 0, &[0.5, 0.5]),
        row(0, 3, &[0.3, 0.3, 0.4]),
        row(0, 0, &[f32::NAN, 0.5, 0.5]),
        row(0, 0, &[0.9, 0.9, 0.9]),
        row(0, 0, &[-0.5, 0.75, 0.75]),
    ] {
        let fault = of_classes(
            &names(3),
            Agreement::Nominal,
            &[four()[0].clone(), bad],
            Resampling::default(),
        );
        assert!(matches!(fault, Err(MetricsError::Row { row: 1, .. })));
    }
}

/// Two classes; the score of the second is normal, its mean `apart` higher where the class is there, drawn by twelve uniforms. Each patient
/// has up to three radiographs whose scores share half of their variance.
fn drawn(seed: u64, patients: usize, apart: f64) -> Vec<ClassRow> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut normal = move || (0..12).map(|_| random.random_range(0.0..1.0)).sum::<f64>() - 6.0;
    let mut rows = Vec::new();
    for patient in 0..patients {
        let own = normal();
        for _ in 0..=patient % 3 {
            let truth = patient % 2;
            let score = (own + normal()) / 2.0_f64.sqrt() + if truth == 1 { apart } else { 0.0 };
            let probability = (1.0 / (1.0 + (-score).exp())) as f32;
            rows.push(row(patient, truth, &[1.0 - probability, probability]));
        }
    }
    rows
}

#[test]
fn intervals_of_ordinary_rows_hold_their_figures() {
    let figures = of_classes(&names(2), Agreement::Nominal, &drawn(5, 90, 1.0), Resampling::default()).unwrap();
    let of_class = figures
        .classes
        .iter()
        .flat_map(|class| [class.recall, class.auroc, class.average_precision]);
    let all = [
        figures.accuracy,
        figures.balanced_accuracy,
        figures.auroc,
        figures.average_precision,
        figures.kappa,
        figures.brier,
    ];
    for figure in all.into_iter().chain(of_class) {
        let figure = figure.unwrap();
        assert!(
            figure.low.unwrap() < figure.value && figure.value < figure.high.unwrap(),
            "{figure:?}"
        );
    }
    let calibration = figures.calibration_error.unwrap();
    assert!(calibration.low.unwrap() >= 0.0 && calibration.low < calibration.high);
}

/// Two unit normals one apart: the area is the normal distribution function at 1/sqrt(2), 0.7602. Of 200 samples of 60 patients about 95 %
/// of the intervals hold it; the bootstrap of so few is a little narrow. If pictures were drawn instead of patients, fewer do.
#[test]
fn about_as_many_intervals_hold_the_truth_as_they_say() {
    let truth = 0.760_25;
    let share = |by_patient: bool| {
        let held = (0..200).filter(|seed| {
            let mut rows = drawn(100 + seed, 60, 1.0);
            if !by_patient {
                rows.iter_mut().enumerate().for_each(|(place, row)| row.patient = place);
            }
            let patients: Vec<usize> = rows.iter().map(|row| row.patient).collect();
            let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.probabilities[1])).collect();
            let has: Vec<bool> = rows.iter().map(|row| row.truth == 1).collect();
            let ranking = Ranking::new(&scores, &has);
            let resampling = Resampling {
                seed: *seed,
                resamples: 200,
            };
            let area = resampled(&patients, resampling, |weights| vec![ranking.auroc(weights)])[0].unwrap();
            area.low.unwrap() <= truth && truth <= area.high.unwrap()
        });
        held.count() as f64 / 200.0
    };
    let (patients, pictures) = (share(true), share(false));
    assert!((0.89..=0.985).contains(&patients), "{patients}");
    assert!(pictures < patients, "{pictures} {patients}");
}
