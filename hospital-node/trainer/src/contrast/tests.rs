//! The loss beside the paper's own formula, and batches in slices beside whole ones.

use rand::Rng as _;
use snowball_protocol::{
    labels::Labels,
    plan::{Augmentation, Positives, Preprocessing, Pretext},
};
use snowball_worker::{
    key::{DatasetKey, DatasetSource},
    shard::{ShardRecord, ShardWriter},
};

use super::*;
use crate::loss::Losses;

const WIDTH: usize = 5;
/// The second and the fourth pair are of one patient.
const PATIENTS: [usize; 6] = [0, 1, 2, 1, 3, 4];

fn vectors() -> Vec<f32> {
    let mut random = JobSeed::new(3, 3).making(0);
    (0..2 * PATIENTS.len() * WIDTH)
        .map(|_| random.random_range(-2.0_f32..2.0))
        .collect()
}

/// Equation 1 of Chen et al. 2020 as it stands there, less the views of the same patient below the line.
fn reference(vectors: &[f32], patients: &[usize], temperature: f64) -> Vec<f64> {
    let view = |view: usize| -> Vec<f64> {
        let vector = &vectors[view * WIDTH..(view + 1) * WIDTH];
        vector.iter().map(|value| f64::from(*value)).collect()
    };
    let similarity = |one: usize, other: usize| {
        let (one, other) = (view(one), view(other));
        let product: f64 = one.iter().zip(&other).map(|(one, other)| one * other).sum();
        let length = |vector: &[f64]| vector.iter().map(|value| value * value).sum::<f64>().sqrt();
        product / (length(&one) * length(&other))
    };
    let count = 2 * patients.len();
    let loss = |one: usize| {
        let partner = if one.is_multiple_of(2) { one + 1 } else { one - 1 };
        let positive = (similarity(one, partner) / temperature).exp();
        let negatives: f64 = (0..count)
            .filter(|other| patients[other / 2] != patients[one / 2])
            .map(|other| (similarity(one, other) / temperature).exp())
            .sum();
        -(positive / (positive + negatives)).ln()
    };
    (0..count).map(loss).collect()
}

#[test]
fn the_loss_is_that_of_the_paper_and_its_slopes_are_those_of_finite_differences() {
    let vectors = vectors();
    for temperature in [0.07, 0.5] {
        let compared = compare(&vectors, &PATIENTS, temperature);
        let expected = reference(&vectors, &PATIENTS, temperature);
        for (found, expected) in compared.losses.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-9 * (1.0 + expected), "{found} {expected}");
        }
        for place in 0..vectors.len() {
            let at = |change: f32| {
                let mut moved = vectors.clone();
                moved[place] += change;
                (
                    mean(&reference(&moved, &PATIENTS, temperature)),
                    f64::from(moved[place]),
                )
            };
            let ((above, up), (below, down)) = (at(1e-3), at(-1e-3));
            let measured = (above - below) / (up - down);
            let slope = f64::from(compared.slopes[place]);
            assert!(
                (measured - slope).abs() < 2e-4 * (1.0 + slope.abs()),
                "{place}: {measured} {slope}"
            );
        }
    }
}

#[test]
fn nobody_is_told_from_radiographs_of_the_same_patient() {
    let compared = compare(&vectors(), &PATIENTS, 0.2);
    let strangers: Vec<usize> = compared.strangers.chunks(2).map(|pair| pair[0]).collect();
    assert_eq!(strangers, [10, 8, 10, 8, 10, 10]);
    // Of one patient alone nothing is learned.
    let alone = compare(&vectors(), &[7; 6], 0.2);
    assert!(alone.losses.iter().all(|loss| loss.abs() < 1e-12));
    assert!(alone.slopes.iter().all(|slope| slope.abs() < 1e-12));
}

#[test]
fn a_pair_is_found_where_nothing_is_as_like_and_what_is_alike_finds_nothing() {
    let of = |angle: f32| [angle.cos(), angle.sin()];
    let vectors: Vec<f32> = [0.0, 0.1, 1.0, 1.1, 2.0, 1.05].map(of).concat();
    let compared = compare(&vectors, &[0, 1, 2], 0.1);
    // The last lies between the second pair, and the first of its pair is nearer to them than to it.
    assert_eq!(compared.found, [true, true, false, false, false, false]);
    let same = compare(&[1.0; 12], &[0, 1, 2], 0.1);
    assert_eq!(same.found, [false; 6]);
    assert!((same.losses[0] - 5.0_f64.ln()).abs() < 1e-12);
    let zero = compare(&[0.0; 12], &[0, 1, 2], 0.1);
    assert!(zero.losses.iter().all(|loss| loss.is_finite()) && zero.slopes.iter().all(|slope| slope.is_finite()));
}

#[test]
fn a_nan_stays_visible() {
    let mut vectors = vectors();
    vectors[7] = f32::NAN;
    assert!(mean(&compare(&vectors, &PATIENTS, 0.2).losses).is_nan());
}

#[test]
fn batches_of_an_evaluation_are_nearly_alike() {
    let all: Vec<usize> = (0..10).collect();
    let lengths = |most| evenly(&all, most).map(<[usize]>::len).collect::<Vec<_>>();
    assert_eq!(lengths(4), [3, 3, 4]);
    assert_eq!((lengths(10), lengths(64)), (vec![10], vec![10]));
    assert_eq!(evenly(&all, 4).flatten().copied().collect::<Vec<_>>(), all);
    assert_eq!(evenly(&[], 4).count(), 0);
}

/// Twelve patients with two radiographs each, in the training part.
fn examples(folder: &std::path::Path, plan: &StudyPlan) -> Examples {
    let source = DatasetSource {
        folder: folder.to_owned(),
        key: DatasetKey::from_bytes(&[9; 32]).unwrap(),
    };
    let side = plan.network.input_side;
    let mut writer = ShardWriter::create(folder, side, Preprocessing::LetterboxV1, &source.key, b"").unwrap();
    for number in 0..24_u32 {
        let record = ShardRecord {
            radiograph: format!("r{number}"),
            patient: format!("p{}", number % 12),
            part: Part::Training,
            labels: Labels::default(),
        };
        let square: Vec<u16> = (0..side * side)
            .map(|place| (place * (number % 12 * 331 + 17) % 60_000) as u16)
            .collect();
        writer.add(&record, &square).unwrap();
    }
    writer.finish().unwrap();
    Examples::open(plan, &source).unwrap()
}

#[test]
fn the_slices_of_a_batch_add_up_to_what_it_gives_whole() {
    let mut plan: StudyPlan = serde_json::from_str(include_str!("../probe.json")).unwrap();
    let asked = Contrastive {
        temperature: 0.2,
        dimension: 16,
        positives: Positives::Patient,
    };
    plan.heads.clear();
    plan.pretext = Some(Pretext::Contrastive(asked));
    plan.augmentation = Augmentation::XrSslV1;
    plan.local.batch_size = 13;
    assert_eq!(plan.faults(), []);
    let folder = tempfile::tempdir().unwrap();
    let examples = examples(&folder.path().join("set"), &plan);
    let positions = examples.labelled(Part::Training);
    let pairs = Pairs::of(&examples, &positions, asked.positives);
    assert_eq!(pairs.patients(), 12);
    let losses = Losses::new(&plan, &[]);
    let parameters = snowball_layout::Layout::of(&plan).initial_parameters(3);
    // 26 views: three slices and a rest.
    let batch = &positions[5..18];
    let of = |is_cpu: bool| {
        let place = Place { is_cpu, ..Place::cpu() };
        let places = Places::of(vec![place]).unwrap();
        let passes = Passes {
            plan: &plan,
            examples: &examples,
            losses: &losses,
            places: &places,
            seed: JobSeed::new(plan.seed, 4),
            groups: None,
            pairs: Some(&pairs),
        };
        passes.step(0, &parameters, batch, 26).unwrap()
    };
    let (sliced, whole) = (of(true), of(false));
    assert!(
        (sliced.loss - whole.loss).abs() < 1e-5,
        "{} {}",
        sliced.loss,
        whole.loss
    );
    let largest = whole
        .gradient
        .iter()
        .fold(0.0_f32, |largest, slope| largest.max(slope.abs()));
    assert!(largest > 0.0);
    for (one, other) in sliced.gradient.iter().zip(&whole.gradient) {
        assert!((one - other).abs() < 1e-4 * largest, "{one} {other}");
    }
}
