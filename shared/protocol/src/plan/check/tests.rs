//! Each rule of a plan, broken once.

use super::*;
use crate::labels::{BodyPart, Labels};
use crate::plan::{
    Architecture, Augmentation, Comparison, Contrastive, Decoder, Drift, Head, KeptRole, LocalTraining, Masked,
    Network, Optimiser, Positives, Preprocessing, Pretext, Reconstruction, Rounds, Strategy, Transfer,
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
fn a_plan_that_draws_radiographs_again_has_no_heads_and_a_network_that_a_decoder_is_built_on() {
    let pretext = |decoder, masked| Some(Pretext::Reconstruction(Reconstruction { decoder, masked }));
    let masked = Some(Masked { patch: 8, share: 0.6 });
    let mut plan = sound();
    assert!(!toml::to_string(&plan).unwrap().contains("pretext"));
    plan.heads.clear();
    assert_eq!(plan.faults()[0].field, "heads");
    for (decoder, masked) in [
        (Decoder::Plain, None),
        (Decoder::Plain, masked),
        (Decoder::UNet, masked),
    ] {
        plan.pretext = pretext(decoder, masked);
        assert_eq!(plan.faults(), []);
        let read: StudyPlan = toml::from_str(&toml::to_string(&plan).unwrap()).unwrap();
        assert_eq!(read.digest(), plan.digest());
    }
    type Change = fn(&mut StudyPlan);
    let changes: [(&str, Change); 4] = [
        ("heads", |plan| plan.heads = sound().heads),
        ("network.architecture", |plan| {
            plan.network.architecture = Architecture::Vgg16
        }),
        ("comparison.own_model", |plan| plan.comparison.own_model = true),
        ("pretext.reconstruction.masked.patch", |plan| {
            plan.network.input_side = 60
        }),
    ];
    for (field, change) in changes {
        let mut plan = plan.clone();
        change(&mut plan);
        assert_eq!(
            plan.faults().iter().map(|fault| fault.field).collect::<Vec<_>>(),
            [field]
        );
    }
    plan.pretext = pretext(Decoder::UNet, None);
    assert_eq!(plan.faults()[0].field, "pretext.reconstruction.decoder");
    plan.pretext = pretext(
        Decoder::Plain,
        Some(Masked {
            patch: 8,
            share: f64::NAN,
        }),
    );
    assert_eq!(plan.faults()[0].field, "pretext.reconstruction.masked.share");
}

#[test]
fn a_plan_that_looks_for_pairs_has_several_radiographs_a_step_and_views_that_differ() {
    type Change = fn(&mut StudyPlan, &mut Contrastive);
    let faults = |change: Change| {
        let mut contrastive = Contrastive {
            temperature: 0.1,
            dimension: 64,
            positives: Positives::Patient,
        };
        let mut plan = sound();
        plan.heads.clear();
        plan.augmentation = Augmentation::XrSslV1;
        plan.local.batch_size = 32;
        change(&mut plan, &mut contrastive);
        plan.pretext = Some(Pretext::Contrastive(contrastive));
        let read: StudyPlan = toml::from_str(&toml::to_string(&plan).unwrap()).unwrap();
        assert_eq!(read.digest(), plan.digest());
        plan.faults().into_iter().map(|fault| fault.field).collect::<Vec<_>>()
    };
    assert_eq!(faults(|_, _| {}), <[&str; 0]>::default());
    assert_eq!(
        faults(|plan, _| plan.network.architecture = Architecture::Vgg16),
        <[&str; 0]>::default()
    );
    let changes: [(&str, Change); 12] = [
        ("heads", |plan, _| plan.heads = sound().heads),
        ("pretext.contrastive.temperature", |_, asked| asked.temperature = 0.0),
        ("pretext.contrastive.temperature", |_, asked| asked.temperature = 0.009),
        ("pretext.contrastive.temperature", |_, asked| asked.temperature = 1.1),
        ("pretext.contrastive.temperature", |_, asked| asked.temperature = -0.1),
        ("pretext.contrastive.dimension", |_, asked| asked.dimension = 7),
        ("pretext.contrastive.dimension", |_, asked| asked.dimension = 1_025),
        ("local.batch_size", |plan, _| plan.local.batch_size = 1),
        ("local.batch_size", |plan, _| plan.local.batch_size = 1_025),
        ("augmentation", |plan, _| plan.augmentation = Augmentation::None),
        ("augmentation", |plan, _| plan.augmentation = Augmentation::XrStrongV1),
        ("comparison.own_model", |plan, _| plan.comparison.own_model = true),
    ];
    for (field, change) in changes {
        assert_eq!(faults(change), [field]);
    }
}

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
fn a_term_counts_as_the_listed_class_that_it_lies_within() {
    let head = |classes: &[&str]| Head {
        label: LabelName::BodyPart,
        kind: HeadKind::Classes(classes.iter().map(|class| (*class).to_owned()).collect()),
        weight: 1.0,
    };
    let lumbar = Labels {
        body_part: Some(BodyPart::LumbarSpine),
        ..Labels::default()
    };
    assert_eq!(head(&["CHEST", "SPINE"]).class(&lumbar), Some(1));
    assert_eq!(head(&["LSPINE", "SPINE"]).class(&lumbar), Some(0));
    assert_eq!(head(&["CHEST", "CSPINE"]).class(&lumbar), None);
    assert_eq!(head(&["CHEST", "SPINE"]).class(&Labels::default()), None);
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
fn patches_are_for_learning_without_labels() {
    let patches = |mut plan: StudyPlan| {
        plan.preprocessing = Preprocessing::PatchesV1;
        plan.faults()
    };
    assert_eq!(patches(with_heads(&[LabelName::Jigsaw])), []);
    let faults = patches(with_heads(&[LabelName::Rotation, LabelName::BodyPart]));
    assert!(faults.len() == 1 && faults[0].field == "preprocessing", "{faults:?}");
    for (positives, sound) in [(Positives::Radiograph, true), (Positives::Patient, false)] {
        let mut pairs = with_heads(&[]);
        pairs.pretext = Some(Pretext::Contrastive(Contrastive {
            temperature: 0.2,
            dimension: 16,
            positives,
        }));
        let faults = patches(pairs);
        assert_eq!(faults.is_empty(), sound, "{faults:?}");
    }
}

#[test]
fn a_made_label_goes_only_with_heads_that_stay_true() {
    use LabelName::{BodyPart, Jigsaw, Laterality, Rotation, Sex, View};
    for (labels, words) in [
        (&[Rotation][..], None),
        (&[Jigsaw], None),
        (&[Rotation, BodyPart, Sex], None),
        (&[Rotation, View], Some("rotation does not go with view")),
        (&[Laterality, Rotation], Some("rotation does not go with laterality")),
        (&[Jigsaw, BodyPart], Some("jigsaw stands alone")),
    ] {
        let faults = with_heads(labels).faults();
        assert_eq!(faults.len(), usize::from(words.is_some()), "{labels:?}: {faults:?}");
        assert!(words.is_none_or(|words| faults[0].rule.contains(words)), "{faults:?}");
    }
    let mut mixed = with_heads(&[Jigsaw]);
    mixed.heads[0].kind = HeadKind::Classes(vec!["1234".to_owned(), "123456789".to_owned()]);
    assert!(
        mixed.faults()[0].rule.contains("four tiles or of nine"),
        "{:?}",
        mixed.faults()
    );
    mixed.heads[0].kind = HeadKind::Regression { unit: 1.0 };
    assert_eq!(mixed.faults()[0].field, "heads.kind");
}

#[test]
fn a_recipe_that_turned_pictures_over_would_not_go_with_the_side() {
    let quarter = [Operation::Rotate { degrees: 90.0 }];
    for (labels, is_faulty) in [
        (&[LabelName::View][..], true),
        (&[LabelName::BodyPart, LabelName::Laterality], true),
        (&[LabelName::BodyPart, LabelName::Sex], false),
    ] {
        let mut faults = Faults::default();
        with_heads(labels).check_sides(&quarter, &mut faults);
        assert_eq!(!faults.0.is_empty(), is_faulty, "{labels:?}");
        let is_named = |fault: &PlanFault| fault.field == "augmentation" && fault.rule.contains("its rotation");
        assert!(faults.0.iter().all(is_named));
    }
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

#[test]
fn any_change_changes_the_digest() {
    let mut other = sound();
    other.local.steps += 1;
    assert_ne!(sound().digest(), other.digest());
}

#[test]
fn a_mask_stands_alone_on_a_network_with_stages_under_a_label_of_the_hospitals() {
    let masked = |change: &dyn Fn(&mut StudyPlan)| {
        let mut plan = sound();
        plan.heads.truncate(1);
        plan.heads[0].label = "site_lungs".to_owned().try_into().unwrap();
        plan.heads[0].kind = HeadKind::Mask {
            classes: vec!["lung".to_owned()],
        };
        change(&mut plan);
        plan.faults().into_iter().map(|fault| fault.field).collect::<Vec<_>>()
    };
    let classes = |classes: &[&str]| HeadKind::Mask {
        classes: classes.iter().map(|class| (*class).to_owned()).collect(),
    };
    assert_eq!(masked(&|_| {}), Vec::<&str>::new());
    assert_eq!(masked(&|plan| plan.heads.push(sound().heads[0].clone())), ["heads"]);
    assert_eq!(masked(&|plan| plan.heads[0].label = LabelName::Age), ["heads.label"]);
    assert_eq!(
        masked(&|plan| {
            plan.network.architecture = Architecture::Vgg16;
            plan.network.input_side = 64;
            plan.network.width = 64;
        }),
        ["network.architecture"]
    );
    for bad in [&[][..], &["lung", "lung"], &["a lung"]] {
        assert_eq!(
            masked(&|plan| plan.heads[0].kind = classes(bad)),
            ["heads.kind.mask.classes"],
            "{bad:?}"
        );
    }
    assert_eq!(
        masked(&|plan| plan.comparison.own_model = true),
        ["comparison.own_model"]
    );
    let read: HeadKind = serde_json::from_str(r#"{"mask": {"classes": ["lung"]}}"#).unwrap();
    assert_eq!(read, classes(&["lung"]));
}
