//! `aggregator study`: from a plan to a running study and its end.

mod abort;
mod begin;
mod create;
mod pause;
mod start;
mod status;

use anyhow::{Result, bail};
use clap::Subcommand;
use snowball_protocol::StudyName;
use snowball_registry::{Registry, RegistryError, Study as Saved};
use snowball_rounds::{Event, Step};
use snowball_service::clock;

pub use abort::Abort;
pub use pause::{Pause, Resume};
pub use start::Start;

use super::{Answer, Refused};
use crate::home::Home;

/// Check, create, start, watch, pause and abort studies.
#[derive(Subcommand)]
pub enum Study {
    /// Say whether a plan is sound, without creating anything
    Check(create::Check),
    /// Create a study from a plan; sites do not see it yet
    Create(create::Create),
    /// Open a study to the sites
    Start(Start),
    /// Show where a study stands, round by round
    Status(status::Status),
    /// Have a study rest: sites are asked for nothing more
    Pause(Pause),
    /// Have a paused study go on
    Resume(Resume),
    /// End a study without a release
    Abort(Abort),
}

impl Study {
    /// Runs one of them.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        match self {
            Self::Check(verb) => verb.run(),
            Self::Create(verb) => verb.run(home).await,
            Self::Start(verb) => verb.run(home).await,
            Self::Status(verb) => verb.run(home).await,
            Self::Pause(verb) => verb.run(home).await,
            Self::Resume(verb) => verb.run(home).await,
            Self::Abort(verb) => verb.run(home).await,
        }
    }
}

/// The study, or a refusal that names it.
pub async fn find(registry: &Registry, name: &StudyName) -> Result<Saved> {
    match registry.study(name).await? {
        Some(study) => Ok(study),
        None => bail!(Refused(format!(
            "no study is called {name}; see aggregator study status"
        ))),
    }
}

/// Moves the study by `event`, on whatever state a running server left; `save` writes the step.
async fn advance<F>(registry: &Registry, name: &StudyName, event: &Event, save: impl Fn(Saved, Step) -> F) -> Result<()>
where
    F: Future<Output = Result<u64, RegistryError>>,
{
    const OVERTAKEN_MAX: u32 = 8;
    for _ in 0..OVERTAKEN_MAX {
        let study = find(registry, name).await?;
        let step = study
            .phase
            .handle(event.clone(), clock::now(), &study.plan)
            .map_err(|problem| Refused(problem.to_string()))?;
        if !step.changed {
            return Ok(());
        }
        match save(study, step).await {
            Err(RegistryError::Stale { .. }) => {}
            result => return Ok(result.map(|_| ())?),
        }
    }
    bail!("the study changed too often meanwhile; try again")
}
