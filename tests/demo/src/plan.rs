//! The study that the demo runs.

use snowball_protocol::{
    StudyPlan,
    labels::{BodyPart, LabelName},
    plan::{
        Architecture, Augmentation, Head, HeadKind, LocalTraining, Network, Optimiser, OptimiserRule, Preprocessing,
        Rounds, Schedule, Sent, Span, Strategy, Transfer, UpdateEncoding,
    },
};

/// How large a demo is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Size {
    Quick,
    Usual,
    /// Real files, which are harder than phantoms.
    Real,
}

/// The plan: body part, view, sex and age from small radiographs, by a small network.
pub fn plan(size: Size, sites: u32, rounds: Option<u32>, seed: u64) -> StudyPlan {
    // Measured on the shared radiographs: many small steps beat few large ones, and 32 to 48 pixels are enough for these
    // labels. A step costs about a millisecond a picture and core at 32 pixels, two at 48.
    let (input_side, steps, batch_size, count) = match size {
        Size::Quick => (32, 20, 16, 14),
        Size::Usual => (48, 40, 16, 18),
        Size::Real => (48, 80, 16, 20),
    };
    let classes = |label: LabelName, weight: f64| Head {
        kind: HeadKind::Classes(label.codes().into_iter().map(str::to_owned).collect()),
        label,
        weight,
    };
    let mut body_part = classes(LabelName::BodyPart, 1.5);
    if let (Size::Real, HeadKind::Classes(classes)) = (size, &mut body_part.kind) {
        // Some hospitals name the region of the spine and most do not: of real files, each counts as the spine.
        classes.retain(|class| BodyPart::from_code(class).is_none_or(|part| part.within().is_none()));
    }
    StudyPlan {
        format: 1,
        study: "body-parts".parse().expect("a name in the source follows the rule"),
        title: "Anatomy before pathology: body part, view, sex and age".to_owned(),
        purpose: "pretraining".parse().expect("a name in the source follows the rule"),
        stage: snowball_protocol::plan::StudyStage::default(),
        seed,
        start: None,
        network: Network {
            architecture: Architecture::Small,
            input_side,
            width: 16,
        },
        heads: vec![
            body_part,
            classes(LabelName::View, 1.0),
            classes(LabelName::Sex, 0.25),
            Head {
                label: LabelName::Age,
                kind: HeadKind::Regression { unit: 100.0 },
                weight: 2.5,
            },
        ],
        pretext: None,
        preprocessing: Preprocessing::LetterboxV1,
        augmentation: Augmentation::XrLightV1,
        optimiser: Optimiser {
            rule: OptimiserRule::Adamw,
            learning_rate: 3e-3,
            weight_decay: 0.05,
            schedule: Schedule::Cosine { warmup_fraction: 0.05 },
            gradient_norm_max: Some(1.0),
        },
        local: LocalTraining {
            steps,
            batch_size,
            epochs: None,
            proximal: None,
            drift: None,
            keep: Vec::new(),
        },
        strategy: Strategy::fed_avg(100_000, 200.0),
        transfer: Transfer::default(),
        rounds: Rounds {
            count: rounds.unwrap_or(count),
            sites: Span { min: sites, max: sites },
            recruit_seconds: Span { min: 0, max: 600 },
            updates: Span { min: sites, max: sites },
            collect_seconds: Span { min: 0, max: 600 },
            review_seconds_max: 300,
            late: snowball_protocol::plan::Late::Drop,
        },
        // How well patients are ranked follows from sums over them; no score of anybody leaves.
        send: vec![Sent::Update, Sent::Metrics, Sent::DetailedMetrics],
        comparison: snowball_protocol::plan::Comparison::default(),
    }
}

/// What a plan would say behind `encoding =`; a word alone needs no quotes.
pub fn encoding(text: &str) -> Result<UpdateEncoding, String> {
    let value = if text.starts_with(['{', '"']) {
        text.to_owned()
    } else {
        format!("{text:?}")
    };
    let read: Result<Transfer, _> = toml::from_str(&format!("encoding = {value}"));
    read.map(|transfer| transfer.encoding)
        .map_err(|fault| fault.message().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_read_as_in_a_plan() {
        let top_k = UpdateEncoding::TopK { share: 0.01 };
        assert_eq!(encoding("{ top_k = { share = 0.01 } }"), Ok(top_k));
        assert_eq!(encoding("bf16"), Ok(UpdateEncoding::Bf16));
        assert_eq!(encoding("\"int8\""), Ok(UpdateEncoding::Int8));
        assert!(encoding("bf17").is_err());
    }

    #[test]
    fn the_plans_of_the_demo_break_no_rule() {
        for size in [Size::Quick, Size::Usual, Size::Real] {
            assert_eq!(plan(size, 4, None, 7).faults(), vec![]);
        }
    }
}
