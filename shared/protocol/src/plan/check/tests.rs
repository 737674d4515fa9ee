//! Each rule of a plan, broken once.

mod heads;
mod pretexts;
mod strategies;

use super::*;
use crate::{
    labels::LabelName,
    plan::{
        Architecture, Augmentation, Comparison, Head, HeadKind, KeptRole, LocalTraining, Network, Optimiser,
        Preprocessing, Rounds, Strategy, Transfer,
    },
};

fn sound() -> StudyPlan {
    StudyPlan {
        format: 1,
        study: "body-parts".parse().unwrap(),
        title: "Body parts".to_owned(),
        purpose: "pretraining".parse().unwrap(),
        stage: crate::plan::StudyStage::default(),
        seed: 7,
        start: None,
        network: Network {
            architecture: Architecture::Small,
            input_side: 64,
            width: 16,
        },
        heads: vec![Head {
            label: LabelName::BodyPart,
            kind: HeadKind::Classes(vec!["CHEST".to_owned(), "HAND".to_owned()]),
            weight: 1.0,
        }],
        pretext: None,
        preprocessing: Preprocessing::LetterboxV1,
        augmentation: Augmentation::XrLightV1,
        optimiser: Optimiser {
            rule: OptimiserRule::Adamw,
            learning_rate: 1e-3,
            weight_decay: 0.01,
            schedule: Schedule::Cosine { warmup_fraction: 0.05 },
            gradient_norm_max: None,
        },
        local: LocalTraining {
            steps: 10,
            batch_size: 32,
            epochs: None,
            proximal: None,
            drift: None,
            keep: Vec::new(),
        },
        strategy: Strategy::fed_avg(1000, 100.0),
        transfer: Transfer::default(),
        rounds: Rounds {
            count: 10,
            sites: Span { min: 2, max: 4 },
            recruit_seconds: Span { min: 0, max: 600 },
            updates: Span { min: 2, max: 4 },
            collect_seconds: Span { min: 5, max: 600 },
            review_seconds_max: 60,
            late: Late::Drop,
        },
        send: vec![Sent::Update, Sent::Metrics],
        comparison: Comparison::default(),
    }
}

#[test]
fn a_sound_plan_has_no_fault_and_reads_back_the_same() {
    let plan = sound();
    assert_eq!(plan.faults(), vec![]);
    let toml = toml::to_string(&plan).unwrap();
    let read: StudyPlan = toml::from_str(&toml).unwrap();
    assert_eq!(read.digest(), plan.digest());
    let read: StudyPlan = serde_json::from_slice(&plan.canonical_bytes()).unwrap();
    assert_eq!(read.digest(), plan.digest());
}

#[test]
fn every_broken_rule_is_named() {
    let mut plan = sound();
    plan.network.width = 12;
    plan.heads[0].kind = HeadKind::Classes(vec!["CHEST".to_owned(), "TOOTH".to_owned()]);
    plan.optimiser.learning_rate = f64::NAN;
    plan.rounds.updates = Span { min: 9, max: 9 };
    let fields: Vec<_> = plan.faults().into_iter().map(|fault| fault.field).collect();
    assert_eq!(
        fields,
        [
            "heads.kind.classes",
            "network.width",
            "optimiser.learning_rate",
            "rounds.updates.min"
        ]
    );
}

#[test]
fn epochs_give_small_sites_fewer_steps_and_large_ones_no_more_than_asked() {
    let mut local = sound().local;
    assert_eq!(local.steps_of(1), 10);
    local.epochs = Some(2.0);
    assert_eq!(
        [0, 1, 32, 33, 1_000_000].map(|examples| local.steps_of(examples)),
        [1, 1, 2, 3, 10]
    );
}

#[test]
fn an_unknown_field_is_refused() {
    let toml = toml::to_string(&sound()).unwrap();
    assert!(toml::from_str::<StudyPlan>(&format!("run = \"rm\"\n{toml}")).is_err());
}

#[test]
fn a_comparison_needs_metrics_and_the_manuals_sample_of_it_is_read() {
    #[derive(serde::Deserialize)]
    struct Sample {
        comparison: Comparison,
    }
    let manual = include_str!("../../../../../aggregator/docs/operating.md");
    let blocks: Vec<&str> = manual.split("```toml\n[comparison]").collect();
    assert_eq!(blocks.len(), 2);
    let sample = format!("[comparison]{}", blocks[1].split("```").next().unwrap());
    let mut plan = sound();
    plan.comparison = toml::from_str::<Sample>(&sample).unwrap().comparison;
    assert!(plan.comparison.own_model && plan.faults().is_empty());
    plan.send = vec![Sent::Update];
    assert_eq!(plan.faults()[0].field, "comparison.own_model");
}

#[test]
fn detailed_metrics_go_along_with_metrics_where_there_are_classes_and_not_too_many() {
    #[derive(serde::Deserialize)]
    struct Sample {
        send: Vec<Sent>,
    }
    let mut plan = sound();
    assert!(!toml::to_string(&plan).unwrap().contains("detailed"));
    let manual = include_str!("../../../../../aggregator/docs/operating.md");
    let blocks: Vec<&str> = manual.split("```toml\nsend =").collect();
    assert_eq!(blocks.len(), 2);
    let sample = format!("send ={}", blocks[1].split("```").next().unwrap());
    plan.send = toml::from_str::<Sample>(&sample).unwrap().send;
    assert!(plan.send.contains(&Sent::DetailedMetrics));
    assert_eq!(plan.faults(), []);
    assert!(toml::to_string(&plan).unwrap().contains("\"detailed_metrics\""));
    let rule = |plan: &StudyPlan| {
        plan.faults()
            .into_iter()
            .map(|fault| fault.to_string())
            .collect::<String>()
    };
    let mut alone = plan.clone();
    alone.send.retain(|sent| *sent != Sent::Metrics);
    assert!(rule(&alone).contains("beside \"detailed_metrics\""), "{}", rule(&alone));
    let mut numbers = plan.clone();
    numbers.heads[0].label = LabelName::Age;
    numbers.heads[0].kind = HeadKind::Regression { unit: 100.0 };
    assert!(
        rule(&numbers).contains("without a head of classes"),
        "{}",
        rule(&numbers)
    );
    let name = LabelName::Site("site_finding".parse().unwrap());
    plan.heads[0].label = name;
    plan.heads[0].kind = HeadKind::Classes((0..100).map(|class| format!("c{class}")).collect());
    plan.heads.truncate(1);
    assert_eq!(plan.faults(), []);
    plan.heads[0].kind = HeadKind::Classes((0..101).map(|class| format!("c{class}")).collect());
    assert!(rule(&plan).contains("10000 cells"), "{}", rule(&plan));
}

#[test]
fn what_sites_keep_stands_in_a_plan_only_where_they_keep_something() {
    let mut plan = sound();
    assert!(!toml::to_string(&plan).unwrap().contains("keep"));
    let shared = plan.digest();
    plan.local.keep = vec![KeptRole::Normalisation];
    assert_ne!(plan.digest(), shared);
    let text = toml::to_string(&plan).unwrap();
    assert!(text.contains("keep = [\"normalisation\"]"), "{text}");
    assert_eq!(toml::from_str::<StudyPlan>(&text).unwrap(), plan);
    assert!(toml::from_str::<StudyPlan>(&text.replace("normalisation", "heads")).is_err());
}

fn with_heads(labels: &[LabelName]) -> StudyPlan {
    let mut plan = sound();
    let head = |label: &LabelName| Head {
        label: *label,
        kind: HeadKind::Classes(label.codes().into_iter().take(24).map(str::to_owned).collect()),
        weight: 1.0,
    };
    plan.heads = labels.iter().map(head).collect();
    plan
}

#[test]
fn any_change_changes_the_digest() {
    let mut other = sound();
    other.local.steps += 1;
    assert_ne!(sound().digest(), other.digest());
}
