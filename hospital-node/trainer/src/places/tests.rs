//! Several devices, on the processor: it stands in for GPUs as `is_cpu: false`, and is then given what a GPU is given.

use std::sync::atomic::AtomicUsize;

use snowball_layout::Layout;
use snowball_protocol::{
    StudyPlan,
    labels::{BodyPart, Labels},
    plan::{Augmentation, Contrastive, Decoder, Masked, Positives, Preprocessing, Pretext, Reconstruction},
};
use snowball_worker::{
    job::{Answer, TrainJob},
    key::{DatasetKey, DatasetSource},
    pipe,
    shard::{Part, ShardRecord, ShardWriter},
};

use super::*;
use crate::{answers::Answers, evaluate::evaluate, examples::Examples, train::train};

fn like_a_gpu(number: u32) -> Place {
    Place {
        name: format!("stand-in {number}"),
        is_cpu: false,
        number,
        ..Place::cpu()
    }
}

fn several(count: u32, place: impl Fn(u32) -> Place) -> Places {
    Places::of((0..count).map(place).collect()).unwrap()
}

/// The probe's plan with learning in it: batches that leave a rest, and pictures that are mixed in eights.
fn plan() -> StudyPlan {
    let mut plan: StudyPlan = serde_json::from_str(include_str!("../probe.json")).unwrap();
    plan.augmentation = Augmentation::XrStrongV1;
    plan.optimiser.learning_rate = 5e-3;
    plan.local.batch_size = 44;
    assert_eq!(plan.faults(), []);
    plan
}

/// Sixty patients of two radiographs; chests have bars across, hands have bars down.
fn dataset(folder: &std::path::Path, plan: &StudyPlan) -> DatasetSource {
    let source = DatasetSource {
        folder: folder.join("set"),
        key: DatasetKey::from_bytes(&[9; 32]).unwrap(),
    };
    let side = plan.network.input_side;
    let mut writer = ShardWriter::create(&source.folder, side, Preprocessing::LetterboxV1, &source.key, b"").unwrap();
    for number in 0..120_u32 {
        let is_chest = number % 2 == 0;
        let record = ShardRecord {
            radiograph: format!("r{number}"),
            patient: format!("p{}", number % 60),
            part: if number % 3 == 2 {
                Part::Validation
            } else {
                Part::Training
            },
            labels: Labels {
                body_part: (number % 10 != 9).then_some(if is_chest { BodyPart::Chest } else { BodyPart::Hand }),
                age_years: (number % 4 != 3).then_some((number * 7 % 80) as f32),
                ..Labels::default()
            },
        };
        let along = |place: u32| if is_chest { place / side } else { place % side };
        let square: Vec<u16> = (0..side * side)
            .map(|place| {
                if (along(place) + number % 5) / 4 % 2 == 0 {
                    50_000
                } else {
                    (number * 97) as u16
                }
            })
            .collect();
        writer.add(&record, &square).unwrap();
    }
    writer.finish().unwrap();
    source
}

/// The losses of each step's answer that was said, the answer at the end, and the parameters.
fn trained(plan: &StudyPlan, source: &DatasetSource, steps: u32, places: &Places) -> (f64, String, Vec<f32>) {
    let job = TrainJob {
        plan: plan.clone(),
        dataset: source.clone(),
        stream: 5,
        steps_before: 0,
        steps_total: u64::from(steps),
        steps,
        corrects: false,
        evaluate_first: false,
        evaluate_every: 0,
        device: DeviceChoice::Cpu,
        threads: 0,
        tuning: None,
    };
    let first = Layout::of(plan).initial_parameters(plan.seed);
    let mut bytes = Vec::new();
    train(&job, first.clone(), None, places, &mut Answers::new(&mut bytes)).unwrap();
    let mut read = bytes.as_slice();
    loop {
        if let Answer::Trained { loss, device, .. } = pipe::receive(&mut read).unwrap() {
            let parameters = pipe::receive_parameters(&mut read, first.len()).unwrap();
            return (loss, device, parameters);
        }
    }
}

/// Plans whose steps go each way through the passes.
fn plans() -> Vec<StudyPlan> {
    let mut contrastive = plan();
    contrastive.heads.clear();
    contrastive.augmentation = Augmentation::XrSslV1;
    contrastive.pretext = Some(Pretext::Contrastive(Contrastive {
        temperature: 0.2,
        dimension: 16,
        positives: Positives::Patient,
    }));
    let mut redrawing = plan();
    redrawing.heads.clear();
    redrawing.augmentation = Augmentation::XrLightV1;
    redrawing.pretext = Some(Pretext::Reconstruction(Reconstruction {
        decoder: Decoder::UNet,
        masked: Some(Masked { patch: 8, share: 0.5 }),
    }));
    let plans = vec![plan(), contrastive, redrawing];
    plans.iter().for_each(|plan| assert_eq!(plan.faults(), []));
    plans
}

#[test]
fn one_two_and_three_processors_give_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    for (number, plan) in plans().into_iter().enumerate() {
        let folder = folder.path().join(number.to_string());
        std::fs::create_dir(&folder).unwrap();
        let source = dataset(&folder, &plan);
        let examples = Examples::open(&plan, &source).unwrap();
        let of = |count| {
            let places = several(count, |_| Place::cpu());
            let (loss, device, parameters) = trained(&plan, &source, 3, &places);
            let quality = evaluate(&plan, &examples, &places, &parameters, Part::Validation).unwrap();
            assert_eq!(device.matches("CPU").count(), count as usize, "{device}");
            (loss.to_bits(), parameters, serde_json::to_string(&quality).unwrap())
        };
        let one = of(1);
        assert_ne!(one.1, Layout::of(&plan).initial_parameters(plan.seed));
        for count in [2, 3] {
            let several = of(count);
            assert!(several == one, "{count} processors learn another model");
        }
    }
}

/// The largest distance of two lists, as a share of the largest value.
fn apart(one: &[f32], other: &[f32]) -> f32 {
    let largest = other.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    let apart = one.iter().zip(other).map(|(one, other)| (one - other).abs());
    apart.fold(0.0_f32, f32::max) / largest
}

#[test]
fn gpus_share_a_step_and_learn_what_one_learns() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan();
    let source = dataset(folder.path(), &plan);
    let (loss, device, parameters) = trained(&plan, &source, 3, &several(1, like_a_gpu));
    assert_eq!(device, "stand-in 0");
    let (shared_loss, device, shared) = trained(&plan, &source, 3, &several(3, like_a_gpu));
    assert_eq!(device, "3 devices: stand-in 0 and stand-in 1 and stand-in 2");
    // Sums in another order round otherwise, and AdamW's first steps go the same length however small a slope is.
    assert!((loss / shared_loss - 1.0).abs() < 1e-4, "{loss} and {shared_loss}");
    assert!(apart(&shared, &parameters) < 1e-2, "{}", apart(&shared, &parameters));
}

#[test]
fn a_step_is_dealt_out_in_eights() {
    let sizes = |count, pictures| several(count, like_a_gpu).slice_size(pictures);
    assert_eq!((sizes(1, 44), sizes(2, 44), sizes(3, 44)), (44, 24, 16));
    assert_eq!((sizes(2, 32), sizes(4, 32), sizes(8, 32)), (16, 8, 8));
    assert_eq!(several(2, |_| Place::cpu()).slice_size(44), SLICE);
}

#[test]
fn slices_go_to_devices_in_turn_and_come_back_in_order() {
    let items: Vec<usize> = (0..11).collect();
    for count in 1..=4 {
        let places = several(count, like_a_gpu);
        let done = places.share(&items, |place, item| Ok((place.number, *item))).unwrap();
        let expected: Vec<(u32, usize)> = (0..11).map(|item| (item as u32 % count, item)).collect();
        assert_eq!(done, expected);
    }
    let none: Vec<usize> = several(3, like_a_gpu).share(&[], |_, item: &usize| Ok(*item)).unwrap();
    assert!(none.is_empty());
}

#[test]
fn a_device_that_fails_or_panics_ends_the_work_and_is_named() {
    for count in [1, 2, 3] {
        let places = several(count, like_a_gpu);
        let last = count - 1;
        let fails = |panics: bool| {
            let failure = places.share(&[0, 1, 2, 3, 4, 5], |place, _| match place.number == last {
                true if panics => panic!("the driver is gone"),
                true => Err(Failure::new("no values came back", "look at it")),
                false => Ok(()),
            });
            failure.err().unwrap()
        };
        let told = fails(false);
        assert_eq!(told.reason, format!("stand-in {last}: no values came back"));
        let broken = fails(true);
        assert_eq!(broken.reason, format!("stand-in {last} failed in the tensor library"));
        assert!(!broken.remedy.is_empty());
    }
}

#[test]
fn gpus_are_opened_by_number_each_once_it_is_found_sound() {
    let listed: Vec<Place> = (0..3).map(like_a_gpu).collect();
    let asked = |adapters: &[u32], precision| Gpus {
        adapters: adapters.to_vec(),
        precision,
    };
    let places = Places::among(&listed, &asked(&[2, 0], Precision::Full)).unwrap();
    assert_eq!(places.name(), "2 devices: stand-in 2 and stand-in 0");
    assert!(places.all.iter().all(|place| place.halves.is_none()));
    let places = Places::among(&listed, &asked(&[1], Precision::Mixed)).unwrap();
    assert_eq!(places.name(), "stand-in 1, in mixed precision (bf16)");
    let formats = [Halves::Bf16, Halves::F16];
    let unlike = several(2, |number| Place {
        halves: Some(formats[number as usize]),
        ..like_a_gpu(number)
    });
    assert_eq!(
        unlike.name(),
        "2 devices: stand-in 0 in mixed precision (bf16) and stand-in 1 in mixed precision (f16)"
    );
    let reason = |listed: &[Place], gpus| Places::among(listed, &gpus).err().unwrap().reason;
    assert!(reason(&listed, asked(&[0, 3], Precision::Full)).contains("no GPU 3; 3 are listed"));
    assert!(reason(&listed, asked(&[], Precision::Full)).contains("names no device"));
    // A processor computes in no halves; that is a failure, and full precision does not stand in unasked.
    let processors = vec![Place::cpu()];
    let refused = reason(&processors, asked(&[0], Precision::Mixed));
    assert!(refused.contains("mixed precision"), "{refused}");
}

#[test]
fn a_training_in_halves_goes_as_one_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan();
    plan.augmentation = Augmentation::None;
    let source = dataset(folder.path(), &plan);
    let first = trained(&plan, &source, 1, &several(1, like_a_gpu)).0;
    let (full, _, parameters) = trained(&plan, &source, 30, &several(1, like_a_gpu));
    for halves in [Halves::Bf16, Halves::F16] {
        let places = several(2, |number| Place {
            halves: Some(halves),
            ..like_a_gpu(number)
        });
        let (loss, device, rounded) = trained(&plan, &source, 30, &places);
        assert!(
            device.ends_with(&format!("in mixed precision ({})", halves.code())),
            "{device}"
        );
        assert_ne!(rounded, parameters, "nothing was done in halves");
        // What was learned in 30 steps is the same to a twentieth.
        assert!(full < 0.5 * first, "{first} to {full}");
        assert!(
            (loss - full).abs() < 0.05 * (first - full),
            "{loss} in {}, {full} in full",
            halves.code()
        );
    }
}

#[test]
fn what_overflows_in_halves_is_done_again_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan();
    let source = dataset(folder.path(), &plan);
    let examples = Examples::open(&plan, &source).unwrap();
    let losses = crate::loss::Losses::new(&plan, &examples.known(&plan));
    let mut parameters = Layout::of(&plan).initial_parameters(plan.seed);
    // Group norm takes the size of a convolution's outputs away again: in full nothing comes of it, and 1e6 is no f16.
    let first = Layout::of(&plan).tensor("trunk.stage1.conv.weight").unwrap().clone();
    parameters[first.offset..first.offset + first.values()]
        .iter_mut()
        .for_each(|weight| *weight *= 1e6);
    let batch = examples.labelled(Part::Training);
    let step = |halves| {
        let places = several(2, |number| Place {
            halves,
            ..like_a_gpu(number)
        });
        let passes = crate::passes::Passes {
            plan: &plan,
            examples: &examples,
            losses: &losses,
            places: &places,
            seed: crate::random::JobSeed::new(plan.seed, 4),
            groups: None,
            pairs: None,
        };
        let step = passes.step(0, &parameters, &batch[..24], 0).unwrap();
        (step, places.again_in_full())
    };
    let ((full, never), (again, times)) = (step(None), step(Some(Halves::F16)));
    let (bf16, nor_here) = step(Some(Halves::Bf16));
    // Two devices, a slice of 16 for the one and of 8 for the other.
    assert_eq!((never, times, nor_here), (0, 2, 0));
    assert!(full.is_finite() && bf16.is_finite());
    assert_eq!(again.gradient, full.gradient);
    assert_ne!(bf16.gradient, full.gradient);
    // Nothing is done twice where nothing overflowed, nor in full.
    let times = AtomicUsize::new(0);
    let count = |place: &Place| -> Result<f32, Failure> {
        times.fetch_add(1, Ordering::SeqCst);
        Ok(if place.halves.is_some() { f32::NAN } else { 1.0 })
    };
    let halved = Place {
        halves: Some(Halves::F16),
        ..like_a_gpu(0)
    };
    assert_eq!(halved.pass(count, |value| value.is_finite()).unwrap(), 1.0);
    assert_eq!(times.swap(0, Ordering::SeqCst), 2);
    halved.pass(count, |_| true).unwrap();
    like_a_gpu(0).pass(count, |_| false).unwrap();
    assert_eq!(times.load(Ordering::SeqCst), 2);
    assert_eq!(halved.again_in_full.load(Ordering::SeqCst), 1);
}
