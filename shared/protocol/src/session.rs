//! How a node comes to hold a task: hello, the open studies, join, then one long poll after another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    digest::Sha256Digest,
    ids::{RoundNumber, StudyName, UnixSeconds},
};

/// `POST /v1/hello`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Hello {
    /// Oldest protocol version the node speaks.
    pub protocol_min: u16,
    /// Newest protocol version the node speaks.
    pub protocol_max: u16,
    /// The node's program version.
    pub program_version: String,
    /// Digest of the policy in force at the site, if any.
    pub policy_digest: Option<Sha256Digest>,
    /// The node's clock.
    pub clock: UnixSeconds,
}

/// Answer to [`Hello`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HelloReply {
    /// The version both sides will speak.
    pub protocol: u16,
    /// The aggregator's program version.
    pub program_version: String,
    /// The aggregator's clock.
    pub clock: UnixSeconds,
    /// The Ed25519 key that signs receipts, base64.
    pub aggregator_key: String,
}

/// A study as `GET /v1/studies` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StudySummary {
    /// Its name.
    pub study: StudyName,
    /// Digest of its whole canonical plan.
    pub plan_digest: Sha256Digest,
    /// Where it stands.
    pub phase: PhaseName,
    /// The round under way or last finished.
    pub round: RoundNumber,
    /// Whether this site has joined.
    pub joined: bool,
    /// Whether the coordinator has it rest: its sites are asked for nothing until it goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
}

/// The phases of a study.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PhaseName {
    /// Created, not started.
    Draft,
    /// Sites join.
    Recruiting,
    /// Updates of a round come in.
    Collecting,
    /// A round's updates become the next model.
    Aggregating,
    /// All rounds are done; the final model is evaluated at the sites and reviewed by the coordinator.
    Reviewing,
    /// A release was signed.
    Released,
    /// Ended without a release.
    Abandoned,
}

/// `POST /v1/studies/{study}/join`: the site's policy permitted the study.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// Digest of the plan that was evaluated.
    pub plan_digest: Sha256Digest,
    /// Digest of the policy that permits it.
    pub policy_digest: Sha256Digest,
    /// Digest of the parameter layout as the node computes it from the plan.
    pub layout_digest: Sha256Digest,
    /// Radiographs in the training part of the frozen dataset.
    pub training_examples: u64,
}

/// `POST /v1/studies/{study}/decline`: the site's policy does not permit the study.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decline {
    /// The plan that was evaluated.
    pub plan_digest: Sha256Digest,
    /// The clause of the policy that decided, such as `studies.allowed`.
    pub clause: String,
    /// The reason for people.
    pub reason: String,
}

/// The global model that a task is about; its bytes are at `GET /v1/studies/{study}/models/{round}` (ranges allowed).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelReference {
    /// The round that made it; 0 is the initial model.
    pub round: RoundNumber,
    /// SHA-256 of its bytes: little-endian f32 in the layout's order.
    pub digest: Sha256Digest,
    /// Their number.
    pub bytes: u64,
    /// Which layout.
    pub layout_digest: Sha256Digest,
}

/// The control variate of all sites that a round of SCAFFOLD begins with; its bytes are at
/// `GET /v1/studies/{study}/controls/{round}`, where `round` is that of the task's model (ranges allowed): as many as the model's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ControlReference {
    /// SHA-256 of its bytes: little-endian f32 in the layout's order.
    pub digest: Sha256Digest,
    /// The first round that went into it: a site's own from an earlier round is not in it, and begins at zero.
    pub since: RoundNumber,
}

/// `GET /v1/studies/{study}/task?wait_seconds=N`: what this site should do now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// Nothing yet; ask again at once (the poll itself waited).
    Wait {
        /// Where the study stands.
        phase: PhaseName,
    },
    /// Evaluate `model` on the validation part, train from it and send the update for `round`.
    Train {
        /// Which round.
        round: RoundNumber,
        /// From which model.
        model: ModelReference,
        /// After this time the update counts as late.
        deadline: UnixSeconds,
        /// Under SCAFFOLD: the control variate of all sites. Absent: it is zero, and so is each site's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        control: Option<ControlReference>,
    },
    /// Evaluate the final model and send the evaluation to `POST /v1/studies/{study}/evaluation`.
    Evaluate {
        /// The final model.
        model: ModelReference,
    },
    /// The study is over for this site.
    Done {
        /// How it ended.
        phase: PhaseName,
        /// The final model, unless the study was abandoned before any.
        model: Option<ModelReference>,
    },
}
