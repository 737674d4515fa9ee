//! Masks, learned and drawn.

use snowball_protocol::site_label::{SiteLabelName, SiteValue};
use snowball_worker::job::SegmentJob;

use super::*;

/// The corner of a bright L on a noisy ground, and its mask: 1 where it stands, 2 where it lies.
fn letter(number: usize) -> (Vec<u16>, Vec<u8>) {
    let (top, left) = (3 + number * 5 % 12, 3 + number * 7 % 12);
    let class = |row: usize, column: usize| {
        let stands = (top..top + 12).contains(&row) && (left..left + 4).contains(&column);
        let lies = (top + 8..top + 12).contains(&row) && (left + 4..left + 12).contains(&column);
        if stands {
            1
        } else if lies {
            2
        } else {
            0
        }
    };
    let mask: Vec<u8> = (0..SIDE * SIDE)
        .map(|place| class(place / SIDE, place % SIDE))
        .collect();
    let noise = |place: usize| (place * 7_919 + number * 104_729) % 9_000;
    let square = mask.iter().enumerate();
    let square = square.map(|(place, class)| 8_000 + noise(place) as u16 + u16::from(*class > 0) * 36_000);
    (square.collect(), mask)
}

fn masked(folder: &Path) -> StudyPlan {
    let name: SiteLabelName = "site_letter".parse().unwrap();
    let mut writer = writer(folder);
    writer.with_masks().unwrap();
    for number in 0..60 {
        let (square, mask) = letter(number);
        let mut labels = Labels::default();
        // One in ten was never outlined: it is no zero, it is unknown.
        if number % 10 != 9 {
            let value = SiteValue::Mask {
                mask: snowball_protocol::Sha256Digest::of(&mask),
                largest: 2,
            };
            labels.site.insert(name, value);
        }
        let record = ShardRecord {
            radiograph: format!("r{number}"),
            patient: format!("p{}", number / 2),
            part: [Part::Training, Part::Training, Part::Validation][number / 2 % 3],
            labels,
        };
        let nothing = vec![0; SIDE * SIDE];
        writer.add(&record, &square).unwrap();
        writer
            .add_mask(if number % 10 == 9 { &nothing } else { &mask })
            .unwrap();
    }
    writer.finish().unwrap();
    let mut plan = plan();
    // What draws begins small: with 0.005 it does not reach a mask in so few steps.
    plan.optimiser.learning_rate = 0.03;
    plan.heads.truncate(1);
    plan.heads[0].label = LabelName::Site(name);
    plan.heads[0].kind = HeadKind::Mask {
        classes: ["stands", "lies"].map(str::to_owned).to_vec(),
    };
    assert_eq!(plan.faults(), []);
    plan
}

#[test]
fn masks_are_drawn_far_better_than_the_constant_and_do_not_depend_on_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    let plan = masked(&data);
    let first = Layout::of(&plan).initial_parameters(plan.seed);
    let train = |threads: u32, steps: u32| {
        let job = TrainJob {
            threads,
            ..job(&plan, &data, steps)
        };
        run(&Job::Train(job), Some(&first)).parameters.unwrap()
    };
    assert_eq!(train(1, 3), train(2, 3));
    let learned = train(2, 150);
    let of = |part| EvaluateJob {
        plan: plan.clone(),
        dataset: source(&data),
        part,
        device: DeviceChoice::Cpu,
        threads: 2,
    };
    let outcome = run(&Job::Evaluate(of(Part::Validation)), Some(&learned));
    let Some(Answer::Evaluated { evaluation }) = outcome.answers.last() else {
        panic!("{:?}", outcome.answers);
    };
    let dices = evaluation.heads[0].dice();
    assert_eq!((dices.len(), dices[0].0, dices[1].0), (2, "stands", "lies"));
    for (class, dice) in &dices {
        assert!(dice.mean > 0.8 && dice.mean > dice.constant + 0.3, "{class}: {dice:?}");
        let (low, high) = dice.interval.unwrap();
        assert!(low <= dice.mean && dice.mean <= high);
    }
    let HeadEvaluation::Mask { images, patients, .. } = evaluation.heads[0] else {
        panic!("{evaluation:?}");
    };
    assert_eq!((images, patients), (18, 10), "the unknown ones count nothing");

    let asked = SegmentJob {
        of: of(Part::Validation),
        radiographs: vec![0, 19, 5],
    };
    let drawn = run(&Job::Segment(asked), Some(&learned)).parameters.unwrap();
    assert_eq!(drawn.len(), 3 * SIDE * SIDE);
    // The first of the validation part is radiograph 4, the twentieth 59.
    for (square, number) in drawn.chunks(SIDE * SIDE).zip([4, 59, 17]) {
        let apart = square
            .iter()
            .zip(letter(number).1)
            .filter(|(drawn, class)| **drawn != f32::from(*class));
        assert!(apart.count() < SIDE * SIDE / 12, "{number}");
    }
    let beyond = SegmentJob {
        of: of(Part::Validation),
        radiographs: vec![20],
    };
    let refused = run(&Job::Segment(beyond), Some(&learned));
    assert!(matches!(refused.answers.last(), Some(Answer::Failed { .. })));
}
