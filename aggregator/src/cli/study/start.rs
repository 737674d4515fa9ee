//! `aggregator study start`: the initial model is made from the plan's seed, and the sites are called.

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::json;
use snowball_layout::Layout;
use snowball_ledger::Entry;
use snowball_protocol::{RoundNumber, Sha256Digest, StudyName};
use snowball_registry::{ObjectFolder, ObjectName};
use snowball_rounds::{Event, Phase};
use snowball_service::clock;

use super::{advance, find};
use crate::{
    cli::{Answer, Refused, open},
    home::Home,
    journal,
};

/// Opens a study to the sites.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator study start body-parts")]
pub struct Start {
    /// Which study
    study: StudyName,
}

impl Start {
    /// Exit code 3 for a study that was started before.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let (home, registry) = open(home).await?;
        let study = find(&registry, &self.study).await?;
        if !matches!(study.phase, Phase::Draft(_)) {
            bail!(Refused(format!(
                "{} was started already; see aggregator study status {}",
                self.study, self.study
            )));
        }
        let objects = ObjectFolder::open(&home.objects_dir())?;
        let layout = Layout::of(&study.plan);
        let bytes = snowball_layout::to_le_bytes(&layout.initial_parameters(study.plan.seed));
        let model = Sha256Digest::of(&bytes);
        objects
            .put(&ObjectName::model(&self.study, RoundNumber(0)), &bytes)
            .context("cannot write the initial model")?;
        drop(bytes);

        let now = clock::now();
        journal::record(
            &home,
            now,
            vec![Entry::StudyStarted {
                study: self.study.clone(),
            }],
        )?;
        advance(&registry, &self.study, &Event::Started { model }, |study, step| {
            let registry = registry.clone();
            async move { registry.save_phase(&study.plan.study, study.version, &step, now).await }
        })
        .await?;
        registry.close().await;
        let text = format!(
            "Started {}; sites may join for at most {} s. See aggregator study status {}.",
            self.study, study.plan.rounds.recruit_seconds.max, self.study
        );
        Ok(Answer::new(
            text,
            json!({ "study": self.study, "initial_model": model }),
        ))
    }
}
