//! What each message and each of its fields means, in words for a board. A test holds these lists to the messages themselves:
//! a field without words, and words without a field, fail it.

mod evaluation;
mod messages;
mod requests;
#[cfg(test)]
mod tests;

use serde::Serialize;
use snowball_egress::Kind;

pub use requests::{HEADERS, REQUESTS};

use evaluation::EVALUATION;
use messages::own;

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
