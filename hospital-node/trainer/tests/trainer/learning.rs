//! What a site learns: its own classes and ages, the same on any number of threads, and nothing away from the others.

use super::*;

#[test]
fn a_site_learns_to_tell_its_parts_apart_and_its_ages() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    dataset(&data, &[BodyPart::Chest, BodyPart::Hand, BodyPart::Knee]);
    let plan = plan();
    let parameters = Layout::of(&plan).initial_parameters(plan.seed);
    let asked = TrainJob {
        evaluate_first: true,
        evaluate_every: 60,
        ..job(&plan, &data, 120)
    };
    let outcome = run(&Job::Train(asked), Some(&parameters));
    assert!(outcome.status.success());
    assert_eq!(outcome.rest, 0, "something else was printed among the answers");

    let checks: Vec<(u32, &Evaluation)> = outcome
        .answers
        .iter()
        .filter_map(|answer| {
            if let Answer::Checked { step, evaluation } = answer {
                Some((*step, evaluation))
            } else {
                None
            }
        })
        .collect();
    assert_eq!(checks.iter().map(|check| check.0).collect::<Vec<_>>(), [0, 60, 120]);
    assert!(recall(checks[2].1) > 0.95, "{:?}", checks[2].1);
    assert!(recall(checks[0].1) < 0.7, "{:?}", checks[0].1);
    let (error, constant) = checks[2]
        .1
        .head(LabelName::Age)
        .and_then(HeadEvaluation::mean_absolute_errors)
        .unwrap();
    assert!(error < 0.8 * constant, "{error} {constant}");

    let Some(Answer::Trained {
        examples,
        loss,
        seconds,
        ..
    }) = outcome.answers.last()
    else {
        panic!("{:?}", outcome.answers.last())
    };
    // Of 60 training radiographs those without any of both labels do not count: number % 10 == 9 and number % 4 == 3.
    let expected = (0..90)
        .filter(|number| number % 3 != 2 && (number % 10 != 9 || number % 4 != 3))
        .count();
    assert_eq!(*examples, expected as u64);
    assert!(*loss < 1.0 && *seconds > 0.0);
    assert!(outcome.answers.iter().any(|answer| matches!(
        answer,
        Answer::Progress {
            step: 120,
            steps: 120,
            ..
        }
    )));

    let trained = outcome.parameters.unwrap();
    let evaluate = EvaluateJob {
        plan,
        dataset: source(&data),
        part: Part::Validation,
        device: DeviceChoice::Cpu,
        threads: 2,
    };
    let outcome = run(&Job::Evaluate(evaluate), Some(&trained));
    let Some(Answer::Evaluated { evaluation }) = outcome.answers.last() else {
        panic!("{:?}", outcome.answers.last())
    };
    assert_eq!(evaluation, checks[2].1);
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    dataset(&data, &[BodyPart::Chest, BodyPart::Hand, BodyPart::Knee]);
    let plan = plan();
    let parameters = Layout::of(&plan).initial_parameters(plan.seed);
    let train = |threads: u32, stream: u64| {
        let asked = TrainJob {
            threads,
            stream,
            ..job(&plan, &data, 6)
        };
        run(&Job::Train(asked), Some(&parameters))
            .parameters
            .unwrap()
            .iter()
            .map(|value| value.to_bits())
            .collect::<Vec<_>>()
    };
    let first = train(1, 5);
    assert!(first == train(1, 5) && first == train(2, 5) && first == train(3, 5));
    assert!(first != train(1, 6));
}

#[test]
fn a_site_without_a_class_does_not_unlearn_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    dataset(&data, &[BodyPart::Chest, BodyPart::Knee]);
    for rule in [OptimiserRule::Adamw, OptimiserRule::Sgd { momentum: 0.9 }] {
        let mut plan = plan();
        plan.optimiser.rule = rule;
        let layout = Layout::of(&plan);
        let before = layout.initial_parameters(plan.seed);
        let after = run(&Job::Train(job(&plan, &data, 5)), Some(&before))
            .parameters
            .unwrap();
        let HeadKind::Classes(classes) = &plan.heads[0].kind else {
            panic!()
        };
        for (row, class) in classes.iter().enumerate() {
            for name in ["heads.body_part.weight", "heads.body_part.bias"] {
                let tensor = layout.tensor(name).unwrap();
                let length = tensor.values() / tensor.shape[0];
                let range = tensor.offset + row * length..tensor.offset + (row + 1) * length;
                // Not even weight decay touches what the site cannot learn.
                assert_eq!(before[range.clone()] == after[range], class == "HAND", "{class} {name}");
            }
        }
    }
}
