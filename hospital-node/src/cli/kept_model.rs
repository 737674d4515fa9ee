//! A model that is kept on site, with the dataset of its study and a trainer that the policy lets run it.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};
use snowball_layout::Layout;
use snowball_policy::Action;
use snowball_protocol::{Sha256Digest, StudyPlan};
use snowball_service::files;
use snowball_store::Store;
use snowball_worker::shard::Part;

use super::{Context, alone, pretrain};
use crate::{
    datasets::{self, StudyDataset},
    home::Home,
    outputs::Asked,
    policy,
    trainer::{self, Trainer},
};

/// Which model.
#[derive(Args)]
pub(super) struct KeptModel {
    /// The study's plan.
    #[arg(long)]
    plan: PathBuf,
    /// Which of the models that are kept on site.
    #[arg(long, value_enum)]
    model: Model,
}

#[derive(Clone, Copy, ValueEnum)]
enum Model {
    /// The final model of the study.
    Federated,
    /// The one of `pretrain --local` or `finetune`.
    Local,
}

/// On which patients.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PartChoice {
    /// Patients that rounds were judged by.
    Validation,
    /// Patients that nothing was fitted to or judged by.
    Testing,
}

impl PartChoice {
    pub(super) const fn part(self) -> Part {
        match self {
            Self::Validation => Part::Validation,
            Self::Testing => Part::Testing,
        }
    }
}

/// Everything that it takes to ask the model.
pub(super) struct Opened {
    pub plan: StudyPlan,
    pub store: Store,
    pub dataset: StudyDataset,
    pub trainer: Trainer,
    pub parameters: Vec<f32>,
    pub digest: Sha256Digest,
    /// The policy's smallest cell.
    pub cell_min: u64,
}

/// One of the ways to freeze a plan's dataset.
type Freeze = fn(&Home, &Store, &StudyPlan) -> Result<StudyDataset>;

/// What a kept model is used with.
pub(super) struct Permitted {
    pub store: Store,
    pub dataset: StudyDataset,
    pub trainer: Trainer,
}

/// Freezes the dataset of `plan` and asks the policy, which must permit the use of its model although nothing leaves.
pub(super) fn permitted(home: &Home, plan: &StudyPlan) -> Result<Permitted> {
    permitted_on(home, plan, datasets::freeze)
}

fn permitted_on(home: &Home, plan: &StudyPlan, freeze: Freeze) -> Result<Permitted> {
    let config = home.config()?;
    let store = home.open_store(&config)?;
    let dataset = freeze(home, &store, plan)?;
    let trainer = trainer::choose(&config.training, &home.scratch())?.held_as(policy::confinement(home));
    let is_confined = trainer.confinement.is_whole();
    alone::permit(home, plan, &dataset, Action::Evaluate, is_confined)?;
    Ok(Permitted {
        store,
        dataset,
        trainer,
    })
}

impl KeptModel {
    /// Reads the model, freezes its study's dataset and asks the policy, which must permit it although nothing leaves.
    pub fn open(&self, context: &Context) -> Result<Opened> {
        self.open_on(context, datasets::freeze)
    }

    /// The same with every radiograph of the site, labelled or not, as the dataset.
    pub fn open_whole(&self, context: &Context) -> Result<Opened> {
        self.open_on(context, datasets::freeze_whole)
    }

    fn open_on(&self, context: &Context, freeze: Freeze) -> Result<Opened> {
        let home = context.home()?;
        let plan = pretrain::read_plan(&self.plan)?;
        let bytes = self.read(&home, &plan)?;
        let parameters = snowball_layout::from_le_bytes(&bytes).context("the model is no list of numbers")?;
        let Permitted {
            store,
            dataset,
            trainer,
        } = permitted_on(&home, &plan, freeze)?;
        Ok(Opened {
            cell_min: policy::in_force(&home).map_or(0, |signed| signed.policy.cell_min()),
            plan,
            store,
            dataset,
            trainer,
            parameters,
            digest: Sha256Digest::of(&bytes),
        })
    }

    fn read(&self, home: &Home, plan: &StudyPlan) -> Result<Vec<u8>> {
        let kind = match self.model {
            Model::Federated => "federated",
            Model::Local => "local",
        };
        let path = home.model(&plan.study, kind);
        let limit = usize::try_from(Layout::of(plan).bytes())?;
        let bytes = files::read_bounded(&path, limit).with_context(|| {
            format!(
                "no {kind} model of {}; train one first ({})",
                plan.study,
                path.display()
            )
        })?;
        ensure!(bytes.len() == limit, "{} is not a model of this plan", path.display());
        Ok(bytes)
    }
}

impl Opened {
    pub fn asked(&self) -> Asked<'_> {
        Asked {
            trainer: &self.trainer,
            plan: &self.plan,
            dataset: &self.dataset.source,
            parameters: &self.parameters,
        }
    }
}
