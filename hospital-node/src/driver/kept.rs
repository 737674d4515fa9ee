//! What this site keeps of a study's network for itself, where the plan says so: resolved before it is used.

use anyhow::Result;
use snowball_participation as participation;

use super::{
    Driver,
    study::{Study, sort},
};
use crate::{
    kept_parameters::{KeptParameters, Settled},
    receipts,
};

impl Driver {
    pub(super) fn kept_of(&self, study: &Study) -> KeptParameters {
        KeptParameters::of(&self.home, &study.plan, &study.layout)
    }

    /// Those after the last update that counted: an update of which a crash hid how it ended is asked about first.
    pub(super) async fn kept(&self, study: &Study) -> Result<Option<Settled>> {
        let kept = self.kept_of(study);
        if kept.is_empty() {
            return Ok(None);
        }
        let Some(belongs) = kept.pending()? else {
            return kept.settled();
        };
        let (plan, model_in) = (&study.plan, &belongs.model_in);
        let has_receipt = receipts::has(&self.home, &plan.study, model_in)?;
        let waiting = self.egress.round_of(plan, model_in)?;
        match participation::kept_parameters(has_receipt, waiting) {
            participation::KeptParameters::Settle => kept.settle(model_in)?,
            participation::KeptParameters::Send(round) => {
                self.until_it_may_leave(study).await;
                match self.egress.resume(plan, round).await {
                    Ok(Some(signed)) => kept.settle(&signed.receipt.model_in)?,
                    Err(fault) if !participation::is_settled(sort(&fault)) => return Err(fault.into()),
                    Ok(None) | Err(_) => {}
                }
            }
            participation::KeptParameters::Drop => {}
        }
        kept.drop_pending()?;
        kept.settled()
    }

    /// The same at the end of a study: an update whose end nobody can tell any more is no reason to go without the model.
    pub(super) async fn last_kept(&self, study: &Study) -> Result<Option<Settled>> {
        match self.kept(study).await {
            Ok(kept) => Ok(kept),
            Err(fault) => {
                let fault = format!("{fault:#}");
                tracing::warn!(study = %study.plan.study, fault, "what the last update left here is not in the final model");
                self.kept_of(study).settled()
            }
        }
    }
}
