//! What the aggregator signs for every update that counted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    digest::Sha256Digest,
    ids::{Attempt, RoundNumber, SiteName, StudyName, UnixSeconds},
    update::UpdateHeader,
};

/// Evidence that one update of one site was taken in, once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Which study.
    pub study: StudyName,
    /// Which round.
    pub round: RoundNumber,
    /// Which site.
    pub site: SiteName,
    /// Which try.
    pub attempt: Attempt,
    /// The plan.
    pub plan_digest: Sha256Digest,
    /// The site's policy as it was announced.
    pub policy_digest: Sha256Digest,
    /// The model that training started from.
    pub model_in: Sha256Digest,
    /// By how many rounds that model is older than the one that the round started from; 0 unless the plan lets late updates count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub behind: u32,
    /// SHA-256 of the update's bytes.
    pub update_digest: Sha256Digest,
    /// Their number.
    pub update_bytes: u64,
    /// The weight it counted with.
    pub examples: u64,
    /// Under SCAFFOLD: the round whose update the site's own control variate was of, as it was announced. What that control variate becomes
    /// follows from the update, whose digest stands above; nothing else of it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_from: Option<RoundNumber>,
    /// The site's ledger head as it was announced.
    pub ledger_head: Sha256Digest,
    /// When the update was whole.
    pub received: UnixSeconds,
}

impl Receipt {
    /// The bytes that are signed: canonical JSON behind a line that says what they are.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = b"snowball receipt v1\n".to_vec();
        bytes.extend(crate::plan::canonical_json(self));
        bytes
    }

    /// Whether it attests the update that `site` announced with `header`. How much the update counts for, the header does not say; a
    /// receipt of before there was `control_from` says nothing of that.
    #[must_use]
    pub fn is_for(&self, header: &UpdateHeader, site: &SiteName) -> bool {
        self.site == *site
            && self.study == header.study
            && self.round == header.round
            && self.attempt == header.attempt
            && self.plan_digest == header.plan_digest
            && self.policy_digest == header.policy_digest
            && self.model_in == header.model_in
            && self.update_digest == header.digest
            && self.update_bytes == header.bytes
            && self.ledger_head == header.ledger_head
            && (self.control_from.is_none() || self.control_from == header.control_from)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A receipt with the aggregator's signature.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SignedReceipt {
    /// What is attested.
    pub receipt: Receipt,
    /// Ed25519 (RFC 8032) over [`Receipt::signed_bytes`], base64.
    pub signature: String,
}
