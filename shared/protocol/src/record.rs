//! What is written down at the end of each round, for people and for plots.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    digest::Sha256Digest,
    evaluation::Evaluation,
    ids::{RoundNumber, SiteName, StudyName, UnixSeconds},
    problem::ProblemCode,
};

/// One finished round.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RoundRecord {
    /// Which study.
    pub study: StudyName,
    /// Which round.
    pub round: RoundNumber,
    /// When it opened.
    pub opened: UnixSeconds,
    /// When it closed.
    pub closed: UnixSeconds,
    /// The model it started from.
    pub model_in: Sha256Digest,
    /// The model it made.
    pub model_out: Sha256Digest,
    /// The state of the server's optimiser after it, or the control variate of all sites, where the plan's rule has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_state: Option<Sha256Digest>,
    /// What that control variate is made of. Absent: there is none, and the next round begins all of them at zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Control>,
    /// Who contributed.
    pub contributions: Vec<Contribution>,
    /// Who was refused or late, and why.
    pub refusals: Vec<Refusal>,
    /// Sites that had joined and sent nothing.
    pub silent: Vec<SiteName>,
    /// Quality of `model_in`, added up over the sites that let metrics leave.
    pub evaluation: Option<Evaluation>,
}

/// What the control variate of all sites is made of: the mean of the sites' own, each with its examples as weight.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Control {
    /// The first round that went into it.
    pub since: RoundNumber,
    /// Whose own are in it.
    pub sites: BTreeMap<SiteName, ControlPart>,
}

/// A site's part in the control variate of all sites.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ControlPart {
    /// Its weight.
    pub examples: u64,
    /// The round of its last update that counted.
    pub round: RoundNumber,
}

/// One site's part in a round.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Contribution {
    /// Which site.
    pub site: SiteName,
    /// Its weight.
    pub examples: u64,
    /// Bytes of its update.
    pub bytes: u64,
    /// Euclidean norm of its update.
    pub norm: f64,
    /// Cosine between its update and the round's mean update, in -1 to 1.
    pub cosine: f64,
    /// From the opening of the round to its last byte, in seconds.
    pub seconds: f64,
    /// Its mean training loss.
    pub training_loss: f64,
    /// Quality at this site of the model that it trained from: `model_in`, unless it was behind.
    pub evaluation: Option<Evaluation>,
    /// By how many rounds the model that it trained from is older than `model_in`.
    #[serde(default, skip_serializing_if = "crate::receipt::is_zero")]
    pub behind: u32,
}

/// One update that did not count.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// Which site.
    pub site: SiteName,
    /// Why, for programs.
    pub code: ProblemCode,
    /// Why, for people.
    pub reason: String,
}
