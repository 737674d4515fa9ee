//! An update on its way out, as `egress` sends it: recorded, then head, announcement and bytes until there is a receipt.

use snowball_ledger::Head;
use snowball_participation::{self as participation, KeptParameters, Waiting};
use snowball_protocol::{
    Attempt, ProblemCode, RoundNumber, Sha256Digest,
    ids::UnixSeconds,
    plan::Late,
    receipt::Receipt,
    session::ModelReference,
    update::{Encoding, UpdateHeader, UploadState},
};

use super::{Doing, Fault, Next, Node, Occasion, RETRY_MAX, RETRY_MIN, disk::Unwritten};
use crate::{ledger::Entry, planted::Planted, study::numbers_of};

impl Node {
    /// The bytes are on disk before the entry that names them, and the header after it.
    pub(super) fn approve(&mut self, round: RoundNumber, model: &ModelReference) -> Result<(), Unwritten> {
        let bytes = self.study.update_of(self.place);
        let (digest, attempt) = (Sha256Digest::of(&bytes), Attempt(1));
        let size = bytes.len() as u64;
        let correction = self.correction.take();
        let control_from = correction.as_ref().and_then(|correction| correction.from);
        let rate_sum = self.study.plan.rate_sum(round);
        let control = correction.map(|correction| correction.next_own(&numbers_of(&bytes), rate_sum));
        self.disk.keep_kept(round, control.unwrap_or_default())?;
        if self.planted == Some(Planted::KeepsUncounted) {
            self.disk.settle_kept(round)?;
        }
        self.disk.keep(round, bytes)?;
        let recorded = self.disk.record(Entry::UpdateApproved(round, attempt, digest))?;
        let policy_digest = Sha256Digest::of(b"policy");
        self.disk.keep_header(&UpdateHeader {
            study: self.study.plan.study.clone(),
            round,
            attempt,
            plan_digest: self.study.plan_digest,
            policy_digest,
            model_in: model.digest,
            layout_digest: self.study.layout_digest,
            encoding: Encoding::DeltaF32,
            bytes: size,
            digest,
            examples: 1,
            local_steps: self.study.plan.local.steps,
            control_from,
            training_loss: 1.0,
            evaluation: None,
            ledger_index: recorded.entries - 1,
            ledger_head: recorded.hash,
        })
    }

    /// What goes before training for `round`: an update of an earlier round that may have counted, or that may count now.
    pub(super) fn bring_late(&mut self, round: RoundNumber) -> Result<Option<RoundNumber>, Unwritten> {
        let held = self.disk.earlier(round);
        let newest = match participation::waiting(&held, &self.closed, self.study.plan.rounds.late) {
            Waiting::Ask(_) if self.planted == Some(Planted::DropsUnheard) => None,
            Waiting::Ask(earlier) => return Ok(Some(earlier)),
            Waiting::Bring(newest) if self.brought != Some(round) => Some(newest),
            Waiting::Bring(_) | Waiting::Nothing => None,
        };
        if let Some((header, bytes)) = newest.and_then(|newest| self.disk.find(newest)) {
            let (mut header, bytes) = (header.clone(), bytes.to_vec());
            self.disk.keep(round, bytes)?;
            let recorded = self
                .disk
                .record(Entry::UpdateApproved(round, header.attempt, header.digest))?;
            (header.round, header.ledger_index, header.ledger_head) = (round, recorded.entries - 1, recorded.hash);
            self.disk.keep_header(&header)?;
            self.brought = Some(round);
        }
        if self.planted != Some(Planted::ForgetsWhoUsedAModel) {
            held.iter().try_for_each(|earlier| self.disk.forget(*earlier))?;
        }
        Ok(newest.map(|_| round))
    }

    /// Before a training: what the site keeps for itself is settled or dropped. Everything that may have counted was asked about before.
    pub(super) fn resolve_kept(&mut self) -> Result<(), Unwritten> {
        let Some(round) = self.disk.pending_round() else {
            return Ok(());
        };
        let has_receipt = self.disk.receipts.iter().any(|receipt| trained_in(receipt) == round);
        match participation::kept_parameters(has_receipt, None) {
            KeptParameters::Settle => self.disk.settle_kept(round),
            KeptParameters::Send(_) | KeptParameters::Drop => self.disk.drop_kept(),
        }
    }

    /// From where the aggregator stands, until there is a receipt.
    pub(super) fn go_on_sending(
        &mut self,
        round: RoundNumber,
        state: UploadState,
        now: UnixSeconds,
    ) -> Result<Result<Next, Unwritten>, Fault> {
        let Some((header, bytes)) = self.disk.find(round) else {
            return Err(Fault::Unusable);
        };
        let size = bytes.len() as u64;
        if let Some(signed) = state.receipt {
            if !signed.receipt.is_for(header, &self.site) {
                return Err(Fault::Unusable);
            }
            let trained = trained_in(&signed.receipt);
            let kept = self.disk.record(Entry::ReceiptKept(Box::new(signed.receipt)));
            let forgotten = kept.and_then(|_| self.disk.forget(round));
            if let Err(unwritten) = forgotten.and_then(|()| self.disk.settle_kept(trained)) {
                return Ok(Err(unwritten));
            }
            // What was asked about again may be of an earlier round than the one that is open.
            self.progress.settled = self.progress.settled.max(Some(round));
            return Ok(Ok(self.go(Doing::Asking, now)));
        }
        let moved = match &self.doing {
            Doing::Sending(_, _, before, _) => state.offset > *before,
            _ => true,
        };
        if state.offset >= size || !moved {
            return Err(Fault::Unusable);
        }
        let doing = Doing::Sending(round, state.upload, state.offset, state.chunk_bytes_max.max(1));
        Ok(Ok(self.go(doing, now)))
    }

    /// A broken line is waited out; what was refused is forgotten; what somebody can mend waits in the outbox.
    pub(super) fn bear_sending(&mut self, round: RoundNumber, fault: &Fault) -> Next {
        let is_worth_another_try =
            fault.is_transient() || matches!(fault, Fault::Refused(problem) if self.says_where_to_go_on(problem.code));
        if is_worth_another_try {
            let pause = self.pause;
            self.pause = (pause * 2).min(RETRY_MAX);
            self.doing = Doing::Showing(Occasion::Sending(round), None);
            return Next::Sleep(pause);
        }
        if !participation::is_settled(fault.sort()) && self.planted != Some(Planted::ForgetsUnsent) {
            return self.give_up_round(round, fault);
        }
        let is_closed = matches!(fault, Fault::Refused(problem) if problem.code == ProblemCode::RoundClosed);
        if is_closed {
            self.closed.insert(round);
            if self.study.plan.rounds.late != Late::Drop {
                // It may count in the round that is open.
                return self.give_up_round(round, fault);
            }
        }
        match self.disk.forget(round) {
            Err(_) => self.die(),
            Ok(()) if self.brought == Some(round) => {
                // Too late even for this round, or counted before: the round is trained.
                self.doing = Doing::Asking;
                Next::Sleep(RETRY_MIN)
            }
            Ok(()) => self.give_up_round(round, fault),
        }
    }

    /// An offset that does not fit, or a head that is missing: announcing again, behind a new head, tells where to go on.
    fn says_where_to_go_on(&self, code: ProblemCode) -> bool {
        let is_head_missing =
            code == ProblemCode::LedgerHeadMissing && self.planted != Some(Planted::GivesUpWithoutHead);
        code == ProblemCode::OffsetMismatch || is_head_missing
    }

    /// Holds the aggregator to the head that it showed before.
    pub(super) fn keep_head(&mut self, theirs: Head) -> Result<Result<(), Unwritten>, Fault> {
        let course = self.disk.kept_head.as_ref().map(|kept| theirs.course(kept));
        if course.is_some_and(|course| course.refusal().is_some()) {
            return match self.disk.record(Entry::HeadRefused(theirs.owner.clone(), theirs)) {
                Err(unwritten) => Ok(Err(unwritten)),
                Ok(_) => Err(Fault::HeadRefused),
            };
        }
        Ok(self.disk.record(Entry::HeadsExchanged(theirs)).map(drop))
    }
}

/// The round that an update was trained in, which may be earlier than the one that it counts in.
const fn trained_in(receipt: &Receipt) -> RoundNumber {
    RoundNumber(receipt.round.0 - receipt.behind)
}
