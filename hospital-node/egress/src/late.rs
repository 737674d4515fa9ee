//! Late: an update whose round closed before it was whole goes into the round that is open, where the plan lets it count.
//!
//! It is decided and recorded anew, for that round; its bytes and the model that it was trained from stay what they were.

use std::collections::BTreeSet;

use snowball_participation::{Waiting, waiting};
use snowball_protocol::{ProblemCode, RoundNumber, StudyPlan, plan::Late, receipt::SignedReceipt};

use crate::{Egress, error::EgressError, gate, record, send};

impl Egress {
    /// Whether an update of an earlier round than `round` waits that the plan lets count in this one.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn holds_late(&self, plan: &StudyPlan, round: RoundNumber) -> Result<bool, EgressError> {
        Ok(plan.rounds.late.rounds_max() > 0 && !self.outbox.earlier(&plan.study, round)?.is_empty())
    }

    /// Forgets every update of a round before `round` that has no receipt.
    ///
    /// # Errors
    /// When the outbox cannot be used.
    pub fn forget_late(&self, plan: &StudyPlan, round: RoundNumber) -> Result<(), EgressError> {
        for earlier in self.outbox.earlier(&plan.study, round)? {
            self.outbox.forget(&plan.study, earlier)?;
        }
        Ok(())
    }

    /// Asks what became of the updates of rounds before `round`, which are over: a kill may have come between an update that counted
    /// and its receipt. Receipts are given to `hear`; what never arrived or counts nowhere any more is forgotten; what the plan lets
    /// count in a later round stays, and its round is put into `closed`. What is in there already is not asked about again.
    ///
    /// # Errors
    /// When the ledger or the outbox cannot be written, or the aggregator's answer cannot be used. A broken line is no error.
    pub async fn ask_earlier(
        &self,
        plan: &StudyPlan,
        round: RoundNumber,
        closed: &mut BTreeSet<RoundNumber>,
        mut hear: impl FnMut(SignedReceipt),
    ) -> Result<(), EgressError> {
        let (study, late) = (&plan.study, plan.rounds.late);
        while let Waiting::Ask(earlier) = waiting(&self.outbox.earlier(study, round)?, closed, late) {
            match self.resume(plan, earlier).await {
                Ok(Some(receipt)) => hear(receipt),
                Err(EgressError::Refused(problem)) if problem.code == ProblemCode::RoundClosed => {
                    closed.insert(earlier);
                }
                Ok(None) | Err(EgressError::Refused(_)) => self.outbox.forget(study, earlier)?,
                // Its round is over and it counts in no other: that it may not leave keeps nobody from the next one.
                Err(EgressError::Denied { .. }) if late == Late::Drop => {
                    match self.receipt_of_denied(plan, earlier).await? {
                        Some(receipt) => hear(receipt),
                        None => self.outbox.forget(study, earlier)?,
                    }
                }
                // Whether it may leave for the round that is open is decided anew.
                Err(EgressError::Denied { .. }) => {
                    closed.insert(earlier);
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    /// Sends the newest update of an earlier round for `round`, the one that is open, if all of them are `closed`; `None` if nothing
    /// waits, or the aggregator does not take it any more: then there is something to be trained.
    ///
    /// # Errors
    /// When the policy denies it, the ledger or the outbox cannot be written, or the aggregator's answer cannot be used. A broken
    /// line is no error: sending goes on where it stood.
    pub async fn bring_late(
        &self,
        plan: &StudyPlan,
        round: RoundNumber,
        closed: &BTreeSet<RoundNumber>,
    ) -> Result<Option<SignedReceipt>, EgressError> {
        let study = &plan.study;
        let newest = match waiting(&self.outbox.earlier(study, round)?, closed, plan.rounds.late) {
            Waiting::Bring(newest) => newest,
            // It is asked about again before the next round.
            Waiting::Ask(_) => return Ok(None),
            Waiting::Nothing => {
                self.forget_late(plan, round)?;
                return Ok(None);
            }
        };
        let Some((mut encoded, _)) = self.outbox.find(study, newest)? else {
            self.outbox.forget(study, newest)?;
            return Ok(None);
        };
        encoded.round = round;
        let permit = gate::decide(&self.door, plan, &encoded)?;
        let kept = (&self.outbox, &self.residuals);
        let approved = record::record(&self.door, kept, encoded, &permit)?;
        self.forget_late(plan, round)?;
        match send::send(&self.door, kept, plan, approved).await {
            Ok(receipt) => Ok(Some(receipt)),
            // Too late even for this round, or counted before: the round is trained. One that came late again waits for the next.
            Err(EgressError::Refused(problem)) if problem.code != ProblemCode::RoundClosed => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}
