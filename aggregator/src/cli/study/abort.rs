//! `aggregator study abort`: a study ends without a release; what was written down stays.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use snowball_ledger::Entry;
use snowball_protocol::{StudyName, session::PhaseName};
use snowball_rounds::Event;
use snowball_service::clock;

use super::{advance, find};
use crate::{
    cli::{Answer, Reason, Refused, open},
    home::Home,
    journal,
};

/// Ends a study without a release.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator study abort body-parts --reason \"wrong labels in the plan\"")]
pub struct Abort {
    /// Which study
    pub study: StudyName,
    /// Why, for the ledger
    #[arg(long, value_name = "TEXT")]
    pub reason: Reason,
}

impl Abort {
    /// Exit code 3 for a study that is over.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let (home, registry) = open(home).await?;
        let study = find(&registry, &self.study).await?;
        if matches!(study.phase.name(), PhaseName::Released | PhaseName::Abandoned) {
            bail!(Refused(format!("{} is over already", self.study)));
        }
        let now = clock::now();
        let reason = self.reason.to_string();
        journal::record(
            &home,
            now,
            vec![Entry::StudyAborted {
                study: self.study.clone(),
                reason: reason.clone(),
            }],
        )?;
        advance(&registry, &self.study, &Event::Aborted { reason }, |study, step| {
            let registry = registry.clone();
            async move { registry.save_phase(&study.plan.study, study.version, &step, now).await }
        })
        .await?;
        registry.close().await;
        Ok(Answer::new(
            format!("Aborted {}.", self.study),
            json!({ "study": self.study, "phase": PhaseName::Abandoned }),
        ))
    }
}
