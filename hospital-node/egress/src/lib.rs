//! The one door out of a hospital. Nothing else in the node links an HTTP or TLS client.
//!
//! An update leaves in four steps, each a type that only the step before can make: filter ([`Encoded`]), decide
//! ([`EgressPermit`]), record ([`ApprovedUpdate`]), send. The ledger holds the record, durable, before the first byte leaves,
//! and every other request body is recorded by digest and size as well.
//!
//! It must never read a radiograph, and never send what the policy in force at that very moment does not name.
//! Start at [`Egress::offer`]; [`preview()`] builds the same messages for a board to see and sends none.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod candidate;
pub mod client;
mod door;
mod error;
mod filter;
mod gate;
mod heads;
mod late;
mod message;
mod outbox;
mod pages;
mod preview;
mod progress;
mod record;
mod residuals;
mod send;
mod spent;
#[cfg(test)]
mod testing;
mod unheard;

pub use candidate::Candidate;
pub use door::{Door, ReadPolicy, SharedLedger};
pub use error::{EgressError, Trouble};
pub use filter::{Encoded, Written};
pub use gate::EgressPermit;
pub use heads::last_kept;
pub use message::{Kind, Message};
pub use outbox::Outbox;
pub use pages::Pages;
pub use preview::{Assumed, decline, preview};
pub use progress::{Direction, HearProgress, Progress};
pub use record::{ApprovedUpdate, Shown};
pub use residuals::Residuals;
use snowball_protocol::{RoundNumber, Sha256Digest, StudyPlan, receipt::SignedReceipt, update::UpdateHeader};
pub use spent::Budget;
use std::collections::BTreeSet;

/// The way out for updates.
pub struct Egress {
    door: Door,
    outbox: Outbox,
    residuals: Residuals,
}

impl Egress {
    /// A way out through `door` that keeps what is under way in `outbox`, and in `residuals` what updates left over.
    #[must_use]
    pub const fn new(door: Door, outbox: Outbox, residuals: Residuals) -> Self {
        Self {
            door,
            outbox,
            residuals,
        }
    }

    /// The door itself, for everything that is not an update.
    #[must_use]
    pub const fn door(&self) -> &Door {
        &self.door
    }

    /// Filter, decide, record, send. Gives the aggregator's receipt, kept in the ledger.
    ///
    /// # Errors
    /// When the update is not fit to leave, the policy denies it, the ledger cannot be written, or the aggregator refuses.
    /// A broken line is no error: sending goes on where it stood.
    pub async fn offer(&self, plan: &StudyPlan, mut candidate: Candidate) -> Result<SignedReceipt, EgressError> {
        candidate.evaluation.iter_mut().for_each(|one| self.door.speak(one));
        let carried = self.carried(plan, candidate.round, candidate.delta.len()).await?;
        let encoded = filter::filter(plan, candidate, carried.as_deref())?;
        drop(carried);
        let permit = gate::decide(&self.door, plan, &encoded)?;
        let kept = (&self.outbox, &self.residuals);
        let approved = record::record(&self.door, kept, encoded, &permit)?;
        send::send(&self.door, kept, plan, approved).await
    }

    /// What the updates before left over, once it is known of each whether it counted.
    async fn carried(
        &self,
        plan: &StudyPlan,
        round: RoundNumber,
        numbers: usize,
    ) -> Result<Option<Vec<f32>>, EgressError> {
        if !plan.transfer.encoding.feeds_back() {
            return Ok(None);
        }
        let doubtful = self.residuals.in_doubt(plan)?;
        if let Some((before, update)) = doubtful.filter(|(before, _)| *before != round) {
            let outcome = match self.round_waiting_with(plan, |header| header.digest == update)? {
                Some(waiting) => self.resume(plan, waiting).await,
                None => Ok(None),
            };
            match outcome {
                Ok(Some(_)) => {}
                // No record names it, so it never left.
                Ok(None) => self.residuals.reject(plan, update)?,
                Err(fault) if send::is_over(&fault, plan.rounds.late) => {
                    tracing::info!(round = %before, %fault, "what this round's update left over does not count");
                }
                Err(fault) => return Err(fault),
            }
        }
        self.residuals.settled(plan, numbers)
    }

    /// Forgets what updates of a study left over: a patient who had a part in them withdrew.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn forget_residual(&self, plan: &StudyPlan) -> Result<(), EgressError> {
        self.residuals.forget(&plan.study)
    }

    /// Whether an update of this round waits in the outbox.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn holds(&self, plan: &StudyPlan, round: RoundNumber) -> Result<bool, EgressError> {
        Ok(self.outbox.header(&plan.study, round)?.is_some())
    }

    /// The round that the update which was trained from this model waits in the outbox for.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn round_of(&self, plan: &StudyPlan, model_in: &Sha256Digest) -> Result<Option<RoundNumber>, EgressError> {
        self.round_waiting_with(plan, |header| header.model_in == *model_in)
    }

    fn round_waiting_with(
        &self,
        plan: &StudyPlan,
        is_it: impl Fn(&UpdateHeader) -> bool,
    ) -> Result<Option<RoundNumber>, EgressError> {
        for round in self.outbox.rounds(&plan.study)? {
            if self
                .outbox
                .header(&plan.study, round)?
                .is_some_and(|header| is_it(&header))
            {
                return Ok(Some(round));
            }
        }
        Ok(None)
    }

    /// Forgets the updates of `rounds`, whose receipts the ledger holds already: a crash came between the two.
    ///
    /// # Errors
    /// When the outbox cannot be changed.
    pub fn forget(&self, plan: &StudyPlan, rounds: &BTreeSet<RoundNumber>) -> Result<(), EgressError> {
        for round in self.outbox.rounds(&plan.study)?.intersection(rounds) {
            if let Some(header) = self.outbox.header(&plan.study, *round)? {
                self.residuals.settle(plan, header.digest)?;
            }
            self.outbox.forget(&plan.study, *round)?;
        }
        Ok(())
    }

    /// Sends again what was recorded before a crash and had no receipt yet. The policy of now is asked again.
    ///
    /// # Errors
    /// As [`offer`](Self::offer).
    pub async fn resume(&self, plan: &StudyPlan, round: RoundNumber) -> Result<Option<SignedReceipt>, EgressError> {
        let Some((encoded, mut header)) = self.outbox.find(&plan.study, round)? else {
            return Ok(None);
        };
        let permit = gate::decide(&self.door, plan, &encoded)?;
        // The policy may have changed since: what it no longer lets out stays.
        let shown = permit.terms.metrics;
        header.evaluation = shown.and_then(|shown| record::visible(header.evaluation, shown));
        let approved = ApprovedUpdate::recorded_before(encoded, header);
        let kept = (&self.outbox, &self.residuals);
        send::send(&self.door, kept, plan, approved).await.map(Some)
    }
}
