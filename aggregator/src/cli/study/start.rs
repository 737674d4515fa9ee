//! `aggregator study start`: the initial model is made from the plan's seed, or is there already, and the sites are called.

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::json;
use snowball_layout::Layout;
use snowball_ledger::Entry;
use snowball_protocol::{RoundNumber, Sha256Digest, StudyName, StudyPlan, digest::RunningDigest};
use snowball_registry::{ObjectError, ObjectFolder, ObjectName};
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
    pub study: StudyName,
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
        let model = first_model(&objects, &study.plan)?;

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

/// Makes the model of round 0 where the seed does; else it was kept when the study was created, and must be what the plan names.
fn first_model(objects: &ObjectFolder, plan: &StudyPlan) -> Result<Sha256Digest> {
    const CHUNK_BYTES: usize = 1 << 20;
    let name = ObjectName::model(&plan.study, RoundNumber(0));
    let Some(start) = &plan.start else {
        let bytes = snowball_layout::to_le_bytes(&Layout::of(plan).initial_parameters(plan.seed));
        objects.put(&name, &bytes).context("cannot write the initial model")?;
        return Ok(Sha256Digest::of(&bytes));
    };
    let mut digest = RunningDigest::default();
    objects
        .read_chunks::<ObjectError>(&name, CHUNK_BYTES, |chunk| {
            digest.update(chunk);
            Ok(())
        })
        .context("cannot read the model that the study begins with")?;
    let found = digest.finish();
    if found != start.model {
        bail!(Refused(format!(
            "the model of round 0 is {found}, and the plan of {} begins with {}: its file was changed since the study was created; \
             `aggregator study create PLAN --from WHERE` brings it back",
            plan.study, start.model
        )));
    }
    Ok(found)
}
