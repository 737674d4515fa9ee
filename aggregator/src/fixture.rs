//! Plans and records for tests.

use snowball_protocol::{
    RoundNumber, Sha256Digest, StudyPlan,
    labels::LabelName,
    plan::{
        Architecture, Augmentation, Beginning, Head, HeadKind, LocalTraining, Network, Optimiser, OptimiserRule,
        Origin, Preprocessing, Rounds, Schedule, Sent, Span, Strategy, Transfer,
    },
    record::{Contribution, RoundRecord},
};

/// The smallest network that a plan may ask for, two rounds, two sites, no waiting.
pub fn plan(study: &str) -> StudyPlan {
    StudyPlan {
        format: 1,
        study: study.parse().unwrap(),
        title: "Body parts".to_owned(),
        purpose: "pretraining".parse().unwrap(),
        stage: snowball_protocol::plan::StudyStage::default(),
        seed: 7,
        start: None,
        network: Network {
            architecture: Architecture::Small,
            input_side: 32,
            width: 8,
        },
        heads: vec![Head {
            label: LabelName::BodyPart,
            kind: HeadKind::Classes(vec!["CHEST".to_owned(), "HAND".to_owned()]),
            weight: 1.0,
        }],
        pretext: None,
        preprocessing: Preprocessing::LetterboxV1,
        augmentation: Augmentation::None,
        optimiser: Optimiser {
            rule: OptimiserRule::Adamw,
            learning_rate: 1e-3,
            weight_decay: 0.01,
            schedule: Schedule::Constant,
            gradient_norm_max: None,
        },
        local: LocalTraining {
            steps: 1,
            batch_size: 1,
            epochs: None,
            proximal: None,
            drift: None,
            keep: Vec::new(),
        },
        strategy: Strategy::fed_avg(1000, 1000.0),
        transfer: Transfer::default(),
        rounds: Rounds {
            count: 2,
            sites: Span { min: 2, max: 2 },
            recruit_seconds: Span { min: 0, max: 600 },
            updates: Span { min: 2, max: 2 },
            collect_seconds: Span { min: 0, max: 600 },
            review_seconds_max: 60,
            late: snowball_protocol::plan::Late::Drop,
        },
        send: vec![Sent::Update, Sent::Metrics],
        comparison: snowball_protocol::plan::Comparison::default(),
    }
}

/// What a study begins with that begins from the release of another, which began from a file.
pub fn start(model: Sha256Digest) -> Beginning {
    Beginning {
        model,
        stages: vec!["stem".to_owned(), "stage1".to_owned()],
        heads: Vec::new(),
        parents: vec![
            Origin::Release {
                study: "ages".parse().unwrap(),
                lineage: Sha256Digest::of(b"lineage"),
                model: Sha256Digest::of(b"model"),
            },
            Origin::File {
                name: "resnet18.safetensors".to_owned(),
                digest: Sha256Digest::of(b"file"),
            },
        ],
    }
}

/// A round with two contributions.
pub fn record(plan: &StudyPlan, round: u32, model_in: Sha256Digest, model_out: Sha256Digest) -> RoundRecord {
    let contribution = |site: &str| Contribution {
        site: site.parse().unwrap(),
        examples: 10,
        bytes: 4,
        norm: 1.0,
        cosine: 0.5,
        seconds: 1.0,
        training_loss: 1.0,
        evaluation: None,
        behind: 0,
    };
    RoundRecord {
        study: plan.study.clone(),
        round: RoundNumber(round),
        opened: 1,
        closed: 2,
        model_in,
        model_out,
        server_state: None,
        control: None,
        contributions: vec![contribution("north"), contribution("south")],
        refusals: Vec::new(),
        silent: Vec::new(),
        evaluation: None,
    }
}
