//! Each message in every form, held against the words.

use std::collections::BTreeSet;

use serde_json::Value;
use snowball_protocol::{
    Attempt, RoundNumber, Sha256Digest,
    authorities::AuthoritiesKept,
    enrolment::RenewalRequest,
    evaluation::{
        ClassCount, ClassDetail, ContrastEvaluation, Evaluation, HeadEvaluation, MaskCount, Ranks,
        ReconstructionEvaluation,
    },
    heads::HeadsOffer,
    labels::LabelName,
    session::{Decline, Hello, JoinRequest},
    update::{Encoding, FinalEvaluation, UpdateHeader},
};

use super::*;
use crate::preview::fields;

fn evaluation() -> Evaluation {
    let classes = vec![ClassCount {
        class: "CHEST".to_owned(),
        images: 4,
        correct: 3,
        detail: Some(ClassDetail {
            patients: 4,
            said: vec![3, 1],
            correct_variance: 1.0,
            brier_sum: 1.0,
            ranks: Some(Ranks {
                other_patients: 4,
                weight_sum: 1.0,
                area_sum: 1.0,
                variance_sum: 1.0,
            }),
            covariance_sums: Some(vec![1.0]),
        }),
    }];
    Evaluation {
        model_digest: Sha256Digest::of(b"m"),
        images: 4,
        heads: vec![
            HeadEvaluation::Classes {
                label: LabelName::BodyPart,
                loss_sum: 1.0,
                images: 4,
                classes,
            },
            HeadEvaluation::Regression {
                label: LabelName::Age,
                loss_sum: 1.0,
                images: 4,
                absolute_error_sum: 1.0,
                constant_absolute_error_sum: 1.0,
                absolute_error_square_sum: Some(1.0),
            },
            HeadEvaluation::Mask {
                label: LabelName::Site("site_lungs".parse().unwrap()),
                loss_sum: 1.0,
                images: 4,
                patients: 4,
                masks: vec![MaskCount {
                    class: "lung".to_owned(),
                    dice_sum: 1.0,
                    dice_square_sum: 1.0,
                    constant_dice_sum: 1.0,
                }],
            },
        ],
        reconstruction: Some(ReconstructionEvaluation {
            images: 4,
            squared_error_sum: 1.0,
            constant_squared_error_sum: 1.0,
        }),
        contrast: Some(ContrastEvaluation {
            images: 4,
            loss_sum: 1.0,
            found: 3,
            chance_sum: 1.0,
        }),
    }
}

/// The evaluation in full, withheld, without heads, and without classes.
fn evaluations() -> [Option<Evaluation>; 4] {
    let (mut no_heads, mut no_classes) = (evaluation(), evaluation());
    no_heads.heads.clear();
    no_classes.hide_small_cells(4);
    if let HeadEvaluation::Classes { classes, .. } = &mut no_classes.heads[0] {
        classes.clear();
    }
    [Some(evaluation()), None, Some(no_heads), Some(no_classes)]
}

/// Each message in every form. A field that is added to one must be added here before this compiles.
fn samples(kind: Kind) -> Vec<Value> {
    let digest = Sha256Digest::of(b"d");
    let json = |document: Result<Value, serde_json::Error>| document.unwrap();
    match kind {
        Kind::Hello => vec![json(serde_json::to_value(Hello {
            protocol_min: 1,
            protocol_max: 1,
            program_version: "1".to_owned(),
            policy_digest: Some(digest),
            clock: 1,
        }))],
        Kind::CertificateRenewal => vec![json(serde_json::to_value(RenewalRequest {
            csr_pem: "pem".to_owned(),
        }))],
        Kind::Authorities => vec![json(serde_json::to_value(AuthoritiesKept {
            fingerprints: vec![digest],
        }))],
        Kind::LedgerHead => vec![json(serde_json::to_value(HeadsOffer {
            site_head: "note".to_owned(),
        }))],
        Kind::Join => vec![json(serde_json::to_value(JoinRequest {
            plan_digest: digest,
            policy_digest: digest,
            layout_digest: digest,
            training_examples: 1,
        }))],
        Kind::Decline => vec![json(serde_json::to_value(Decline {
            plan_digest: digest,
            clause: "stage".to_owned(),
            reason: "words".to_owned(),
        }))],
        Kind::UpdateHeader => {
            let header = |evaluation| UpdateHeader {
                study: "s".parse().unwrap(),
                round: RoundNumber(1),
                attempt: Attempt(1),
                plan_digest: digest,
                policy_digest: digest,
                model_in: digest,
                layout_digest: digest,
                encoding: Encoding::DeltaF32,
                bytes: 4,
                digest,
                examples: 1,
                local_steps: 1,
                control_from: Some(RoundNumber(1)),
                training_loss: 1.0,
                evaluation,
                ledger_index: 1,
                ledger_head: digest,
            };
            evaluations()
                .map(|evaluation| json(serde_json::to_value(header(evaluation))))
                .into()
        }
        Kind::Update => Vec::new(),
        Kind::Evaluation => evaluations()
            .map(|evaluation| {
                let own = evaluation.clone();
                json(serde_json::to_value(FinalEvaluation { evaluation, own }))
            })
            .into(),
    }
}

#[test]
fn every_field_of_every_message_has_words_and_every_word_a_field() {
    for kind in Kind::ALL {
        let sent: BTreeSet<String> = samples(kind).iter().flat_map(fields::paths).collect();
        let mut described: BTreeSet<String> = own(kind).iter().map(|words| words.path.to_owned()).collect();
        if measures(kind) {
            described.extend(EVALUATION.iter().map(|words| words.path.to_owned()));
        }
        if kind == Kind::Evaluation {
            let rest = EVALUATION
                .iter()
                .filter_map(|words| words.path.strip_prefix("evaluation."));
            described.extend(rest.map(|rest| format!("own.{rest}")));
        }
        assert_eq!(sent, described, "{}", kind.code());
        assert!(
            sent.iter()
                .all(|path| of(kind, path).is_some_and(|words| words.meaning.ends_with('.')))
        );
    }
}

#[test]
fn every_text_of_the_page_has_its_french() {
    let mut texts: Vec<&str> = vec![];
    for kind in Kind::ALL {
        let (often, meaning) = message(kind);
        texts.extend([often.text(), meaning]);
        texts.extend(own(kind).iter().map(|words| words.meaning));
    }
    texts.extend(EVALUATION.iter().map(|words| words.meaning));
    texts.extend([About::Study, About::Site, About::Patients].map(About::text));
    texts.extend(REQUESTS.iter().flat_map(|(_, often, meaning)| [*often, *meaning]));
    for text in texts {
        let french = crate::preview::french(text).unwrap_or_else(|| panic!("no French for {text:?}"));
        assert!(
            french != text && french.ends_with('.') == text.ends_with('.'),
            "{french}"
        );
    }
}

#[test]
fn a_field_that_somebody_added_is_told_to_be_without_words() {
    let mut header = samples(Kind::UpdateHeader).remove(0);
    header["evaluation"]["heads"][0]["surnames"] = Value::from(3);
    header["operator"] = Value::from("somebody");
    let told = fields::told(Kind::UpdateHeader, &serde_json::to_vec(&header).unwrap()).unwrap();
    let silent: Vec<_> = told.iter().filter(|field| field.meaning.is_none()).collect();
    let paths: Vec<_> = silent.iter().map(|field| field.path.as_str()).collect();
    assert_eq!(paths, ["evaluation.heads[].surnames", "operator"]);
}
