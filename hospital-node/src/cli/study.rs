//! `study`: what a study would mean for this hospital.

mod told;
mod withheld;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use snowball_egress::Budget;
use snowball_ledger::Entry;
use snowball_policy::Spent;
use snowball_protocol::{SiteName, StudyName, StudyPlan};
use snowball_service::clock;
use snowball_web::Language;

use super::{Context, Refused, pretrain, selftest::step_bar, words};
use crate::{
    config::NodeConfig,
    driver,
    home::Home,
    page, policy,
    preview::{self, Preview, Standing, Wish},
    selftest::Progress,
    trainer,
};

/// What a study would mean for this hospital, and whether it takes part.
#[derive(Subcommand)]
pub enum Study {
    Preview(PreviewVerb),
    Decline(withheld::Decline),
    Reconsider(withheld::Reconsider),
}

/// Show, before anybody approves a study, the very bytes and fields that would leave: one round on made-up radiographs. No
/// patient's file is read, nothing is sent. Exit code 3 where something of a made-up patient stands in it.
#[derive(Args)]
#[command(after_help = "Example: hospital-node study preview plan.toml --out preview --language fr")]
pub struct PreviewVerb {
    /// The plan, as the coordinator hands it over: TOML or JSON.
    #[arg(required_unless_present = "study", conflicts_with = "study")]
    plan: Option<PathBuf>,
    /// Fetch the plan of this study from the aggregator instead: the node must be enrolled and the study started.
    #[arg(long)]
    study: Option<StudyName>,
    /// A new folder for the page, the messages and their description as JSON.
    #[arg(long)]
    out: PathBuf,
    /// About how many radiographs to draw.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(preview::FILES_MIN..=100_000))]
    files: u64,
    /// Which radiographs: the same seed draws the same ones.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Train fewer steps than the plan says. The values change, the fields and sizes do not.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    steps: Option<u32>,
    /// The language of the page, of the description as JSON and of what is printed: en or fr. Names and codes are the same in both.
    #[arg(long, default_value_t)]
    language: Language,
}

impl Study {
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Preview(verb) => verb.run(context),
            Self::Decline(verb) => verb.run(context),
            Self::Reconsider(verb) => verb.run(context),
        }
    }
}

impl PreviewVerb {
    fn run(self, context: &Context) -> Result<()> {
        empty(&self.out)?;
        let home = Home::at(&context.root);
        let is_node = home.config_file().exists();
        let config = if is_node {
            home.config()?
        } else {
            NodeConfig::new(
                "preview"
                    .parse::<SiteName>()
                    .context("the name of the preview's site")?,
            )
        };
        let plan = self.plan(&home, &config)?;
        let now = clock::now();
        let spent = if is_node {
            spent(&home, &plan)?
        } else {
            Spent::default()
        };
        let in_force = policy::in_force(&home);
        let update_bytes = preview::update_bytes(&plan);
        let is_confined = is_node
            && trainer::choose(&config.training, &home.scratch()).is_ok_and(|trainer| trainer.confinement.is_whole());
        let site = preview::Site {
            config: &config,
            standing: Standing::ask(
                in_force.as_ref(),
                &config.site,
                &plan,
                update_bytes,
                spent,
                is_confined,
                now,
            ),
        };
        let wish = Wish {
            plan: &plan,
            seed: self.seed,
            files: self.files,
            steps: self.steps,
        };
        let folder = tempfile::tempdir().context("cannot make a folder for the run")?;
        let mut made = preview::run(&wish, site, folder.path(), &Progress(&step_bar), now)?;
        made.preview = made.preview.in_language(self.language);
        let digest = preview::write(&self.out, &made, &page::preview(&made.preview, self.language)?)?;
        if is_node {
            let entry = Entry::StudyPreviewed {
                study: plan.study.clone(),
                plan_digest: plan.digest(),
                preview_digest: digest,
                account: words::account(),
            };
            let ledger = home.open_ledger(&config)?;
            let mut ledger = ledger.lock().map_err(|_| anyhow::anyhow!("the ledger is in use"))?;
            ledger.append(now, entry)?;
        }
        context.print(&made.preview, || told::text(&made.preview, &self.out))?;
        check(&made.preview)
    }

    fn plan(&self, home: &Home, config: &NodeConfig) -> Result<StudyPlan> {
        match (&self.plan, &self.study) {
            (Some(path), _) => pretrain::read_plan(path),
            (None, Some(study)) => fetch(home, config, study),
            (None, None) => bail!("name a plan, or a study of the aggregator with --study"),
        }
    }
}

fn empty(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    if entries.next().is_some() {
        bail!("{} is not empty; name a new folder", folder.display());
    }
    Ok(())
}

/// Rounds of this study that the site has taken part in.
fn spent(home: &Home, plan: &StudyPlan) -> Result<Spent> {
    let records = snowball_ledger::read(&home.ledger()).context("cannot read the ledger")?;
    Ok(Budget::of(&records).spent(&plan.study, None, None, clock::now()))
}

/// Asks for two documents and sends none.
fn fetch(home: &Home, config: &NodeConfig, study: &StudyName) -> Result<StudyPlan> {
    let door = driver::open_door(home, config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let studies = door.studies().await?;
        let listed = studies.iter().find(|summary| summary.study == *study);
        let summary = listed.with_context(|| {
            format!("the aggregator lists no study {study}; ask the coordinator for its plan as a file")
        })?;
        Ok(door.plan(summary).await?)
    })
}

/// Nobody should approve what names somebody, or what nobody can explain.
fn check(preview: &Preview) -> Result<()> {
    let unexplained = preview.unexplained();
    if !unexplained.is_empty() {
        let fault = format!(
            "this program has no words for {}; do not approve the study with this version",
            unexplained.join(", ")
        );
        return Err(Refused(fault).into());
    }
    if !preview.search.found.is_empty() {
        let fault =
            "something of a made-up patient stands in what would leave; do not approve any study with this program";
        return Err(Refused(fault.to_owned()).into());
    }
    Ok(())
}
