//! What the sum must hold, whatever comes.

use proptest::prelude::*;
use snowball_protocol::{
    limits::{EXAMPLES_MAX, SITES_MAX},
    plan,
};

use super::{RunningMean, StrategyFault};
use crate::{intake::tests::admitted, testing};

/// One site's part: examples and numbers.
type Part = (u64, Vec<f32>);

fn plan_for(updates_max: u32) -> plan::StudyPlan {
    let mut plan = testing::plan();
    plan.rounds.updates.max = updates_max;
    plan.rounds.sites.max = updates_max;
    plan
}

fn averaged(plan: &plan::StudyPlan, parts: &[(usize, Part)], global: &[f32]) -> Vec<f32> {
    let mut sum = RunningMean::new(plan, global.len());
    for (site, (examples, values)) in parts {
        sum.fold_all(&admitted(plan, *site, *examples, values), values).unwrap();
    }
    sum.finish(global).unwrap()
}

fn parts() -> impl Strategy<Value = (Vec<(usize, Part)>, Vec<f32>)> {
    (1_usize..40).prop_flat_map(|parameters| {
        let values = prop::collection::vec(prop_oneof![-10.0_f32..10.0, -1e-6_f32..1e-6, Just(0.0)], parameters);
        let parts = prop::collection::vec((1_u64..=1000, values), 1..12);
        let global = prop::collection::vec(-5.0_f32..5.0, parameters);
        (parts, global).prop_map(|(parts, global)| (parts.into_iter().enumerate().collect(), global))
    })
}

proptest! {
    #[test]
    fn the_order_of_arrival_changes_no_bit((parts, global) in parts(), seed in any::<u64>()) {
        let plan = plan_for(16);
        let mut shuffled = parts.clone();
        shuffled.sort_by_key(|(site, _)| (*site as u64 + 1).wrapping_mul(seed | 1).rotate_left(17));
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        prop_assert_eq!(bits(averaged(&plan, &parts, &global)), bits(averaged(&plan, &shuffled, &global)));
    }

    #[test]
    fn the_mean_is_the_one_in_binary64((parts, global) in parts()) {
        let next = averaged(&plan_for(16), &parts, &global);
        let examples: f64 = parts.iter().map(|(_, (examples, _))| *examples as f64).sum();
        for (index, parameter) in next.iter().enumerate() {
            let sum: f64 = parts.iter().map(|(_, (examples, values))| *examples as f64 * f64::from(values[index])).sum();
            let expected = f64::from(global[index]) + sum / examples;
            let tolerance = expected.abs() * f64::from(f32::EPSILON) + 1e-9;
            prop_assert!((f64::from(*parameter) - expected).abs() <= tolerance, "{parameter} is not {expected}");
        }
    }

    #[test]
    fn rounding_is_that_of_ieee_754(value in -(2_f64.powi(50))..2_f64.powi(50)) {
        prop_assert_eq!(super::running_mean::rounded(value), value.round_ties_even() as i64);
    }
}

#[test]
fn one_hot_sums_show_every_lost_and_every_doubled_update() {
    let sites = 64;
    let plan = plan_for(64);
    let one_hot = |hot: usize| (0..sites).map(|index| f32::from(index == hot)).collect::<Vec<f32>>();
    let mut sum = RunningMean::new(&plan, sites);
    for site in (0..sites).rev() {
        let values = one_hot(site);
        let update = admitted(&plan, site, 1, &values);
        sum.fold_all(&update, &values).unwrap();
        let again = sum.fold_all(&update, &values);
        assert!(matches!(again, Err(StrategyFault::CountedTwice { .. })));
    }
    let mean = sum.finish(&vec![0.0; sites]).unwrap();
    let counts: Vec<f32> = mean.iter().map(|value| value * sum.examples() as f32).collect();
    assert_eq!(counts, vec![1.0; sites]);
    assert_eq!(
        sum.fold_all(&admitted(&plan, 99, 1, &one_hot(0)), &one_hot(0)),
        Err(StrategyFault::Full)
    );
}

#[test]
fn the_sum_holds_at_the_limits_of_the_protocol() {
    let mut plan = plan_for(SITES_MAX);
    plan.strategy = plan::Strategy::fed_avg(EXAMPLES_MAX, 1e4);
    assert_eq!(plan.faults(), vec![]);
    let mut sum = RunningMean::new(&plan, 1);
    for site in 0..SITES_MAX as usize {
        sum.fold_all(&admitted(&plan, site, EXAMPLES_MAX, &[1e4]), &[1e4])
            .unwrap();
    }
    assert_eq!(sum.finish(&[-1e4]).unwrap(), [0.0]);
    assert_eq!(sum.examples(), EXAMPLES_MAX * u64::from(SITES_MAX));
}

#[test]
fn a_broken_fold_never_reaches_a_model() {
    let plan = plan_for(4);
    let values = [1.0, 2.0, 3.0];
    let update = admitted(&plan, 0, 5, &values);
    let good = admitted(&plan, 1, 5, &values);

    let mut sum = RunningMean::new(&plan, 3);
    drop(sum.fold(&update));
    sum.fold_all(&good, &values).unwrap();
    let mut fold = sum.fold(&update);
    fold.chunk(&values[..2]).unwrap();
    assert_eq!(fold.commit(), Err(StrategyFault::WrongLength));
    assert_eq!(sum.finish(&[0.0; 3]), Err(StrategyFault::Spoilt));
    assert_eq!(sum.fold_all(&update, &values), Err(StrategyFault::Spoilt));

    let mut sum = RunningMean::new(&plan, 3);
    assert_eq!(sum.finish(&[0.0; 3]), Err(StrategyFault::Empty));
    assert_eq!(
        sum.fold_all(&update, &[f32::NAN, 0.0, 0.0]),
        Err(StrategyFault::OutOfBounds)
    );
    assert_eq!(
        sum.fold_all(&update, &[101.0, 0.0, 0.0]),
        Err(StrategyFault::OutOfBounds)
    );
    assert_eq!(sum.fold_all(&update, &[0.0; 4]), Err(StrategyFault::WrongLength));
    assert_eq!(
        sum.finish(&[0.0; 3]),
        Err(StrategyFault::Empty),
        "nothing was added, so nothing is spoilt"
    );
    assert_eq!(
        sum.fold_all(&update, &[1.0, 2.0, 3.5]),
        Err(StrategyFault::ChangedOnDisk)
    );
    assert_eq!(sum.finish(&[0.0; 3]), Err(StrategyFault::Spoilt));
}

#[test]
fn bytes_in_any_pieces_give_the_same_model() {
    let plan = plan_for(4);
    let (first, second) = ([1.0_f32, 0.0, 0.0], [0.0_f32, 1.0, 0.0]);
    let mut sum = RunningMean::new(&plan, 3);
    for (site, values) in [&first, &second].into_iter().enumerate() {
        let update = admitted(&plan, site, 10, values);
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let mut fold = sum.fold(&update);
        for piece in bytes.chunks(5) {
            fold.bytes(piece).unwrap();
        }
        fold.commit().unwrap();
    }
    assert_eq!(sum.finish(&[0.0; 3]).unwrap(), [0.5, 0.5, 0.0]);
}
