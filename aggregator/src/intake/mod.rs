//! What an update passes on its way in. The rules themselves are pure and live in `snowball-rounds`.
//!
//! 1. who: the certificate's site, and it is not revoked
//! 2. the study is open and the site has joined it
//! 3. the round is open
//! 4. the same (study, round, site, attempt) was not seen; a replay gets the receipt it got before
//! 5. plan, model and layout are the round's; the size is the layout's
//! 6. examples are within the bounds
//! 7. bytes arrive in order, durable before they are acknowledged
//! 8. the digest is the announced one
//! 9. every number is finite
//! 10. what the plan keeps at the sites is zero
//! 11. the norm is within the plan's bound
//!
//! A refused update is a normal outcome with code, reason and remedy; it never stops a round.

mod announce;
mod pen;
mod receive;
mod uploads;

pub use announce::announce;
pub use receive::receive;
pub use uploads::Uploads;

use snowball_crypto::SigningKey;
use snowball_ledger::Entry;
use snowball_protocol::{
    Problem, ProblemCode, SiteName, StudyName,
    ids::{RoundNumber, UnixSeconds},
    limits::UPLOAD_CHUNK_BYTES_MAX,
    receipt::{Receipt, SignedReceipt},
    update::{UpdateHeader, UploadState as Reply},
};
use snowball_registry::Upload;
use snowball_rounds::{AdmittedUpdate, Facts, Phase};

use crate::driver::Desk;

/// What the rules look at.
pub fn facts<'a>(
    desk: &'a Desk,
    phase: &'a Phase,
    site: &'a SiteName,
    is_revoked: bool,
    header: &'a UpdateHeader,
) -> Facts<'a> {
    Facts {
        site,
        is_revoked,
        plan: desk.plan(),
        plan_digest: desk.plan_digest(),
        layout_digest: desk.layout_digest(),
        parameters: desk.parameters(),
        phase,
        header,
    }
}

/// The signed evidence that an update was taken in.
pub fn receipt(key: &SigningKey, upload: &Upload, update: &AdmittedUpdate, now: UnixSeconds) -> SignedReceipt {
    let header = &upload.header;
    let receipt = Receipt {
        study: header.study.clone(),
        round: update.round(),
        site: update.site().clone(),
        attempt: update.attempt(),
        plan_digest: header.plan_digest,
        policy_digest: header.policy_digest,
        model_in: header.model_in,
        behind: update.behind(),
        update_digest: update.digest(),
        update_bytes: update.bytes(),
        examples: update.examples(),
        control_from: header.control_from,
        ledger_head: header.ledger_head,
        received: now,
    };
    let signature = key.sign(&receipt.signed_bytes()).to_string();
    SignedReceipt { receipt, signature }
}

/// The ledger's entry for an update that counts.
pub fn admitted_entry(upload: &Upload, update: &AdmittedUpdate) -> Entry {
    Entry::UpdateAdmitted {
        site: update.site().clone(),
        study: upload.header.study.clone(),
        round: update.round(),
        attempt: update.attempt(),
        update_digest: update.digest(),
        examples: update.examples(),
        site_ledger_head: upload.header.ledger_head,
    }
}

/// The ledger's entry for an update that does not.
pub fn refused_entry(study: &StudyName, round: RoundNumber, site: &SiteName, code: ProblemCode) -> Entry {
    Entry::UpdateRefused {
        site: site.clone(),
        study: study.clone(),
        round,
        code,
    }
}

/// The refusal of an upload that a newer attempt replaced.
pub fn superseded() -> Problem {
    Problem::new(
        ProblemCode::AlreadyContributed,
        "a newer attempt of this site replaced this upload",
    )
    .with_remedy("go on with the newer attempt")
}

fn reply(upload: &Upload, offset: u64, receipt: Option<SignedReceipt>) -> Reply {
    Reply {
        upload: upload.id.clone(),
        offset,
        chunk_bytes_max: UPLOAD_CHUNK_BYTES_MAX as u64,
        receipt,
    }
}
