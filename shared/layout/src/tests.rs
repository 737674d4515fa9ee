//! Layouts of made-up plans, by theme.

mod decoders;
mod networks;
mod parameters;

use snowball_protocol::{
    labels::LabelName,
    plan::{
        Architecture, Augmentation, Head, HeadKind, LocalTraining, Network, Optimiser, OptimiserRule, Preprocessing,
        Rounds, Schedule, Sent, Span, Strategy, StudyPlan, Transfer,
    },
};

pub(crate) fn plan(architecture: Architecture, width: u32) -> StudyPlan {
    let span = Span { min: 1, max: 4 };
    StudyPlan {
        format: 1,
        study: "layouts".parse().unwrap(),
        title: "Layouts".to_owned(),
        purpose: "pretraining".parse().unwrap(),
        stage: snowball_protocol::plan::StudyStage::default(),
        seed: 7,
        start: None,
        network: Network {
            architecture,
            input_side: 64,
            width,
        },
        heads: vec![
            Head {
                label: LabelName::BodyPart,
                kind: HeadKind::Classes(vec!["CHEST".to_owned(), "HAND".to_owned(), "KNEE".to_owned()]),
                weight: 1.0,
            },
            Head {
                label: LabelName::Age,
                kind: HeadKind::Regression { unit: 100.0 },
                weight: 1.0,
            },
        ],
        pretext: None,
        preprocessing: Preprocessing::LetterboxV1,
        augmentation: Augmentation::XrLightV1,
        optimiser: Optimiser {
            rule: OptimiserRule::Adamw,
            learning_rate: 1e-3,
            weight_decay: 0.01,
            schedule: Schedule::Constant,
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
            sites: span,
            recruit_seconds: span,
            updates: span,
            collect_seconds: span,
            review_seconds_max: 60,
            late: snowball_protocol::plan::Late::Drop,
        },
        send: vec![Sent::Update],
        comparison: snowball_protocol::plan::Comparison::default(),
    }
}
