//! `aggregator study pause` and `resume`: a study rests and goes on; nothing of it is lost.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use snowball_ledger::Entry;
use snowball_protocol::StudyName;
use snowball_registry::Study;
use snowball_rounds::{Event, Phase};
use snowball_service::clock;

use super::{advance, find};
use crate::{
    cli::{Answer, Reason, Refused, open},
    home::Home,
    journal,
};

/// Has a study rest: sites are asked for nothing more and its clock stands still. What is under way may still come in.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator study pause body-parts --reason \"a site reports upside-down films\"")]
pub struct Pause {
    /// Which study
    pub study: StudyName,
    /// Why, for the ledger
    #[arg(long, value_name = "TEXT")]
    pub reason: Reason,
}

/// Has a paused study go on where it rested, with as much time left as it had.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator study resume body-parts")]
pub struct Resume {
    /// Which study
    pub study: StudyName,
}

impl Pause {
    /// Exit code 3 for a study that cannot rest: one that was not started, is paused or is over.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let reason = self.reason.to_string();
        let text = format!(
            "Paused {}. To go on: aggregator study resume {}",
            self.study, self.study
        );
        let may = |study: &Study| match &study.phase {
            Phase::Draft(_) => Some("was not started yet"),
            Phase::Paused(_) => Some("is paused already"),
            Phase::Released(_) | Phase::Abandoned(_) => Some("is over"),
            _ => None,
        };
        let entry = Entry::StudyPaused {
            study: self.study.clone(),
            reason: reason.clone(),
        };
        change(home, &self.study, may, entry, &Event::Paused { reason }).await?;
        Ok(Answer::new(text, json!({ "study": self.study, "paused": true })))
    }
}

impl Resume {
    /// Exit code 3 for a study that is not paused.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let may = |study: &Study| study.phase.paused().is_none().then_some("is not paused");
        let entry = Entry::StudyResumed {
            study: self.study.clone(),
        };
        change(home, &self.study, may, entry, &Event::Resumed).await?;
        Ok(Answer::new(
            format!("{} goes on.", self.study),
            json!({ "study": self.study, "paused": false }),
        ))
    }
}

async fn change(
    home: &Home,
    name: &StudyName,
    obstacle: impl Fn(&Study) -> Option<&'static str>,
    entry: Entry,
    event: &Event,
) -> Result<()> {
    let (home, registry) = open(home).await?;
    let study = find(&registry, name).await?;
    if let Some(obstacle) = obstacle(&study) {
        bail!(Refused(format!(
            "{name} {obstacle}; see aggregator study status {name}"
        )));
    }
    let now = clock::now();
    journal::record(&home, now, vec![entry])?;
    advance(&registry, name, event, |study, step| {
        let registry = registry.clone();
        async move { registry.save_phase(&study.plan.study, study.version, &step, now).await }
    })
    .await?;
    registry.close().await;
    Ok(())
}
