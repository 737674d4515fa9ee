//! Receipts that were never heard: the aggregator's answer was lost, and the study ended before this site came back.
//!
//! Asking for one is a request without a body, so nothing leaves and no policy is asked. Each update that waits is asked about once: the
//! answer is a receipt, or that there is none, and then the ledger says so.

use std::collections::BTreeSet;

use snowball_ledger::Entry;
use snowball_protocol::{RoundNumber, StudyName, StudyPlan, receipt::SignedReceipt, update::UpdateHeader};

use crate::{Egress, error::EgressError, send};

impl Egress {
    /// The rounds of a study whose updates were recorded and have no receipt.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn unheard(&self, study: &StudyName) -> Result<BTreeSet<RoundNumber>, EgressError> {
        self.outbox.rounds(study)
    }

    /// Asks, after the end of a study, for the receipt of what waits in the outbox for `round`, and writes down what it hears: the
    /// receipt, or that there is none to be had. Either way it is not asked about again.
    ///
    /// # Errors
    /// When the aggregator cannot be reached, refuses, or gives something else than the receipt of this update; then it is asked about
    /// another time. When the ledger or the outbox cannot be written.
    pub async fn hear_receipt(
        &self,
        plan: &StudyPlan,
        round: RoundNumber,
    ) -> Result<Option<SignedReceipt>, EgressError> {
        let study = &plan.study;
        let Some(header) = self.outbox.header(study, round)? else {
            self.outbox.forget(study, round)?;
            return Ok(None);
        };
        if let Some(receipt) = self.door.receipt(study, round).await? {
            return self.keep_receipt(plan, &header, receipt).map(Some);
        }
        self.door.record(Entry::ReceiptNotHad {
            study: study.clone(),
            round,
            update_digest: header.digest,
        })?;
        self.residuals.reject(plan, header.digest)?;
        self.outbox.forget(study, round)?;
        Ok(None)
    }

    /// Asks for the receipt of an update that may not be sent again, since the policy denies it now: that it was taken in before stays
    /// true. Nothing is written down where there is none.
    pub(crate) async fn receipt_of_denied(
        &self,
        plan: &StudyPlan,
        round: RoundNumber,
    ) -> Result<Option<SignedReceipt>, EgressError> {
        let Some(header) = self.outbox.header(&plan.study, round)? else {
            return Ok(None);
        };
        match self.door.receipt(&plan.study, round).await? {
            Some(receipt) => self.keep_receipt(plan, &header, receipt).map(Some),
            None => Ok(None),
        }
    }

    fn keep_receipt(
        &self,
        plan: &StudyPlan,
        header: &UpdateHeader,
        receipt: SignedReceipt,
    ) -> Result<SignedReceipt, EgressError> {
        send::keep(&self.door, (&self.outbox, &self.residuals), plan, (header, receipt))
    }
}
