//! Learning on: what learns how fast, from how many labels, and when to stop.

use super::*;

/// Trains from `parameters` as `tuning` says.
fn tuned(plan: &StudyPlan, data: &Path, steps: u32, parameters: &[f32], tuning: Tuning) -> Outcome {
    let job = TrainJob {
        evaluate_every: 10,
        tuning: Some(tuning),
        ..job(plan, data, steps)
    };
    run(&Job::Train(job), Some(parameters))
}

fn at_pace(plan: &StudyPlan, pace: Pace) -> Tuning {
    Tuning {
        groups: Some(Groups::of(&Layout::of(plan), pace)),
        ..Tuning::default()
    }
}

#[test]
fn what_does_not_learn_stays_bit_for_bit_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    dataset(&data, &[BodyPart::Chest, BodyPart::Hand, BodyPart::Knee]);
    for rule in [OptimiserRule::Adamw, OptimiserRule::Sgd { momentum: 0.9 }] {
        let mut plan = plan();
        plan.optimiser.rule = rule;
        let layout = Layout::of(&plan);
        let before = layout.initial_parameters(plan.seed);
        let moved = |steps, pace| -> Vec<String> {
            let outcome = tuned(&plan, &data, steps, &before, at_pace(&plan, pace));
            let after = outcome.parameters.unwrap();
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            let mut names: Vec<String> = (layout.tensors.iter())
                .filter(|tensor| {
                    let range = tensor.offset..tensor.offset + tensor.values();
                    bits(&before[range.clone()]) != bits(&after[range])
                })
                .map(|tensor| tensor.stage().unwrap_or("heads").to_owned())
                .collect();
            names.dedup();
            names
        };
        assert_eq!(moved(5, Pace::HEADS_ALONE), ["heads"]);
        let gradual = Pace {
            unfreeze_steps: 3,
            ..Pace::default()
        };
        assert_eq!(moved(3, gradual), ["heads"]);
        assert_eq!(moved(4, gradual), ["stage4", "heads"]);
        assert_eq!(moved(7, gradual), ["stage3", "stage4", "heads"]);
        assert_eq!(moved(13, gradual), ["stage1", "stage2", "stage3", "stage4", "heads"]);
    }
}

#[test]
fn a_stage_at_half_the_rate_goes_half_as_far() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    dataset(&data, &[BodyPart::Chest, BodyPart::Hand, BodyPart::Knee]);
    let mut plan = plan();
    plan.optimiser.rule = OptimiserRule::Sgd { momentum: 0.0 };
    plan.optimiser.schedule = Schedule::Constant;
    plan.optimiser.weight_decay = 0.0;
    let layout = Layout::of(&plan);
    let before = layout.initial_parameters(plan.seed);
    let far = |pace| {
        let after = tuned(&plan, &data, 1, &before, at_pace(&plan, pace))
            .parameters
            .unwrap();
        let square = |place: usize| f64::from(after[place] - before[place]).powi(2);
        let of = |name: &str| {
            let tensor = layout.tensor(name).unwrap();
            (tensor.offset..tensor.offset + tensor.values())
                .map(square)
                .sum::<f64>()
                .sqrt()
        };
        [
            "trunk.stage4.conv.weight",
            "trunk.stage3.conv.weight",
            "heads.age.weight",
        ]
        .map(of)
    };
    let whole = far(Pace::default());
    let falling = far(Pace {
        trunk_rate: 0.5,
        rate_fall: 0.5,
        unfreeze_steps: 0,
    });
    for (place, expected) in [0.5, 0.25, 1.0].into_iter().enumerate() {
        let found = falling[place] / whole[place];
        assert!((found - expected).abs() < 1e-3, "{place}: {found}");
    }
}

#[test]
fn a_number_of_labels_is_all_that_is_learned_from() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    dataset(&data, &[BodyPart::Chest, BodyPart::Hand, BodyPart::Knee]);
    let plan = plan();
    let parameters = Layout::of(&plan).initial_parameters(plan.seed);
    let drawn = |labels| {
        let tuning = Tuning {
            draw: Some(LabelDraw { labels, seed: 3 }),
            ..Tuning::default()
        };
        tuned(&plan, &data, 10, &parameters, tuning)
    };
    let outcome = drawn(20);
    let Some(Answer::Trained { examples, .. }) = outcome.answers.last() else {
        panic!("{:?}", outcome.answers.last())
    };
    assert_eq!(*examples, 20);
    let seen = |outcome: &Outcome| {
        let checked = outcome.answers.iter().find_map(|answer| match answer {
            Answer::Checked { evaluation, .. } => Some(evaluation.images),
            _ => None,
        });
        checked.unwrap()
    };
    let all = tuned(&plan, &data, 10, &parameters, Tuning::default());
    assert_eq!(seen(&outcome), seen(&all), "the validation part stays whole");
    assert_ne!(outcome.parameters, all.parameters);
    assert!(reason(&drawn(1_000)).0.contains("1000 labels were asked for"));
}

#[test]
fn the_best_model_is_given_and_training_that_helps_no_more_ends() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    dataset(&data, &[BodyPart::Chest, BodyPart::Hand, BodyPart::Knee]);
    let plan = plan();
    let parameters = Layout::of(&plan).initial_parameters(plan.seed);
    let patient = |patience, groups| {
        let tuning = Tuning {
            patience: Some(patience),
            exchanged: false,
            groups,
            draw: None,
        };
        tuned(&plan, &data, 75, &parameters, tuning)
    };
    let outcome = patient(100, None);
    let checks: Vec<(u32, &Evaluation)> = (outcome.answers.iter())
        .filter_map(|answer| match answer {
            Answer::Checked { step, evaluation } => Some((*step, evaluation)),
            _ => None,
        })
        .collect();
    assert_eq!(
        checks.iter().map(|check| check.0).collect::<Vec<_>>(),
        [10, 20, 30, 40, 50, 60, 70, 75]
    );
    let loss = |evaluation: &Evaluation| evaluation.mean_loss().unwrap();
    let best = (checks.iter()).min_by(|a, b| loss(a.1).total_cmp(&loss(b.1))).unwrap();
    let told = |outcome: &Outcome| match outcome.answers.last() {
        Some(Answer::Trained { steps, best_step, .. }) => (*steps, best_step.unwrap()),
        other => panic!("{other:?}"),
    };
    assert_eq!(told(&outcome), (75, best.0));
    let given =
        snowball_protocol::Sha256Digest::of(&snowball_layout::to_le_bytes(outcome.parameters.as_ref().unwrap()));
    assert_eq!(given, best.1.model_digest);

    // Steps too small to change an output: the first evaluation stays the best.
    let mut groups = Groups::of(&Layout::of(&plan), Pace::default());
    groups.groups.iter_mut().for_each(|group| group.factor = 1e-30);
    assert_eq!(told(&patient(2, Some(groups))), (30, 10));
}
