//! The files of an evidence folder: where each lies and what stands in it.

use serde::{Deserialize, Serialize};
use snowball_crypto::{Signature, VerifyingKey};
use snowball_protocol::{
    Sha256Digest, SiteName, StudyName,
    ids::{RoundNumber, UnixSeconds},
    receipt::SignedReceipt,
    update::{FinalEvaluation, UpdateHeader},
};

/// Where each file lies in a folder.
pub mod paths {
    use snowball_protocol::Sha256Digest;

    /// The ledger's folder, in the form of `FORMAT.md`.
    pub const LEDGER: &str = "ledger";
    /// Which consortium: [`ConsortiumFacts`](super::ConsortiumFacts).
    pub const CONSORTIUM: &str = "consortium.json";
    /// The ethics key that is installed at a site, base64: for people; a check uses the one that was written down.
    pub const ETHICS_KEY: &str = "ethics.pub";
    /// The enrolments that the coordinator approved, one a line: [`EnrolmentFacts`](super::EnrolmentFacts).
    pub const ENROLMENTS: &str = "enrolments.jsonl";
    /// The updates that the aggregator took in, one a line: [`UpdateFacts`](super::UpdateFacts).
    pub const UPDATES: &str = "updates.jsonl";
    /// The evaluations of final models that the aggregator took in, one a line: [`EvaluationFacts`](super::EvaluationFacts).
    pub const EVALUATIONS: &str = "evaluations.jsonl";
    /// The records of the finished rounds, one a line.
    pub const ROUNDS: &str = "rounds.jsonl";
    /// The certificate of the consortium's CA.
    pub const CA: &str = "certificates/ca.pem";

    /// A policy that was installed, as its exact bytes.
    #[must_use]
    pub fn policy(digest: &Sha256Digest) -> String {
        format!("policies/{}.toml", hex(digest))
    }

    /// Its signature.
    #[must_use]
    pub fn policy_signature(digest: &Sha256Digest) -> String {
        format!("policies/{}.toml.sig", hex(digest))
    }

    /// A study's plan, as canonical JSON.
    #[must_use]
    pub fn plan(digest: &Sha256Digest) -> String {
        format!("plans/{}.json", hex(digest))
    }

    /// A release's lineage, as it was signed.
    #[must_use]
    pub fn lineage(digest: &Sha256Digest) -> String {
        format!("releases/{}.json", hex(digest))
    }

    /// The signature over it.
    #[must_use]
    pub fn lineage_signature(digest: &Sha256Digest) -> String {
        format!("releases/{}.json.sig", hex(digest))
    }

    /// A release's model card.
    #[must_use]
    pub fn card(digest: &Sha256Digest) -> String {
        format!("releases/{}.card.md", hex(digest))
    }

    /// A certificate that the consortium's CA issued, by its serial number.
    #[must_use]
    pub fn certificate(serial: &str) -> String {
        format!("certificates/{serial}.pem")
    }

    fn hex(digest: &Sha256Digest) -> String {
        digest.to_string().trim_start_matches("sha256:").to_owned()
    }
}

/// The consortium, as its aggregator founded it or as a site enrolled with it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsortiumFacts {
    /// `https://host:port`.
    pub address: String,
    /// SHA-256 of the CA's certificate in DER.
    pub ca_fingerprint: Sha256Digest,
    /// The key that signs receipts, releases and the aggregator's ledger.
    pub aggregator_key: VerifyingKey,
}

/// A site that the coordinator let in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentFacts {
    /// Which site.
    pub site: SiteName,
    /// SHA-256 of the certified public key.
    pub key_fingerprint: Sha256Digest,
    /// The Ed25519 key of its ledger, as it asked with it, base64.
    pub ledger_key: String,
    /// Serial number of the certificate, hexadecimal.
    pub certificate_serial: String,
    /// The coordinator's words.
    pub reason: String,
    /// When it was asked for.
    pub requested: UnixSeconds,
    /// When it was approved.
    pub decided: UnixSeconds,
}

/// An update that counts: what came beside its bytes, and what the site got for it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateFacts {
    /// Whose, by the certificate that it came with.
    pub site: SiteName,
    /// What was announced.
    pub header: UpdateHeader,
    /// The receipt.
    pub receipt: SignedReceipt,
}

/// What a site told of a study's final model.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationFacts {
    /// Whose, by the certificate that it came with.
    pub site: SiteName,
    /// Of which study.
    pub study: StudyName,
    /// What it sent.
    pub told: FinalEvaluation,
}

/// What the check reads of a release's `lineage.json`.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct ReleaseFacts {
    /// Of which study.
    pub study: StudyName,
    /// Digest of its plan.
    pub plan_digest: Sha256Digest,
    /// SHA-256 of the final parameters.
    pub model_digest: Sha256Digest,
    /// SHA-256 of the model card.
    pub card_digest: Sha256Digest,
    /// The rounds that made it.
    pub rounds: Vec<ReleaseRound>,
}

/// One round of a lineage.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct ReleaseRound {
    /// Which round.
    pub round: RoundNumber,
    /// The model it started from.
    pub model_in: Sha256Digest,
    /// The model it made.
    pub model_out: Sha256Digest,
    /// Who contributed with how many examples.
    pub contributions: Vec<ReleaseContribution>,
}

/// One site's part in a round of a lineage.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct ReleaseContribution {
    /// Which site.
    pub site: SiteName,
    /// With which weight.
    pub examples: u64,
}

/// Whether `signature`, the content of `lineage.json.sig`, is that of `key` over the lineage.
#[must_use]
pub fn is_lineage_signed(document: &[u8], signature: &[u8], key: &VerifyingKey) -> bool {
    String::from_utf8_lossy(signature)
        .trim()
        .parse::<Signature>()
        .is_ok_and(|signature| key.verify(&lineage_signed_bytes(document), &signature).is_ok())
}

/// The bytes that the aggregator signs for a lineage.
#[must_use]
pub fn lineage_signed_bytes(document: &[u8]) -> Vec<u8> {
    [b"snowball lineage v1\n", document].concat()
}
