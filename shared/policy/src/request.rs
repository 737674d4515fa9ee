//! What is asked of a policy, and what it answers.

use std::fmt;

use serde::Serialize;
use snowball_protocol::{
    SiteName, StudyPlan,
    ids::UnixSeconds,
    plan::{Sent, StudyStage},
};

use crate::{clause::Clause, document::Stage};

/// What the node wants to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// Train by a study's plan inside the hospital, alone. Nothing leaves.
    TrainAlone,
    /// Say, inside the hospital, what a model that is kept there makes of its radiographs. Nothing is learned and nothing leaves.
    Evaluate,
    /// Train for one round of a study.
    Train,
    /// Let something leave the site.
    Send {
        /// What.
        kind: Sent,
        /// Its size, in bytes.
        bytes: u64,
    },
    /// Tell the aggregator that the site takes part in the study.
    Join,
}

impl Action {
    /// The action as ledgers name it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TrainAlone => "train alone",
            Self::Evaluate => "evaluate",
            Self::Train => "train",
            Self::Send { kind: Sent::Update, .. } => "send update",
            Self::Send {
                kind: Sent::Metrics, ..
            } => "send metrics",
            Self::Send {
                kind: Sent::DetailedMetrics,
                ..
            } => "send detailed metrics",
            Self::Join => "join",
        }
    }

    /// The stage of the approval that it takes. [`Action::Evaluate`] may also rest on one to train alone.
    #[must_use]
    pub const fn stage(self, plan: &StudyPlan) -> Stage {
        match (self, plan.stage) {
            (Self::TrainAlone, _) => Stage::Local,
            (_, StudyStage::ProofOfConcept) => Stage::ProofOfConcept,
            (_, StudyStage::Collaboration) => Stage::Collaboration,
            (_, StudyStage::Publication) => Stage::Publication,
        }
    }
}

/// What the node wants to do, with everything that the answer depends on.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The site that asks, by the name in its certificate.
    pub site: &'a SiteName,
    /// The whole plan of the study.
    pub plan: &'a StudyPlan,
    /// What it wants to do.
    pub action: Action,
    /// On which data.
    pub dataset: DatasetFacts,
    /// What it has done already.
    pub spent: Spent,
    /// Whether the kernel takes the network, all other files and all other programs from the program that trains.
    pub is_confined: bool,
    /// The node's clock.
    pub now: UnixSeconds,
}

/// The frozen dataset of a study, in counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DatasetFacts {
    /// Patients in the training part.
    pub training_patients: u64,
    /// Radiographs in the training part.
    pub training_images: u64,
    /// Training radiographs in the smallest class of any head that is trained on. A class that the site does not have,
    /// or leaves out of training, does not count. Where no head has classes: `training_images`.
    pub class_cells_min: u64,
}

/// What the site has already spent, as its ledger says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spent {
    /// Rounds of the study that the site finished before the one under way. The round under way does not count.
    pub rounds: u32,
    /// The same over all studies that it ever took part in, this one included.
    pub rounds_all_studies: u32,
    /// Bytes that were permitted to leave in the round under way, before this request.
    pub bytes_this_round: u64,
    /// Bytes of all studies that were permitted to leave in the 24 hours before this request.
    pub bytes_last_day: u64,
    /// Bytes of the study that were permitted to leave, before this request.
    pub bytes_this_study: u64,
}

/// The answer of a policy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// The policy permits it in so many words.
    Permit {
        /// Every clause that was checked, in the order of checking.
        clauses: Vec<Clause>,
    },
    /// The policy does not permit it.
    Deny {
        /// The first clause that does not.
        clause: Clause,
        /// Why, for people.
        reason: String,
        /// What to do about it.
        remedy: String,
    },
}

impl Decision {
    /// Whether the action may go on.
    #[must_use]
    pub const fn is_permitted(&self) -> bool {
        matches!(self, Self::Permit { .. })
    }

    /// The decision in words that may leave the site. The full reason of a denial may hold counts of patients, which
    /// stay.
    #[must_use]
    pub fn public_words(&self) -> String {
        let verb = if self.is_permitted() {
            "permits"
        } else {
            "does not permit"
        };
        format!("the site's policy {verb} it by its clause {}", self.clause())
    }

    /// The one clause that a ledger names: for a denial the clause that denies; for a permit the most particular one
    /// that permits, which is what may leave, else how the plan was approved.
    #[must_use]
    pub fn clause(&self) -> Clause {
        match self {
            Self::Deny { clause, .. } => *clause,
            Self::Permit { clauses } => [Clause::Release, Clause::Digests, Clause::AnyDigest]
                .into_iter()
                .find(|clause| clauses.contains(clause))
                .unwrap_or(Clause::Policy),
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permit { .. } => write!(formatter, "permitted by {}", self.clause()),
            Self::Deny { clause, reason, remedy } => write!(formatter, "denied by {clause}: {reason} ({remedy})"),
        }
    }
}
