//! An update on its way in, as `aggregator/src/intake` takes it.

use snowball_protocol::{
    Attempt, Problem, ProblemCode, SiteName,
    ids::{UnixSeconds, UploadId},
    receipt::{Receipt, SignedReceipt},
    update::{UpdateHeader, UploadState},
};
use snowball_rounds::{AdmittedUpdate, Facts, Inspected, Inspection};

use super::{
    Aggregator,
    driver::Save,
    store::{Broken, Enrolled, Upload, UploadPhase},
};
use crate::{fact::Fact, ledger::Entry, message::Answer, planted::Planted};

/// Small, so that every update takes several chunks.
const CHUNK_BYTES_MAX: u64 = 4;

impl Aggregator {
    /// The same announcement always gets the same answer, however often and after whatever crash.
    pub(super) fn announce(
        &mut self,
        site: &SiteName,
        header: &UpdateHeader,
        now: UnixSeconds,
    ) -> Result<Answer, Broken> {
        self.expect_running()?;
        let key = (header.round, site.clone(), header.attempt);
        if let Some(upload) = self.store.uploads.get(&key).cloned() {
            return self.again(upload, header, now);
        }
        let is_revoked = self.is_refused(site);
        if let Err(problem) = snowball_rounds::announce(&self.facts(site, is_revoked, header)) {
            self.store.record(Entry::UpdateRefused(site.clone(), header.round))?;
            return Err(problem.into());
        }
        if let Some(problem) = self
            .store
            .sites
            .get(site)
            .and_then(|enrolled| unproven(enrolled, header))
        {
            return Err(problem.into());
        }
        let upload = self.store.begin_upload(&self.study, site, header, now)?;
        Ok(self.reply(&upload, 0, None))
    }

    /// Bytes are durable before they are acknowledged; the last ones are answered with the receipt.
    pub(super) fn receive(
        &mut self,
        site: &SiteName,
        id: &UploadId,
        offset: u64,
        bytes: &[u8],
        now: UnixSeconds,
    ) -> Result<Answer, Broken> {
        let missing = || Problem::new(ProblemCode::NotFound, "no such upload of this site");
        let upload = self
            .store
            .upload(id)
            .filter(|upload| upload.site == *site)
            .cloned()
            .ok_or_else(missing)?;
        match &upload.phase {
            UploadPhase::Admitted(kept) => return Ok(self.reply(&upload, upload.offset, Some(kept.1.clone()))),
            UploadPhase::Refused(problem) => return Err(problem.clone().into()),
            UploadPhase::Superseded => return Err(superseded().into()),
            UploadPhase::Uploading => {}
        }
        if offset != upload.offset {
            return Err(Problem::new(ProblemCode::OffsetMismatch, "the upload stands elsewhere").into());
        }
        let inspection = match self.process.inspections.remove(id) {
            Some((inspection, seen)) if seen == offset => Some(inspection),
            _ if offset == 0 => Some(Inspection::of(&self.study.plan, self.study.parameters())),
            _ => None,
        };
        self.store.append_file(&upload, bytes)?;
        let end = offset + bytes.len() as u64;
        if let Some(mut inspection) = inspection {
            inspection.bytes(bytes);
            self.process.inspections.insert(id.clone(), (inspection, end));
        }
        self.store.advance_upload(&self.study, id, offset, end, now)?;
        if end < upload.header.bytes {
            return Ok(self.reply(&upload, end, None));
        }
        self.finish(&upload, now)
    }

    fn again(&mut self, upload: Upload, header: &UpdateHeader, now: UnixSeconds) -> Result<Answer, Broken> {
        let same_bytes = upload.header.digest == header.digest && upload.header.bytes == header.bytes;
        match &upload.phase {
            UploadPhase::Admitted(kept) if same_bytes => {
                if self.planted == Some(Planted::CountsReplays) {
                    let bytes = self.store.files.get(&upload.id.0).cloned();
                    self.process.replayed.extend(bytes);
                }
                Ok(self.reply(&upload, upload.offset, Some(kept.1.clone())))
            }
            UploadPhase::Admitted(_) => {
                let reason = "this site gave this round another update already";
                Err(Problem::new(ProblemCode::AlreadyContributed, reason).into())
            }
            UploadPhase::Refused(problem) => Err(problem.clone().into()),
            UploadPhase::Superseded => Err(superseded().into()),
            UploadPhase::Uploading if upload.header != *header => {
                Err(Problem::new(ProblemCode::Malformed, "this attempt was announced with other values").into())
            }
            UploadPhase::Uploading if upload.offset < upload.header.bytes => {
                Ok(self.reply(&upload, upload.offset, None))
            }
            UploadPhase::Uploading => self.finish(&upload, now),
        }
    }

    fn finish(&mut self, upload: &Upload, now: UnixSeconds) -> Result<Answer, Broken> {
        let inspected = match self.process.inspections.remove(&upload.id) {
            Some((inspection, seen)) if seen == upload.header.bytes => inspection.finish(),
            _ => {
                let mut inspection = Inspection::of(&self.study.plan, self.study.parameters());
                inspection.bytes(self.store.files.get(&upload.id.0).map_or(&[], Vec::as_slice));
                inspection.finish()
            }
        };
        let receipt = self.admit(&upload.id, &inspected, now)?;
        Ok(self.reply(upload, upload.header.bytes, Some(receipt)))
    }

    fn admit(&mut self, id: &UploadId, inspected: &Inspected, now: UnixSeconds) -> Result<SignedReceipt, Broken> {
        let missing = || Problem::new(ProblemCode::NotFound, "no such upload");
        let upload = self.store.upload(id).cloned().ok_or_else(missing)?;
        let is_revoked = self.is_refused(&upload.site);
        let update = match snowball_rounds::admit(&self.facts(&upload.site, is_revoked, &upload.header), inspected) {
            Ok(update) => update,
            Err(problem) => return Err(self.refuse(&upload, problem, now)),
        };
        let receipt = receipt(&upload, &update, now);
        if self.planted == Some(Planted::AnswersTooEarly) {
            self.note_receipt(&receipt.receipt);
        }
        match self.advance(&update.event(), &Save::Update(id, &update, &receipt), now) {
            Ok(()) => {}
            Err(Broken::Refused(problem)) => return Err(self.refuse(&upload, problem, now)),
            Err(broken) => return Err(broken),
        }
        let entry = Entry::UpdateAdmitted(update.site().clone(), update.round(), update.attempt());
        self.store.record(entry)?;
        self.fold(&update, &upload.id);
        Ok(receipt)
    }

    fn refuse(&mut self, upload: &Upload, problem: Problem, now: UnixSeconds) -> Broken {
        // Where it was decided otherwise meanwhile, the refusal is the answer all the same.
        if let Err(Broken::Crash) = self.store.refuse_update(&self.study, &upload.id, &problem, now) {
            return Broken::Crash;
        }
        match self
            .store
            .record(Entry::UpdateRefused(upload.site.clone(), upload.header.round))
        {
            Err(broken) => broken,
            Ok(_) => problem.into(),
        }
    }

    fn reply(&mut self, upload: &Upload, offset: u64, receipt: Option<SignedReceipt>) -> Answer {
        if let Some(signed) = &receipt {
            self.note_receipt(&signed.receipt);
        }
        Answer::Upload(Box::new(UploadState {
            upload: upload.id.clone(),
            offset,
            chunk_bytes_max: CHUNK_BYTES_MAX,
            receipt,
        }))
    }

    fn note_receipt(&mut self, receipt: &Receipt) {
        let receipt = Box::new(receipt.clone());
        self.store.facts.push(Fact::ReceiptGiven { receipt });
    }

    fn is_refused(&self, site: &SiteName) -> bool {
        self.store.is_revoked(site) && self.planted != Some(Planted::AdmitsRevoked)
    }

    fn facts<'a>(&'a self, site: &'a SiteName, is_revoked: bool, header: &'a UpdateHeader) -> Facts<'a> {
        Facts {
            site,
            is_revoked,
            plan: &self.study.plan,
            plan_digest: self.study.plan_digest,
            layout_digest: self.study.layout_digest,
            parameters: self.study.parameters(),
            phase: &self.process.phase,
            header,
        }
    }
}

/// An update counts only where the site's head holds its record and nothing that was shown since contradicts it.
fn unproven(enrolled: &Enrolled, header: &UpdateHeader) -> Option<Problem> {
    let problem = |code, reason: &str| Some(Problem::new(code, reason));
    if enrolled.head_refused.is_some() {
        let reason = "the last head contradicts the one that was kept";
        return problem(ProblemCode::LedgerHeadMissing, reason);
    }
    let Some(head) = enrolled.head.as_ref().filter(|head| head.entries > header.ledger_index) else {
        return problem(
            ProblemCode::LedgerHeadMissing,
            "no head holds the record of this update",
        );
    };
    if head.entries == header.ledger_index + 1 && head.hash != header.ledger_head {
        return problem(
            ProblemCode::LedgerForked,
            "the record of this update is not the one of the head",
        );
    }
    None
}

fn receipt(upload: &Upload, update: &AdmittedUpdate, now: UnixSeconds) -> SignedReceipt {
    let (header, attempt): (_, Attempt) = (&upload.header, update.attempt());
    let receipt = Receipt {
        study: header.study.clone(),
        round: update.round(),
        site: update.site().clone(),
        attempt,
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
    SignedReceipt {
        receipt,
        signature: String::new(),
    }
}

fn superseded() -> Problem {
    Problem::new(
        ProblemCode::AlreadyContributed,
        "a newer attempt of this site replaced this upload",
    )
}
