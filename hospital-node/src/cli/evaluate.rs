//! `evaluate`: how good a model that is kept on site is, on this site's patients.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};
use snowball_layout::Layout;
use snowball_protocol::Sha256Digest;
use snowball_service::files;
use snowball_worker::shard::Part;

use super::{Context, pretrain};
use crate::{datasets, events, policy, round, trainer};

/// Evaluate a model of a study on this site's patients. Nothing leaves.
#[derive(Args)]
#[command(after_help = "Example: hospital-node evaluate --plan plan.toml --model federated --part testing")]
pub struct Evaluate {
    /// The study's plan.
    #[arg(long)]
    plan: PathBuf,
    /// Which of the models that are kept on site.
    #[arg(long, value_enum)]
    model: Model,
    /// On which patients.
    #[arg(long, value_enum, default_value_t = PartChoice::Testing)]
    part: PartChoice,
}

#[derive(Clone, Copy, ValueEnum)]
enum Model {
    /// The final model of the study.
    Federated,
    /// The one of `pretrain --local`.
    Local,
}

#[derive(Clone, Copy, ValueEnum)]
enum PartChoice {
    /// Patients that rounds were judged by.
    Validation,
    /// Patients that nothing was fitted to or judged by.
    Testing,
}

impl Evaluate {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let config = home.config()?;
        let plan = pretrain::read_plan(&self.plan)?;
        let dataset = datasets::freeze(&home, &home.open_store(&config)?, &plan)?;
        let layout = Layout::of(&plan);
        let kind = match self.model {
            Model::Federated => "federated",
            Model::Local => "local",
        };
        let path = home.model(&plan.study, kind);
        let limit = usize::try_from(layout.bytes())?;
        let bytes = files::read_bounded(&path, limit).with_context(|| {
            format!(
                "no {kind} model of {}; train one first ({})",
                plan.study,
                path.display()
            )
        })?;
        ensure!(bytes.len() == limit, "{} is not a model of this plan", path.display());
        let parameters = snowball_layout::from_le_bytes(&bytes).context("the model is no list of numbers")?;
        let part = match self.part {
            PartChoice::Validation => Part::Validation,
            PartChoice::Testing => Part::Testing,
        };
        let trainer = trainer::choose(&config.training, &home.scratch())?.held_as(policy::confinement(&home));
        let digest = Sha256Digest::of(&bytes);
        let evaluation = round::quality(&trainer, &plan, &dataset.source, part, &parameters, digest)?;
        context.print(&evaluation, || {
            format!("{} radiographs: {}", evaluation.images, events::summary(&evaluation))
        })
    }
}
