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

    /// Sends the newest update of an earlier round for `round`, the one that is open; `None` if nothing waits, or the aggregator
    /// does not take it any more: then there is something to be trained. Receipts of earlier rounds that a crash kept from being
    /// heard are fetched on the way and given to `hear`.
    ///
    /// # Errors
    /// When the policy denies it, the ledger or the outbox cannot be written, or the aggregator's answer cannot be used. A broken
    /// line is no error: sending goes on where it stood.
    pub async fn bring_late(
        &self,
        plan: &StudyPlan,
        round: RoundNumber,
        mut hear: impl FnMut(&SignedReceipt),
    ) -> Result<Option<SignedReceipt>, EgressError> {
        let (study, late) = (&plan.study, plan.rounds.late);
        let mut closed = BTreeSet::new();
        let newest = loop {
            match waiting(&self.outbox.earlier(study, round)?, &closed, late) {
                Waiting::Ask(earlier) => match self.resume(plan, earlier).await {
                    Ok(Some(receipt)) => hear(&receipt),
                    Err(EgressError::Refused(problem)) if problem.code == ProblemCode::RoundClosed => {
                        closed.insert(earlier);
                    }
                    Ok(None) | Err(EgressError::Refused(_)) => self.outbox.forget(study, earlier)?,
                    // Its round is over and it counts in no other: that it may not leave keeps nobody from the next one.
                    Err(EgressError::Denied { .. }) if late == Late::Drop => self.outbox.forget(study, earlier)?,
                    Err(fault) => return Err(fault),
                },
                Waiting::Bring(newest) => break newest,
                Waiting::Nothing => {
                    self.forget_late(plan, round)?;
                    return Ok(None);
                }
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
