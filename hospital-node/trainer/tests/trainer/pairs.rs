//! Pairs of radiographs of one patient, found among those of others.

use snowball_protocol::plan::{Augmentation, Contrastive, Positives};

use super::*;

const PATIENTS: usize = 60;

/// What is a patient's own: how bars run and how wide they are. What is a radiograph's own: where they begin, and a bright spot.
fn bars(patient: usize, radiograph: usize) -> Vec<u16> {
    // Steps of the golden ratio lie evenly, however many there are.
    let share = |number: usize, step: f32| (number as f32 * step).fract();
    let (angle, period) = (share(patient, 0.618_034) * 3.1, 5.0 + 7.0 * share(patient, 0.754_878));
    let phase = share(2 * patient + radiograph, 0.569_84) * period;
    let spot = (2 * patient + radiograph) * 97 % (SIDE * SIDE);
    (0..SIDE * SIDE)
        .map(|place| {
            let (row, column) = ((place / SIDE) as f32, (place % SIDE) as f32);
            let along = row * angle.cos() + column * angle.sin() + phase;
            let is_spot = (place / SIDE).abs_diff(spot / SIDE) < 3 && (place % SIDE).abs_diff(spot % SIDE) < 3;
            let is_bar = (along / period).rem_euclid(1.0) < 0.5;
            if is_spot {
                60_000
            } else if is_bar {
                48_000
            } else {
                9_000
            }
        })
        .collect()
}

/// Two radiographs a patient; two thirds of the patients train.
fn dataset(folder: &Path) {
    let mut writer = writer(folder);
    for number in 0..2 * PATIENTS {
        let (patient, radiograph) = (number % PATIENTS, number / PATIENTS);
        let record = ShardRecord {
            radiograph: format!("r{number}"),
            patient: format!("p{patient}"),
            part: [Part::Training, Part::Training, Part::Validation][patient % 3],
            labels: Labels::default(),
        };
        writer.add(&record, &bars(patient, radiograph)).unwrap();
    }
    writer.finish().unwrap();
}

fn pairing() -> StudyPlan {
    let mut plan = plan();
    plan.heads.clear();
    plan.pretext = Some(Pretext::Contrastive(Contrastive {
        temperature: 0.2,
        dimension: 32,
        positives: Positives::Patient,
    }));
    plan.augmentation = Augmentation::XrSslV1;
    plan.local.batch_size = 20;
    assert_eq!(plan.faults(), []);
    plan
}

#[test]
fn the_other_radiograph_of_a_patient_whom_the_network_never_saw_is_found_more_often_than_by_chance() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    dataset(&data);
    let plan = pairing();
    let parameters = Layout::of(&plan).initial_parameters(plan.seed);
    let asked = TrainJob {
        evaluate_first: true,
        evaluate_every: 80,
        threads: 2,
        ..job(&plan, &data, 80)
    };
    let outcome = run(&Job::Train(asked), Some(&parameters));
    let checked: Vec<_> = outcome
        .answers
        .iter()
        .filter_map(|answer| match answer {
            Answer::Checked { evaluation, .. } => evaluation.contrast,
            _ => None,
        })
        .collect();
    let [before, after] = checked[..] else {
        panic!("{checked:?}")
    };
    let ((first, chance), (last, _)) = (before.shares_found().unwrap(), after.shares_found().unwrap());
    eprintln!(
        "found {first:.3} to {last:.3}, by chance {chance:.3}; loss {:?} to {:?}",
        before.mean_loss(),
        after.mean_loss()
    );
    assert_eq!(
        (before.images, after.images),
        (40, 40),
        "each held-back radiograph once"
    );
    // Batches of 20 radiographs: 40 views, less the own two or four.
    assert!((1.0 / 39.0..=1.0 / 37.0).contains(&chance), "{chance}");
    assert!(
        last > first && last > 5.0 * chance,
        "{first} to {last}, chance {chance}"
    );
    assert!(after.mean_loss() < before.mean_loss());
    let Some(Answer::Trained { examples, .. }) = outcome.answers.last() else {
        panic!("not trained")
    };
    assert_eq!(*examples, 80, "every radiograph of the training part");
}

#[test]
fn pairs_do_not_hang_on_the_number_of_threads_and_follow_from_the_seed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    dataset(&data);
    let plan = pairing();
    let parameters = Layout::of(&plan).initial_parameters(plan.seed);
    let train = |threads: u32, stream: u64| {
        let asked = TrainJob {
            threads,
            stream,
            ..job(&plan, &data, 3)
        };
        run(&Job::Train(asked), Some(&parameters)).parameters.unwrap()
    };
    let first = train(1, 5);
    assert!(first == train(1, 5) && first == train(3, 5) && first != train(1, 6));
}

#[test]
fn one_patient_alone_cannot_be_told_from_anybody() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    let mut writer = writer(&data);
    for radiograph in 0..4 {
        let record = ShardRecord {
            radiograph: format!("r{radiograph}"),
            patient: "p".to_owned(),
            part: Part::Training,
            labels: Labels::default(),
        };
        writer.add(&record, &bars(0, radiograph)).unwrap();
    }
    writer.finish().unwrap();
    let plan = pairing();
    let parameters = Layout::of(&plan).initial_parameters(plan.seed);
    let outcome = run(&Job::Train(job(&plan, &data, 2)), Some(&parameters));
    let (why, remedy) = reason(&outcome);
    assert!(
        why.contains("one patient alone") && remedy.contains("more patients"),
        "{why} {remedy}"
    );
}
