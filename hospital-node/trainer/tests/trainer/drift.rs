//! The correction of drift (SCAFFOLD) in each step.

use super::*;

/// SCAFFOLD: whatever the slope, and however it was bounded, each step goes its rate times the correction further, also where this site
/// has nothing to learn from; and steps that are corrected add up.
#[test]
fn every_step_is_corrected_everywhere_after_the_bound_of_the_slope() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    // No knee: its row of the head is not learned here.
    dataset(&data, &[BodyPart::Chest, BodyPart::Hand]);
    let mut plan = plan();
    plan.optimiser.rule = OptimiserRule::Sgd { momentum: 0.0 };
    plan.optimiser.learning_rate = 0.1;
    plan.optimiser.schedule = Schedule::Constant;
    assert_eq!(plan.faults(), []);
    let parameters = Layout::of(&plan).initial_parameters(plan.seed);
    let correction: Vec<f32> = (0..parameters.len())
        .map(|place| (place % 7) as f32 * 0.01 - 0.03)
        .collect();
    let trained = |steps, corrects| {
        let job = TrainJob {
            corrects,
            ..job(&plan, &data, steps)
        };
        let blocks = [&parameters[..], &correction[..]];
        run_with(&Job::Train(job), &blocks[..1 + usize::from(corrects)])
            .parameters
            .unwrap()
    };
    let (plain, corrected) = (trained(1, false), trained(1, true));
    for ((plain, corrected), correction) in plain.iter().zip(&corrected).zip(&correction) {
        let more = 0.1 * correction;
        assert!((plain - more - corrected).abs() < 1e-6, "{plain} {more} {corrected}");
    }
    let layout = Layout::of(&plan);
    let classes = layout.tensor("heads.body_part.bias").unwrap();
    let unlearned =
        (classes.offset..classes.offset + classes.values()).find(|place| plain[*place] == parameters[*place]);
    let place = unlearned.expect("a class that this site does not have");
    let third = trained(3, true)[place];
    assert!(
        (third - (parameters[place] - 3.0 * 0.1 * correction[place])).abs() < 1e-6,
        "{third}"
    );

    let asked = TrainJob {
        corrects: true,
        ..job(&plan, &data, 1)
    };
    let outcome = run_with(&Job::Train(asked), &[&parameters, &vec![f32::NAN; parameters.len()]]);
    assert!(reason(&outcome).0.contains("NaN"));
}
