//! What a site sends for a round, and how an upload goes on after a broken line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    digest::Sha256Digest,
    evaluation::Evaluation,
    ids::{Attempt, RoundNumber, StudyName, UploadId},
    receipt::SignedReceipt,
};

/// How the numbers of an update are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// The difference from the round's model, as little-endian IEEE 754 binary32 in the layout's order.
    DeltaF32,
    /// The same as little-endian bfloat16: the upper 16 bits of binary32.
    DeltaBf16,
    /// The same in blocks of 1024 numbers, the last one shorter: a little-endian binary32 scale, then a signed byte a number, from -127 to
    /// 127, which is multiplied by it.
    DeltaInt8,
    /// The numbers that are not zero, in the layout's order, as many as the plan says: how many zeros lie before it since the last one, as
    /// LEB128 without needless bytes, then the number as little-endian bfloat16.
    DeltaTopK,
}

/// `POST /v1/studies/{study}/rounds/{round}/updates`: announces an update. Its site is the certificate's.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateHeader {
    /// Which study.
    pub study: StudyName,
    /// Which round.
    pub round: RoundNumber,
    /// Which try.
    pub attempt: Attempt,
    /// The plan that was carried out.
    pub plan_digest: Sha256Digest,
    /// The policy that permitted it.
    pub policy_digest: Sha256Digest,
    /// The model that training started from.
    pub model_in: Sha256Digest,
    /// The order and shapes of the numbers.
    pub layout_digest: Sha256Digest,
    /// How they are written.
    pub encoding: Encoding,
    /// Their size in bytes.
    pub bytes: u64,
    /// SHA-256 over all of them.
    pub digest: Sha256Digest,
    /// Training examples behind the update: its weight.
    pub examples: u64,
    /// Optimiser steps behind the update.
    pub local_steps: u32,
    /// Under SCAFFOLD: the round whose update the site's control variate is of. Absent: it began at zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_from: Option<RoundNumber>,
    /// Mean training loss of the last tenth of the local steps.
    pub training_loss: f64,
    /// Quality of `model_in` at the site, where the policy lets metrics leave.
    pub evaluation: Option<Evaluation>,
    /// Index of the ledger entry that recorded this update before it was sent.
    pub ledger_index: u64,
    /// Hash of that entry: the aggregator keeps it, so the site's ledger cannot be rewritten behind it.
    pub ledger_head: Sha256Digest,
}

/// Answer to an announcement and to each chunk: where the upload stands.
///
/// Chunks go to `PATCH /v1/uploads/{id}?offset=N` as raw bytes; the last one brings the receipt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UploadState {
    /// Under which id to send chunks.
    pub upload: UploadId,
    /// How many bytes the aggregator holds durably.
    pub offset: u64,
    /// Largest chunk it takes, in bytes.
    pub chunk_bytes_max: u64,
    /// Present once the update is whole, checked and counted. The same for every retry.
    pub receipt: Option<SignedReceipt>,
}

/// `POST /v1/studies/{study}/evaluation`: the quality of the final model at the site.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FinalEvaluation {
    /// The numbers; absent where the policy does not let metrics leave.
    pub evaluation: Option<Evaluation>,
    /// The quality of the model that the site's radiographs alone make by the same plan, where the plan asks for it and the policy
    /// lets metrics leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<Evaluation>,
}
