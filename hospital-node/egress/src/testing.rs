//! What the tests of this crate share.

use snowball_policy::DatasetFacts;
use snowball_protocol::{
    Attempt, RoundNumber, Sha256Digest, StudyPlan,
    evaluation::{ClassCount, ClassDetail, Evaluation, HeadEvaluation},
    labels::LabelName,
};

use crate::Candidate;

/// A sound plan that lets updates of norm 10 leave.
pub fn plan() -> StudyPlan {
    let text = include_str!("../../../policies/cases/studies/body-parts.toml");
    let mut plan: StudyPlan = toml::from_str(text).unwrap();
    (plan.strategy.examples_max, plan.strategy.update_norm_max) = (100, 10.0);
    plan
}

/// A small update.
pub fn candidate(delta: Vec<f32>) -> Candidate {
    let digest = Sha256Digest::of(b"model");
    let classes = vec![ClassCount {
        class: "CHEST".to_owned(),
        images: 4,
        correct: 3,
        detail: Some(ClassDetail {
            patients: 4,
            said: vec![3, 1],
            correct_variance: 0.5,
            brier_sum: 1.0,
            ranks: None,
            covariance_sums: None,
        }),
    }];
    Candidate {
        round: RoundNumber(3),
        attempt: Attempt(1),
        model_in: digest,
        layout_digest: Sha256Digest::of(b"layout"),
        delta,
        written: None,
        examples: 1000,
        local_steps: 50,
        control_from: None,
        training_loss: 0.5,
        evaluation: Some(Evaluation {
            model_digest: digest,
            images: 4,
            heads: vec![HeadEvaluation::Classes {
                label: LabelName::BodyPart,
                loss_sum: 1.0,
                images: 4,
                classes,
            }],
            reconstruction: None,
            contrast: None,
        }),
        dataset: DatasetFacts {
            training_patients: 30,
            training_images: 60,
            class_cells_min: 5,
        },
    }
}
