//! The rules of combining updates and of sending them, broken once.

use super::sound;
use crate::plan::{
    Adaptive, Combination, Drift, KeptRole, Late, OptimiserRule, ServerOptimiser, Span, StudyPlan, UpdateEncoding,
};

#[test]
fn every_broken_rule_of_a_strategy_is_named() {
    let broken = |change: fn(&mut StudyPlan)| {
        let mut plan = sound();
        plan.rounds.sites = Span { min: 5, max: 9 };
        plan.rounds.updates = Span { min: 5, max: 9 };
        change(&mut plan);
        plan.faults().into_iter().map(|fault| fault.field).collect::<Vec<_>>()
    };
    let adaptive = |learning_rate, beta_2| {
        ServerOptimiser::Yogi(Adaptive {
            learning_rate,
            beta_1: 0.9,
            beta_2,
            adaptivity: 1e-3,
        })
    };
    assert_eq!(
        broken(|plan| plan.strategy.clip_norm = Some(101.0)),
        ["strategy.clip_norm"]
    );
    assert_eq!(
        broken(|plan| plan.strategy.combine = Combination::TrimmedMean { share: 0.5 }),
        ["strategy.combine.trimmed_mean.share"]
    );
    assert_eq!(
        broken(|plan| plan.strategy.combine = Combination::Krum { hostile: 2 }),
        ["strategy.combine.krum.hostile"]
    );
    assert!(broken(|plan| plan.strategy.combine = Combination::Krum { hostile: 1 }).is_empty());
    assert_eq!(
        broken(|plan| plan.strategy.combine = Combination::MultiKrum { hostile: 1, kept: 5 }),
        ["strategy.combine.multi_krum.kept"]
    );
    let mut plan = sound();
    for (server, field) in [
        (adaptive(0.0, 0.99), "strategy.server.learning_rate"),
        (adaptive(0.1, 1.0), "strategy.server.beta_2"),
    ] {
        plan.strategy.server = server;
        assert_eq!(
            plan.faults().iter().map(|fault| fault.field).collect::<Vec<_>>(),
            [field]
        );
    }
    assert_eq!(broken(|plan| plan.local.epochs = Some(0.0)), ["local.epochs"]);
    assert_eq!(broken(|plan| plan.local.proximal = Some(f64::NAN)), ["local.proximal"]);
    assert_eq!(
        broken(|plan| plan.local.keep = vec![KeptRole::Normalisation; 2]),
        ["local.keep"]
    );
}

#[test]
fn every_broken_rule_of_a_transfer_is_named() {
    let fields = |share, combine| {
        let mut plan = sound();
        plan.transfer.encoding = UpdateEncoding::TopK { share };
        plan.strategy.combine = combine;
        plan.faults().into_iter().map(|fault| fault.field).collect::<Vec<_>>()
    };
    assert!(fields(0.01, Combination::Mean).is_empty());
    for share in [0.0, 0.26, f64::NAN] {
        assert_eq!(fields(share, Combination::Mean), ["transfer.encoding.top_k.share"]);
    }
    for combine in [Combination::Median, Combination::TrimmedMean { share: 0.2 }] {
        assert_eq!(fields(0.01, combine), ["transfer.encoding.top_k"]);
    }
}

#[test]
fn a_plan_that_says_nothing_of_transfers_has_the_digest_that_it_had_before_they_could_be_named() {
    let text = String::from_utf8(sound().canonical_bytes()).unwrap();
    assert!(!text.contains("transfer"), "{text}");
    let mut other = sound();
    other.transfer.encoding = UpdateEncoding::Bf16;
    assert_ne!(sound().digest(), other.digest());
    let read: StudyPlan = toml::from_str(&toml::to_string(&other).unwrap()).unwrap();
    assert_eq!(read.digest(), other.digest());
}

#[test]
fn scaffold_goes_with_plain_descent_and_the_plain_mean_of_exact_updates_alone() {
    let mut plan = sound();
    assert!(!toml::to_string(&plan).unwrap().contains("drift"));
    let without = plan.digest();
    plan.optimiser.rule = OptimiserRule::Sgd { momentum: 0.0 };
    plan.local.drift = Some(Drift::Scaffold);
    assert_ne!(plan.digest(), without);
    assert_eq!((plan.faults(), plan.strategy_name()), (vec![], "SCAFFOLD".to_owned()));
    let text = toml::to_string(&plan).unwrap();
    assert!(text.contains("drift = \"scaffold\""), "{text}");
    assert_eq!(toml::from_str::<StudyPlan>(&text).unwrap(), plan);
    // What each site keeps has a slope of its own, and a bound of the slopes comes before the correction.
    plan.local.keep = vec![KeptRole::Normalisation];
    plan.optimiser.gradient_norm_max = Some(1.0);
    assert_eq!(plan.faults(), []);
    type Change = fn(&mut StudyPlan);
    let changes: [(&str, Change); 8] = [
        ("optimiser.rule", |plan| {
            plan.optimiser.rule = OptimiserRule::Sgd { momentum: 0.9 }
        }),
        ("optimiser.rule", |plan| plan.optimiser.rule = OptimiserRule::Adamw),
        ("local.epochs", |plan| plan.local.epochs = Some(1.0)),
        ("local.proximal", |plan| plan.local.proximal = Some(0.01)),
        ("strategy.combine", |plan| plan.strategy.combine = Combination::Median),
        ("strategy.server", |plan| {
            plan.strategy.server = ServerOptimiser::Momentum {
                learning_rate: 1.0,
                momentum: 0.5,
            };
        }),
        ("strategy.clip_norm", |plan| plan.strategy.clip_norm = Some(1.0)),
        ("rounds.late", |plan| plan.rounds.late = Late::Fold { rounds: 1 }),
    ];
    for (field, change) in changes {
        let mut plan = plan.clone();
        change(&mut plan);
        let faults = plan.faults();
        assert_eq!(faults.iter().map(|fault| fault.field).collect::<Vec<_>>(), [field]);
        assert!(
            faults[0].rule.starts_with("local.drift = \"scaffold\""),
            "{}",
            faults[0]
        );
    }
    for encoding in [
        UpdateEncoding::Bf16,
        UpdateEncoding::Int8,
        UpdateEncoding::TopK { share: 0.01 },
    ] {
        plan.transfer.encoding = encoding;
        let fields: Vec<_> = plan.faults().iter().map(|fault| fault.field).collect();
        assert_eq!(fields, ["transfer.encoding"]);
    }
}
