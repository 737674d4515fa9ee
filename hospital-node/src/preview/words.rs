//! What each message and each of its fields means, in words for a board. A test holds this list to the messages themselves:
//! a field without words, and words without a field, fail it.

use serde::Serialize;
use snowball_egress::Kind;

/// On what a value rests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The same at every hospital: it follows from the plan, the program or the shared model.
    Study,
    /// Of this hospital, and of no patient.
    Site,
    /// Counted, added up or computed over radiographs of patients.
    Patients,
}

impl About {
    pub const fn text(self) -> &'static str {
        match self {
            Self::Study => "the study",
            Self::Site => "the hospital",
            Self::Patients => "radiographs of patients",
        }
    }
}

/// How often a message leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Often {
    /// Each time that the service starts; counted once.
    Start,
    /// Once in the study.
    Once,
    /// In each round.
    Round,
    /// Instead of everything else, while the policy does not permit the study.
    Instead,
}

impl Often {
    pub const fn text(self) -> &'static str {
        match self {
            Self::Start => "at each start of the service",
            Self::Once => "once",
            Self::Round => "in each round",
            Self::Instead => "instead of all others",
        }
    }

    /// How many times a study of `rounds` rounds counts it.
    pub const fn times(self, rounds: u64) -> u64 {
        match self {
            Self::Start | Self::Once => 1,
            Self::Round => rounds,
            Self::Instead => 0,
        }
    }
}

/// When a message leaves, and what it is for.
pub const fn message(kind: Kind) -> (Often, &'static str) {
    match kind {
        Kind::Hello => (
            Often::Start,
            "Greets the aggregator: versions, clock, and which policy is in force.",
        ),
        Kind::CertificateRenewal => (
            Often::Start,
            "Asks for the next certificate: a new public key and the hospital's name.",
        ),
        Kind::Authorities => (
            Often::Start,
            "Says which certificate authorities the hospital trusts, when the consortium changes its own.",
        ),
        Kind::LedgerHead => (
            Often::Round,
            "Shows where the hospital's ledger stands, so that nobody can rewrite it later unnoticed. It goes also when the service \
             starts and when a study ends.",
        ),
        Kind::Join => (Often::Once, "Says that the hospital takes part in the study."),
        Kind::Decline => (
            Often::Instead,
            "Says that the hospital does not take part, and which clause decided.",
        ),
        Kind::UpdateHeader => (Often::Round, "Announces the update of a round and says what it is."),
        Kind::Update => (
            Often::Round,
            "The update itself: by how much each number of the network changed in training.",
        ),
        Kind::Evaluation => (
            Often::Once,
            "Says how good the final network is on this hospital's own validation patients.",
        ),
    }
}

/// One field's words.
pub struct Words {
    pub path: &'static str,
    pub about: About,
    pub meaning: &'static str,
}

const fn words(path: &'static str, about: About, meaning: &'static str) -> Words {
    Words { path, about, meaning }
}

/// The words of a field of a message.
pub fn of(kind: Kind, path: &str) -> Option<&'static Words> {
    let find = |list: &'static [Words]| list.iter().find(|words| words.path == path);
    // What is said of the hospital's own model has the form of what is said of the shared one.
    let measured = path.strip_prefix("own.").map(|rest| format!("evaluation.{rest}"));
    let measured = measured.as_deref().unwrap_or(path);
    let find_measured = || EVALUATION.iter().find(|words| measures(kind) && words.path == measured);
    find(own(kind)).or_else(find_measured)
}

const fn measures(kind: Kind) -> bool {
    matches!(kind, Kind::UpdateHeader | Kind::Evaluation)
}

const fn own(kind: Kind) -> &'static [Words] {
    match kind {
        Kind::Hello => HELLO,
        Kind::CertificateRenewal => RENEWAL,
        Kind::Authorities => AUTHORITIES,
        Kind::LedgerHead => LEDGER_HEAD,
        Kind::Join => JOIN,
        Kind::Decline => DECLINE,
        Kind::UpdateHeader => UPDATE_HEADER,
        Kind::Evaluation => OWN_MODEL,
        Kind::Update => &[],
    }
}

const HELLO: &[Words] = &[
    words(
        "clock",
        About::Site,
        "The time on this machine's clock, in seconds since 1970.",
    ),
    words(
        "policy_digest",
        About::Site,
        "The fingerprint of the policy in force, not its content.",
    ),
    words("program_version", About::Study, "The version of this program."),
    words(
        "protocol_max",
        About::Study,
        "The newest version of the protocol that it speaks.",
    ),
    words(
        "protocol_min",
        About::Study,
        "The oldest version of the protocol that it speaks.",
    ),
];

const RENEWAL: &[Words] = &[words(
    "csr_pem",
    About::Site,
    "A request for a certificate: a public key that was made here, and the hospital's name.",
)];

const AUTHORITIES: &[Words] = &[words(
    "fingerprints[]",
    About::Study,
    "The fingerprint of a certificate authority of the consortium that the hospital trusts.",
)];

const LEDGER_HEAD: &[Words] = &[words(
    "site_head",
    About::Site,
    "The hospital's name, how many records its ledger holds, the fingerprint of the last, and the hospital's signature.",
)];

const JOIN: &[Words] = &[
    words(
        "layout_digest",
        About::Study,
        "The fingerprint of the network's shape, which follows from the plan.",
    ),
    words(
        "plan_digest",
        About::Study,
        "The fingerprint of the plan that was approved.",
    ),
    words(
        "policy_digest",
        About::Site,
        "The fingerprint of the policy that permits it, not its content.",
    ),
    words(
        "training_examples",
        About::Patients,
        "How many radiographs the hospital will train on.",
    ),
];

const DECLINE: &[Words] = &[
    words(
        "clause",
        About::Site,
        "The place in the policy that decided, such as studies.digests.",
    ),
    words(
        "plan_digest",
        About::Study,
        "The fingerprint of the plan that was refused.",
    ),
    words("reason", About::Site, "The same in a sentence. It holds no number."),
];

const UPDATE_HEADER: &[Words] = &[
    words(
        "attempt",
        About::Study,
        "Which try of this round it is; 1 unless something broke.",
    ),
    words(
        "bytes",
        About::Study,
        "The size of the update, which follows from the plan; where the largest numbers alone are sent, also from how far apart they lie.",
    ),
    words("digest", About::Patients, "The fingerprint of the update's bytes."),
    words("encoding", About::Study, "How the update's numbers are written."),
    words(
        "examples",
        About::Patients,
        "How many radiographs the update was trained on, at most as many as the plan counts: its weight in the mean.",
    ),
    words(
        "layout_digest",
        About::Study,
        "The fingerprint of the network's shape, which follows from the plan.",
    ),
    words(
        "ledger_head",
        About::Site,
        "The fingerprint of the hospital's ledger up to the entry that approved this update. The aggregator keeps it, so that \
         nobody can rewrite the ledger later.",
    ),
    words(
        "ledger_index",
        About::Site,
        "How many entries the hospital's ledger had before that one.",
    ),
    words(
        "model_in",
        About::Study,
        "The fingerprint of the shared model that training started from.",
    ),
    words(
        "plan_digest",
        About::Study,
        "The fingerprint of the plan that was carried out.",
    ),
    words(
        "policy_digest",
        About::Site,
        "The fingerprint of the policy that permits it, not its content.",
    ),
    words("round", About::Study, "Which round."),
    words("study", About::Study, "The study's name."),
    words(
        "local_steps",
        About::Study,
        "How many steps of training are behind the update. Where the plan counts epochs it follows from the number of radiographs.",
    ),
    words(
        "control_from",
        About::Site,
        "Where the plan corrects drift (SCAFFOLD): the round whose update this hospital's control variate is of. Nothing stands here \
         where it begins at zero, as in the first round, or after it was removed.",
    ),
    words(
        "training_loss",
        About::Patients,
        "How far off the network was at the end of training: one mean over the last tenth of the steps.",
    ),
];

/// Beside this, `own` holds the same as `evaluation`, of the other model and over the same radiographs.
const OWN_MODEL: &[Words] = &[words(
    "own.model_digest",
    About::Patients,
    "The fingerprint of the model that this hospital's radiographs alone make. The model itself stays here.",
)];

const EVALUATION: &[Words] = &[
    words(
        "evaluation",
        About::Site,
        "Nothing stands here: measurements stay in the hospital.",
    ),
    words(
        "evaluation.heads",
        About::Patients,
        "Nothing stands here: every count was too small to be shown.",
    ),
    words(
        "evaluation.heads[].absolute_error_sum",
        About::Patients,
        "All errors added up, in the label's unit (age: years), over the validation radiographs.",
    ),
    words(
        "evaluation.heads[].absolute_error_square_sum",
        About::Patients,
        "The squares of all errors added up: how sure the mean error is.",
    ),
    words(
        "evaluation.heads[].classes",
        About::Patients,
        "Nothing stands here: every class was too small to be shown.",
    ),
    words(
        "evaluation.heads[].classes[].class",
        About::Patients,
        "The name of a class, as the plan lists it. That it stands here says that radiographs of it are not too few.",
    ),
    words(
        "evaluation.heads[].classes[].correct",
        About::Patients,
        "Of these, how many the network recognised.",
    ),
    words(
        "evaluation.heads[].classes[].images",
        About::Patients,
        "How many validation radiographs are of this class. Classes below the policy's smallest cell are left out.",
    ),
    words(
        "evaluation.heads[].classes[].detail.brier_sum",
        About::Patients,
        "How far off the network's probabilities were for this class's radiographs: their squared errors, added up.",
    ),
    words(
        "evaluation.heads[].classes[].detail.correct_variance",
        About::Patients,
        "How much the number of recognised radiographs would vary with other patients like these.",
    ),
    words(
        "evaluation.heads[].classes[].detail.covariance_sums[]",
        About::Patients,
        "How much the area of this class and that of another one would vary together with other patients like these, times both weights: how sure \
         the mean over classes is.",
    ),
    words(
        "evaluation.heads[].classes[].detail.patients",
        About::Patients,
        "How many validation patients are behind this class's radiographs. Fewer than the policy's smallest cell are not told.",
    ),
    words(
        "evaluation.heads[].classes[].detail.ranks.area_sum",
        About::Patients,
        "How often the network ranked a radiograph of this class above one of another class (area under the ROC curve), times the \
         weight. No score leaves.",
    ),
    words(
        "evaluation.heads[].classes[].detail.ranks.other_patients",
        About::Patients,
        "How many validation patients are behind the radiographs of other classes.",
    ),
    words(
        "evaluation.heads[].classes[].detail.ranks.variance_sum",
        About::Patients,
        "How much that area would vary with other patients like these.",
    ),
    words(
        "evaluation.heads[].classes[].detail.ranks.weight_sum",
        About::Patients,
        "What the hospital weighs in the mean of all hospitals' areas, which follows from its numbers of patients.",
    ),
    words(
        "evaluation.heads[].classes[].detail.said[]",
        About::Patients,
        "For which class this class's radiographs were taken: a count for each class of the plan.",
    ),
    words(
        "evaluation.heads[].constant_absolute_error_sum",
        About::Patients,
        "The same sum if one constant, the median of the training part, were answered each time.",
    ),
    words(
        "evaluation.heads[].images",
        About::Patients,
        "How many validation radiographs have this label.",
    ),
    words(
        "evaluation.heads[].kind",
        About::Study,
        "Whether it tells classes or a number.",
    ),
    words(
        "evaluation.heads[].label",
        About::Study,
        "What the network learns to tell.",
    ),
    words(
        "evaluation.heads[].loss_sum",
        About::Patients,
        "The training errors added up over the validation radiographs.",
    ),
    words(
        "evaluation.heads[].masks[].class",
        About::Study,
        "A class that masks mark, as the plan names it.",
    ),
    words(
        "evaluation.heads[].masks[].constant_dice_sum",
        About::Patients,
        "The same sum if one and the same mask were drawn for everybody.",
    ),
    words(
        "evaluation.heads[].masks[].dice_square_sum",
        About::Patients,
        "The sum of the squares of the patients' overlaps, which says how sure their mean is.",
    ),
    words(
        "evaluation.heads[].masks[].dice_sum",
        About::Patients,
        "How well the drawn masks cover the hospital's: the overlap (Dice), added up over the validation patients.",
    ),
    words(
        "evaluation.heads[].patients",
        About::Patients,
        "How many validation patients have a mask.",
    ),
    words(
        "evaluation.images",
        About::Patients,
        "How many radiographs of validation patients were looked at.",
    ),
    words(
        "evaluation.model_digest",
        About::Study,
        "The fingerprint of the shared model that was measured.",
    ),
    words(
        "evaluation.contrast.chance_sum",
        About::Patients,
        "How many of these pairs chance alone would find.",
    ),
    words(
        "evaluation.contrast.found",
        About::Patients,
        "For how many of them the network found the radiograph likest that is of the same patient.",
    ),
    words(
        "evaluation.contrast.images",
        About::Patients,
        "For how many validation radiographs another of the same patient was looked for among those of others.",
    ),
    words(
        "evaluation.contrast.loss_sum",
        About::Patients,
        "How hard the pairs were to find: the errors added up over the validation radiographs.",
    ),
    words(
        "evaluation.reconstruction.constant_squared_error_sum",
        About::Patients,
        "The same sum if each radiograph's mean brightness were drawn everywhere.",
    ),
    words(
        "evaluation.reconstruction.images",
        About::Patients,
        "How many validation radiographs were drawn again.",
    ),
    words(
        "evaluation.reconstruction.squared_error_sum",
        About::Patients,
        "How far off the drawings were: each radiograph's mean squared error, added up over the validation radiographs.",
    ),
];

/// What a node asks for without sending a body: the way, how often, and why. The line says who asks by its certificate.
pub const REQUESTS: [(&str, &str, &str); 7] = [
    (
        "v1/studies",
        "every few seconds while the service runs",
        "Which studies there are.",
    ),
    (
        "v1/authorities",
        "every ten seconds while the service runs",
        "Which certificate authorities the consortium trusts.",
    ),
    ("v1/studies/STUDY/plan", "once", "The study's plan."),
    (
        "v1/studies/STUDY/task?wait_seconds=25",
        "again and again while the study runs",
        "What to do next.",
    ),
    (
        "v1/studies/STUDY/models/ROUND",
        "once in each round, and once at the end",
        "The shared model. After a broken line it goes on where it stood (range).",
    ),
    (
        "v1/studies/STUDY/rounds/ROUND/outcome",
        "once after each round",
        "Which model the round made, signed by the aggregator.",
    ),
    (
        "v1/studies/STUDY/rounds/ROUND/receipt",
        "after the end of the study, once for each update whose receipt was never heard",
        "The receipt that the aggregator signed of this site's update.",
    ),
];

/// What stands in the head of each request beside its way.
pub const HEADERS: [&str; 7] = [
    "accept",
    "content-length",
    "content-type",
    "host",
    "range",
    "user-agent",
    snowball_protocol::RequestId::HEADER,
];

#[cfg(test)]
mod tests {
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
}
