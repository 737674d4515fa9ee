//! An announced update: known already, refused, or begun.

use snowball_protocol::{
    Problem, ProblemCode, SiteName,
    update::{UpdateHeader, UploadState as Reply},
};
use snowball_registry::{Site, Upload, UploadState};
use snowball_service::clock;

use super::{facts, receive::finish_if_whole, reply, superseded};
use crate::{driver::Desk, state::App};

/// Answers an announcement. The same announcement always gets the same answer, however often and after whatever crash.
pub async fn announce(app: &App, desk: &Desk, site: &SiteName, header: &UpdateHeader) -> Result<Reply, Problem> {
    let registry = &app.core.registry;
    if let Some(upload) = registry
        .find_upload(site, &header.study, header.round, header.attempt)
        .await?
    {
        return again(app, desk, upload, header).await;
    }
    let enrolled = registry.site(site).await?;
    let is_revoked = enrolled.as_ref().is_none_or(|site| site.revoked.is_some());
    let checked = desk.look(|phase| snowball_rounds::announce(&facts(desk, phase, site, is_revoked, header)));
    if let Err(problem) = checked {
        desk.note_refusal(site.clone(), header.round, problem.clone());
        return Err(problem);
    }
    if let Some(problem) = enrolled.and_then(|enrolled| unproven(&enrolled, header)) {
        return Err(problem);
    }
    let upload = registry.begin_upload(site, header, clock::now()).await?;
    Ok(reply(&upload, upload.offset, None))
}

/// An update counts only where the site's signed head holds its record and nothing that was shown since contradicts it.
fn unproven(enrolled: &Site, header: &UpdateHeader) -> Option<Problem> {
    let name = &enrolled.name;
    if enrolled.head_refused.is_some() {
        // It may only have come late, behind a newer one: a head that goes on from that shows it. Of a ledger that was cut,
        // the next head is refused where it is shown.
        let reason = format!("the last head that {name} showed contradicts the one that was kept");
        return Some(Problem::new(ProblemCode::LedgerHeadMissing, reason));
    }
    let Some(head) = enrolled.head.as_ref().filter(|head| head.entries > header.ledger_index) else {
        let reason = format!(
            "no signed head of {name} holds the record {} of this update",
            header.ledger_index
        );
        return Some(Problem::new(ProblemCode::LedgerHeadMissing, reason));
    };
    (head.entries == header.ledger_index + 1 && head.hash != header.ledger_head).then(|| {
        let reason = format!("the record of this update is not the one of the signed head of {name}");
        Problem::new(ProblemCode::LedgerForked, reason)
    })
}

async fn again(app: &App, desk: &Desk, upload: Upload, header: &UpdateHeader) -> Result<Reply, Problem> {
    let same_bytes = upload.header.digest == header.digest && upload.header.bytes == header.bytes;
    match &upload.state {
        UploadState::Admitted { receipt, .. } if same_bytes => Ok(reply(&upload, upload.offset, Some(receipt.clone()))),
        UploadState::Admitted { .. } => Err(Problem::new(
            ProblemCode::AlreadyContributed,
            "this site gave this round another update already",
        )),
        UploadState::Refused { problem } => Err(problem.clone()),
        UploadState::Superseded => Err(superseded()),
        UploadState::Uploading if upload.header != *header => {
            let reason = "this attempt was announced with other values";
            Err(Problem::new(ProblemCode::Malformed, reason).with_remedy("announce the new update as the next attempt"))
        }
        UploadState::Uploading => finish_if_whole(app, desk, upload).await,
    }
}
