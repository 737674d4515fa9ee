//! Strong recipes, and learning without anybody's labels.

use super::*;

/// The evaluation after training by `plan` on radiographs of `parts`.
fn trained(plan: &StudyPlan, parts: &[BodyPart], steps: u32) -> Evaluation {
    assert_eq!(plan.faults(), []);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    dataset(&data, parts);
    let asked = TrainJob {
        evaluate_every: steps,
        ..job(plan, &data, steps)
    };
    let mut outcome = run(
        &Job::Train(asked),
        Some(&Layout::of(plan).initial_parameters(plan.seed)),
    );
    assert!(outcome.status.success(), "{:?}", outcome.answers.last());
    let checked = outcome.answers.drain(..).find_map(|answer| match answer {
        Answer::Checked { evaluation, .. } => Some(evaluation),
        _ => None,
    });
    checked.unwrap()
}

#[test]
fn parts_are_learned_from_pictures_that_are_varied_strongly_and_mixed() {
    let mut plan = plan();
    plan.augmentation = snowball_protocol::plan::Augmentation::XrStrongV1;
    let seen = recall(&trained(&plan, &[BodyPart::Chest, BodyPart::Hand, BodyPart::Knee], 200));
    assert!(seen > 0.7, "{seen}");
}

#[test]
fn quarter_turns_and_the_order_of_tiles_are_learned_without_any_label() {
    // Bars across lie down when they are turned; a disc in the middle goes to the corners with its tiles.
    for (label, classes, part) in [
        (LabelName::Rotation, ["0", "90"], BodyPart::Chest),
        (LabelName::Jigsaw, ["1234", "4321"], BodyPart::Knee),
    ] {
        let mut plan = plan();
        plan.augmentation = snowball_protocol::plan::Augmentation::XrSslV1;
        plan.heads.truncate(1);
        plan.heads[0].label = label;
        plan.heads[0].kind = HeadKind::Classes(classes.into_iter().map(str::to_owned).collect());
        let evaluation = trained(&plan, &[part], 80);
        let accuracy = evaluation
            .head(label)
            .and_then(HeadEvaluation::balanced_accuracy)
            .unwrap();
        assert!(accuracy > 0.9, "{label:?}: {evaluation:?}");
        // Every radiograph counts, also those without a label of their own.
        assert_eq!(evaluation.images, 30);
    }
}

/// The same bars and discs with no label at all, and a plan that hides half of each.
fn unlabelled(folder: &Path, decoder: Decoder) -> StudyPlan {
    let mut writer = writer(folder);
    for number in 0..60 {
        let body_part = [BodyPart::Chest, BodyPart::Hand, BodyPart::Knee][number % 3];
        let record = ShardRecord {
            radiograph: format!("r{number}"),
            patient: format!("p{number}"),
            part: [Part::Training, Part::Training, Part::Validation][number / 3 % 3],
            labels: Labels::default(),
        };
        writer.add(&record, &picture(body_part, 20.0, number)).unwrap();
    }
    writer.finish().unwrap();
    let mut plan = plan();
    plan.heads.clear();
    let masked = Some(Masked { patch: 4, share: 0.5 });
    plan.pretext = Some(Pretext::Reconstruction(Reconstruction { decoder, masked }));
    plan.augmentation = snowball_protocol::plan::Augmentation::None;
    assert_eq!(plan.faults(), []);
    plan
}

#[test]
fn radiographs_that_nobody_labelled_are_drawn_again_better_than_by_their_means() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    for decoder in [Decoder::Plain, Decoder::UNet] {
        let plan = unlabelled(&data, decoder);
        let parameters = Layout::of(&plan).initial_parameters(plan.seed);
        let asked = TrainJob {
            evaluate_first: true,
            evaluate_every: 100,
            threads: 2,
            ..job(&plan, &data, 100)
        };
        let outcome = run(&Job::Train(asked), Some(&parameters));
        let errors: Vec<(f64, f64)> = outcome
            .answers
            .iter()
            .filter_map(|answer| match answer {
                Answer::Checked { evaluation, .. } => evaluation.reconstruction?.mean_squared_errors(),
                _ => None,
            })
            .collect();
        let [(before, constant), (after, again)] = errors[..] else {
            panic!("{errors:?}")
        };
        eprintln!("{decoder:?}: {before:.3} to {after:.3}, the mean {constant:.3}");
        assert_eq!(constant, again, "the same patches are hidden each time");
        assert!(after < 0.75 * constant && after < 0.75 * before);
        let Some(Answer::Trained { examples, .. }) = outcome.answers.last() else {
            panic!("not trained")
        };
        assert_eq!(*examples, 42, "every radiograph of the training part");

        let trained = outcome.parameters.unwrap();
        let of = EvaluateJob {
            plan,
            dataset: source(&data),
            part: Part::Validation,
            device: DeviceChoice::Cpu,
            threads: 1,
        };
        let outcome = run(&Job::Draw(DrawJob { of, pictures: 5 }), Some(&trained));
        let tones = outcome.parameters.unwrap();
        let [seen, shown, drawn] = [0, 1, 2].map(|square| &tones[square * SIDE * SIDE..][..SIDE * SIDE]);
        let expected = picture(BodyPart::Chest, 20.0, 6);
        assert!(
            seen.iter()
                .zip(expected)
                .all(|(tone, stored)| (tone - f32::from(stored) / 65_535.0).abs() < 1e-5)
        );
        let hidden = shown
            .iter()
            .zip(seen)
            .filter(|(shown, seen)| (*shown - *seen).abs() > 1e-5);
        assert_eq!(hidden.count(), SIDE * SIDE / 2);
        let changed = drawn.iter().zip(seen).filter(|(drawn, seen)| drawn != seen).count();
        assert!(changed > SIDE * SIDE / 4 && changed <= SIDE * SIDE / 2);
    }
}

#[test]
fn what_is_hidden_does_not_hang_on_the_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    let plan = unlabelled(&data, Decoder::Plain);
    let parameters = Layout::of(&plan).initial_parameters(plan.seed);
    let train = |threads: u32, stream: u64| {
        let asked = TrainJob {
            threads,
            stream,
            ..job(&plan, &data, 4)
        };
        run(&Job::Train(asked), Some(&parameters)).parameters.unwrap()
    };
    let first = train(1, 5);
    assert!(first == train(1, 5) && first == train(3, 5) && first != train(1, 6));
}
