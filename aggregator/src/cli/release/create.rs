//! `aggregator release create`: the end of a study that went well.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use snowball_ledger::Entry;
use snowball_protocol::{SiteName, StudyName, evaluation::Evaluation, gain, record::RoundRecord};
use snowball_registry::{ObjectFolder, ObjectName, Registry, RegistryError, Release as Saved, Study};
use snowball_rounds::{Event, Phase};
use snowball_service::{clock, files};

use crate::{
    cli::{Answer, Refused, open, study::find},
    home::Home,
    journal,
    release::{self, CARD_FILE, LINEAGE_BYTES_MAX, LINEAGE_FILE, Lineage, ReleaseRequest, SIGNATURE_FILE},
};

/// Writes a release.
#[derive(Args)]
#[command(
    after_help = "Example:\n  aggregator release create body-parts --out release-1 --approved-by \"Dr Example\"\n\n\
    The folder holds model.safetensors (PyTorch names), model-card.md, lineage.json and its signature."
)]
pub struct Create {
    /// Which study; it must be in review, with all sites heard or the time over
    study: StudyName,
    /// The new folder
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Who approved it
    #[arg(long, value_name = "NAME")]
    approved_by: Option<String>,
}

impl Create {
    /// Writes the folder, then the ledger, then the database.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let (home, registry) = open(home).await?;
        let study = find(&registry, &self.study).await?;
        match &study.phase {
            Phase::Reviewing(reviewing) if reviewing.is_ready() => {}
            Phase::Reviewing(_) => bail!(Refused(format!(
                "{} still waits for sites to evaluate the final model",
                self.study
            ))),
            Phase::Released(_) => bail!(Refused(format!("{} was released already", self.study))),
            Phase::Paused(_) => bail!(Refused(format!(
                "{} is paused; first: aggregator study resume {}",
                self.study, self.study
            ))),
            _ => bail!(Refused(format!(
                "{} is not in review; see aggregator study status {}",
                self.study, self.study
            ))),
        }
        let now = clock::now();
        let (lineage, release) = self.write(&home, &registry, &study, now).await?;
        let digest = release.digest;
        journal::record(
            &home,
            now,
            vec![Entry::ReleaseSigned {
                study: self.study.clone(),
                release_digest: digest,
            }],
        )?;
        self.save(&registry, &release, now).await?;
        registry.close().await;
        let text = format!(
            "Released {} in {}: {} parameters, {} rounds, lineage {digest}.\nCheck it: aggregator release verify {} --key {}",
            self.study,
            self.out.display(),
            lineage.parameters,
            lineage.rounds.len(),
            self.out.display(),
            lineage.aggregator_key,
        );
        let json = json!({ "study": self.study, "folder": self.out, "release_digest": digest, "model_digest": lineage.model_digest });
        Ok(Answer::new(text, json))
    }

    async fn write(&self, home: &Home, registry: &Registry, study: &Study, now: i64) -> Result<(Lineage, Saved)> {
        let model = study.phase.model().context("the study has no model")?;
        let rounds: Vec<RoundRecord> = registry
            .rounds(&self.study)
            .await?
            .into_iter()
            .filter_map(|round| round.record)
            .collect();
        let finals = registry.evaluations(&self.study).await?;
        let gains = gain::of_finals(&finals);
        let evaluations: Vec<(SiteName, Evaluation)> = finals
            .into_iter()
            .filter_map(|(site, done)| Some((site, done.evaluation?)))
            .collect();
        let objects = ObjectFolder::open(&home.objects_dir())?;
        let parameters = objects.path(&ObjectName::model(&self.study, model.round));
        let config = home.config()?;
        let request = ReleaseRequest {
            consortium: &config.consortium,
            plan: &study.plan,
            rounds: &rounds,
            parameters: &parameters,
            evaluations: &evaluations,
            gains: &gains,
            approved_by: self.approved_by.as_deref(),
            now,
        };
        let (lineage, digest) = release::create(&self.out, &request, &home.signing_key()?)?;
        let read = |name: &str| -> Result<String> {
            Ok(String::from_utf8(files::read_bounded(
                &self.out.join(name),
                LINEAGE_BYTES_MAX,
            )?)?)
        };
        // The lineage as the very text that was signed: numbers read and written again may differ in their last digit.
        let document: Value = json!({
            "lineage": read(LINEAGE_FILE)?,
            "signature": read(SIGNATURE_FILE)?.trim(),
            "card": read(CARD_FILE)?,
        });
        // Whoever lists releases later stands elsewhere.
        let file = std::path::absolute(self.out.join(LINEAGE_FILE))?.display().to_string();
        let saved = Saved {
            study: self.study.clone(),
            digest,
            model: lineage.model_digest,
            file,
            document,
            released: now,
        };
        Ok((lineage, saved))
    }

    /// Only a site's late evaluation can come between; then once more on the newer state.
    async fn save(&self, registry: &Registry, release: &Saved, now: i64) -> Result<()> {
        const OVERTAKEN_MAX: u32 = 8;
        let event = Event::ReleaseSigned {
            release: release.digest,
        };
        for _ in 0..OVERTAKEN_MAX {
            let study = find(registry, &self.study).await?;
            let step = study
                .phase
                .handle(event.clone(), now, &study.plan)
                .map_err(|problem| Refused(problem.to_string()))?;
            match registry
                .add_release(&self.study, study.version, &step, release, now)
                .await
            {
                Err(RegistryError::Stale { .. }) => {}
                result => return Ok(result.map(|_| ())?),
            }
        }
        bail!("the study changed too often meanwhile; try again")
    }
}
