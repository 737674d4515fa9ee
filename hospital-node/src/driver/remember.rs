//! A study that ended while this site was off: what the aggregator signed about its rounds belongs to the site's evidence all the same.

use anyhow::Result;
use snowball_protocol::session::{PhaseName, StudySummary};

use super::Driver;
use crate::receipts;

impl Driver {
    /// Keeps the signed outcomes of the rounds that this site's updates are in and whose end it did not hear of. Where it has them
    /// all, nobody is asked.
    pub(super) async fn remember(&self, summary: StudySummary) -> Result<PhaseName> {
        let mut open = receipts::held(&self.home, &summary.study)?.without_outcome;
        if !open.is_empty() {
            let plan = self.steadily(|| self.egress.door().plan(&summary)).await?;
            self.keep_outcomes(&plan, Some(summary.round), &mut open).await;
            self.steadily(|| self.egress.door().exchange_heads()).await?;
        }
        Ok(summary.phase)
    }
}
