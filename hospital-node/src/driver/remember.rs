//! A study that ended while this site was off: what the aggregator signed about its rounds belongs to the site's evidence all the same.

use std::collections::BTreeSet;

use anyhow::Result;
use snowball_layout::Layout;
use snowball_protocol::{
    RoundNumber, StudyPlan,
    session::{PhaseName, StudySummary},
};

use super::Driver;
use crate::{kept_parameters::KeptParameters, receipts};

impl Driver {
    /// Keeps the receipts that this site never heard, and the signed outcomes of the rounds that its updates are in and whose end it did
    /// not hear of. Where it has them all, nobody is asked.
    pub(super) async fn remember(&self, summary: StudySummary) -> Result<PhaseName> {
        let held = receipts::held(&self.home, &summary.study)?;
        let mut open = held.without_outcome;
        if !open.is_empty() || !self.egress.unheard(&summary.study)?.is_empty() {
            let plan = self.steadily(|| self.egress.door().plan(&summary)).await?;
            // Asked about again, it would bring the same receipt into the ledger a second time.
            self.egress.forget(&plan, &held.rounds)?;
            let asked = self.hear_unheard(&plan, &mut open).await;
            self.keep_outcomes(&plan, Some(summary.round), &mut open).await;
            self.steadily(|| self.egress.door().exchange_heads()).await?;
            asked?;
        }
        Ok(summary.phase)
    }

    /// Asks for the receipts of a study that is over, each once: they are at most as many as it had rounds. A broken line is waited out with
    /// growing pauses; what else goes wrong is tried again when the study is looked at the next time.
    pub(super) async fn hear_unheard(&self, plan: &StudyPlan, open: &mut BTreeSet<RoundNumber>) -> Result<()> {
        for round in self.egress.unheard(&plan.study)? {
            if let Some(signed) = self.steadily(|| self.egress.hear_receipt(plan, round)).await? {
                let kept = KeptParameters::of(&self.home, plan, &Layout::of(plan));
                kept.settle(&signed.receipt.model_in)?;
                open.insert(signed.receipt.round);
            }
        }
        Ok(())
    }
}
