//! The study, and what a site contributes to it: known beforehand, so that every model can be computed again.

use snowball_protocol::{
    StudyPlan,
    labels::LabelName,
    plan::{
        Architecture, Augmentation, Comparison, Head, HeadKind, Late, LocalTraining, Network, Optimiser, OptimiserRule,
        Preprocessing, Rounds, Schedule, Sent, Span, Strategy, StudyStage, Transfer,
    },
};

/// The study's name.
pub const STUDY: &str = "storm";
/// How long a round waits at most, in seconds.
pub const ROUND_SECONDS_MAX: u32 = 6;
/// What every site says that it learned from.
pub const EXAMPLES: u64 = 1;

/// A small network; a round closes with everybody, or when its time is over with half of them.
pub fn plan(sites: u32, rounds: u32) -> StudyPlan {
    StudyPlan {
        format: 1,
        study: STUDY.parse().unwrap_or_else(|_| unreachable!("a sound name")),
        title: "A storm".to_owned(),
        purpose: "pretraining".parse().unwrap_or_else(|_| unreachable!("a sound name")),
        stage: StudyStage::default(),
        seed: 11,
        start: None,
        network: Network {
            architecture: Architecture::Small,
            input_side: 32,
            width: 8,
        },
        heads: vec![Head {
            label: LabelName::BodyPart,
            kind: HeadKind::Classes(LabelName::BodyPart.codes().into_iter().map(str::to_owned).collect()),
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
        strategy: Strategy::fed_avg(1000, 100.0),
        transfer: Transfer::default(),
        rounds: Rounds {
            count: rounds,
            sites: Span { min: sites, max: sites },
            recruit_seconds: Span { min: 0, max: 600 },
            updates: Span {
                min: sites.div_ceil(2),
                max: sites,
            },
            collect_seconds: Span {
                min: 0,
                max: ROUND_SECONDS_MAX,
            },
            review_seconds_max: 600,
            late: Late::Drop,
        },
        send: vec![Sent::Update, Sent::Metrics],
        comparison: Comparison::default(),
    }
}

/// The place of the network that site `position` moves in `round`, a place of its own.
pub const fn place(position: usize, round: u32, sites: u32, parameters: usize) -> usize {
    ((round as usize - 1) * sites as usize + position) % parameters
}

/// What a site makes of the number at its place.
pub fn learned(number: f32) -> f32 {
    number + 1.0
}

/// The number at that place in the model of a round to which the site contributed, as one of `contributors` that weigh alike.
pub fn averaged(number: f32, contributors: usize) -> f32 {
    // What a node sends: the difference in binary32.
    let delta = learned(number) - number;
    (f64::from(number) + f64::from(delta) / contributors as f64) as f32
}
