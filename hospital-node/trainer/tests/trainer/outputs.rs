//! What a network says of each radiograph, and where it looked.

use super::*;

/// What is told is what is evaluated: every radiograph of the part, in order, also one without a label.
#[test]
fn outputs_and_maps_are_told_of_every_radiograph_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    dataset(&data, &[BodyPart::Chest, BodyPart::Hand, BodyPart::Knee]);
    let plan = plan();
    let untrained = Layout::of(&plan).initial_parameters(plan.seed);
    let parameters = run(&Job::Train(job(&plan, &data, 40)), Some(&untrained))
        .parameters
        .unwrap();
    let asked = EvaluateJob {
        plan,
        dataset: source(&data),
        part: Part::Validation,
        device: DeviceChoice::Cpu,
        threads: 2,
    };
    let outcome = run(&Job::Tell(asked.clone()), Some(&parameters));
    assert!(outcome.status.success());
    let mut told: Vec<Vec<f32>> = Vec::new();
    for answer in &outcome.answers {
        if let Answer::Told { first, outputs } = answer {
            assert_eq!(*first, told.len() as u64);
            told.extend(outputs.clone());
        }
    }
    let shard = snowball_worker::shard::Shard::open(&asked.dataset).unwrap();
    let part = shard.part(Part::Validation);
    assert!(matches!(outcome.answers.last(), Some(Answer::Done { radiographs }) if *radiographs == part.len() as u64));
    assert_eq!(told.len(), part.len());
    let outcome = run(&Job::Evaluate(asked.clone()), Some(&parameters));
    let Some(Answer::Evaluated { evaluation }) = outcome.answers.last() else {
        panic!("{:?}", outcome.answers.last())
    };
    let Some(HeadEvaluation::Classes { images, classes, .. }) = evaluation.head(LabelName::BodyPart) else {
        panic!()
    };
    let HeadKind::Classes(names) = &asked.plan.heads[0].kind else {
        panic!()
    };
    let (mut labelled, mut right, mut error) = (0, 0, 0.0);
    for (row, position) in told.iter().zip(&part) {
        assert_eq!(row.len(), 4, "three probabilities and an age");
        assert!((row[..3].iter().sum::<f32>() - 1.0).abs() < 1e-5);
        let labels = &shard.records()[*position].labels;
        if let Some(truth) = labels.class(LabelName::BodyPart) {
            let said = (0..3).max_by(|one, other| row[*one].total_cmp(&row[*other])).unwrap();
            labelled += 1;
            right += u64::from(names[said] == truth);
        }
        if let Some(age) = labels.age_years {
            error += f64::from((row[3] - age).abs());
        }
    }
    assert_eq!(
        (*images, classes.iter().map(|class| class.correct).sum::<u64>()),
        (labelled, right)
    );
    let Some(HeadEvaluation::Regression { absolute_error_sum, .. }) = evaluation.head(LabelName::Age) else {
        panic!()
    };
    assert!(
        (absolute_error_sum - error).abs() < 1e-3,
        "{absolute_error_sum} {error}"
    );

    let explain = |radiographs: Vec<u32>, head| {
        let of = asked.clone();
        run(&Job::Explain(ExplainJob { of, head, radiographs }), Some(&parameters))
    };
    let outcome = explain((0..10).rev().collect(), 0);
    let maps = outcome.answers.iter().filter_map(|answer| match answer {
        Answer::Explained(map) => Some(map),
        _ => None,
    });
    let maps: Vec<_> = maps.collect();
    assert_eq!(
        maps.iter().map(|map| map.radiograph).collect::<Vec<_>>(),
        (0..10).rev().collect::<Vec<_>>()
    );
    for map in maps {
        assert_eq!(map.values.len(), (map.width * map.height) as usize);
        let row = &told[map.radiograph as usize][..3];
        assert!(
            row.iter().all(|other| *other <= row[map.output as usize]),
            "the class that the head says"
        );
    }
    for (radiographs, head) in [
        (vec![part.len() as u32], 0),
        (vec![0], 2),
        (vec![0; EXPLAINED_MAX + 1], 0),
    ] {
        assert!(reason(&explain(radiographs, head)).0.contains("not there"));
    }
}
