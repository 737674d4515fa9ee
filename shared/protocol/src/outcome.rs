//! What the aggregator signs for every round that ended: which model it made of which.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    digest::Sha256Digest,
    ids::{RoundNumber, StudyName, UnixSeconds},
};

/// What came of one round. With the receipt of an update it says into which model that update went.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoundOutcome {
    /// Which study.
    pub study: StudyName,
    /// Which round.
    pub round: RoundNumber,
    /// The plan.
    pub plan_digest: Sha256Digest,
    /// The model that the round started from.
    pub model_in: Sha256Digest,
    /// The model that it made.
    pub model_out: Sha256Digest,
    /// How many updates are in it.
    pub contributions: u64,
    /// When the round closed.
    pub closed: UnixSeconds,
}

impl RoundOutcome {
    /// The bytes that are signed: canonical JSON behind a line that says what they are.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = b"snowball round outcome v1\n".to_vec();
        bytes.extend(crate::plan::canonical_json(self));
        bytes
    }
}

/// `GET /v1/studies/{study}/rounds/{round}/outcome`: an outcome with the aggregator's signature.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedOutcome {
    /// What is attested.
    pub outcome: RoundOutcome,
    /// Ed25519 (RFC 8032) over [`RoundOutcome::signed_bytes`], base64.
    pub signature: String,
}
