//! `aggregator release`: the end of a study that went well.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use snowball_crypto::VerifyingKey;
use snowball_ledger::Entry;
use snowball_protocol::{SiteName, StudyName, evaluation::Evaluation, gain, plan::Origin, record::RoundRecord};
use snowball_registry::{ObjectFolder, ObjectName, Registry, RegistryError, Release as Saved, Study};
use snowball_rounds::{Event, Phase};
use snowball_service::{clock, files};

use super::{Answer, Refused, open, read_key, study::find};
use crate::{
    home::Home,
    journal,
    release::{self, CARD_FILE, LINEAGE_FILE, Lineage, ReleaseRequest, SIGNATURE_FILE},
};

const DOCUMENT_BYTES_MAX: usize = 256 << 20;

/// Make and verify releases.
#[derive(Subcommand)]
pub enum Release {
    /// Write the final model of a study with its card and signed lineage into a new folder
    Create(Create),
    /// Check a release offline with the aggregator's public key
    Verify(Verify),
}

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

/// Verifies a release.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator release verify release-1 --key ledger.pub")]
pub struct Verify {
    /// The release's folder
    dir: PathBuf,
    /// The aggregator's public key: base64, or a file that holds it
    #[arg(long, value_name = "KEY")]
    key: String,
}

impl Release {
    /// Runs one of them.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        match self {
            Self::Create(verb) => verb.run(home).await,
            Self::Verify(verb) => verb.run(),
        }
    }
}

impl Create {
    async fn run(&self, home: &Home) -> Result<Answer> {
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
                DOCUMENT_BYTES_MAX,
            )?)?)
        };
        // The lineage as the very text that was signed: numbers read and written again may differ in their last digit.
        let document: Value = json!({
            "lineage": read(LINEAGE_FILE)?,
            "signature": read(SIGNATURE_FILE)?.trim(),
            "card": read(CARD_FILE)?,
        });
        let file = self.out.join(LINEAGE_FILE).display().to_string();
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

impl Verify {
    /// Exit code 3 where anything does not hold.
    fn run(&self) -> Result<Answer> {
        let key: VerifyingKey = read_key(&self.key)?;
        let (lineage, found) = release::verify(&self.dir, &key).map_err(|error| Refused(format!("{error:#}")))?;
        let json = json!({
            "study": lineage.study, "model_digest": lineage.model_digest, "parents": lineage.parents(), "holds": found.is_empty(),
            "found": found,
        });
        if found.is_empty() {
            let parents = lineage.parents().iter().map(Origin::name).collect::<Vec<_>>();
            let parents = match parents.join(",\nwhich began from ") {
                none if none.is_empty() => none,
                some => format!("\nIt began from {some}."),
            };
            let text = format!(
                "The release of {} holds: model {}.{parents}",
                lineage.study, lineage.model_digest
            );
            return Ok(Answer::new(text, json));
        }
        Ok(Answer::refused(
            format!("The release does NOT hold:\n  {}", found.join("\n  ")),
            json,
        ))
    }
}
