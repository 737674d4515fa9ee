//! The studies that run: one task each around the pure machine of `snowball-rounds`.
//!
//! Everything that changes a study goes through its one driver, which writes the new phase to the database before anyone
//! hears of it. Routes read the published phase and never wait for the database to learn what a site should do.

mod aggregate;
mod desk;
mod hashing;
mod heal;
mod next_model;
mod rows;
mod study;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use anyhow::Result;
use snowball_protocol::{SiteName, StudyName};
use snowball_rounds::Phase;
use snowball_service::clock;
use tokio::time::sleep;

pub use aggregate::control_reference;
pub use desk::Desk;

use crate::{state::Core, stop::Stop};

/// How soon a change by a command (another process) is noticed.
const CHANGES_MILLISECONDS: u64 = 200;

/// The studies by name. Drafts are not among them: they are nobody's business yet.
#[derive(Clone, Default)]
pub struct Studies(Arc<RwLock<BTreeMap<StudyName, Arc<Desk>>>>);

impl Studies {
    /// The desk of `study`.
    pub fn get(&self, study: &StudyName) -> Option<Arc<Desk>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(study)
            .cloned()
    }

    /// All desks, by name.
    pub fn all(&self) -> Vec<Arc<Desk>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    fn insert(&self, desk: Arc<Desk>) {
        let name = desk.plan().study.clone();
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, desk);
    }
}

/// Opens every study that was under way, carries on where it was left, and returns when all are ready.
pub async fn start(core: &Arc<Core>, studies: &Studies, stop: &Stop) -> Result<()> {
    heal::ledger(core).await?;
    heal::files(core).await;
    refresh(core, studies, stop).await
}

/// Watches the database and the outbox for what other processes did; ends with `stop`.
pub async fn watch_changes(core: Arc<Core>, studies: Studies, mut stop: Stop) {
    let mut seen = 0;
    loop {
        tokio::select! {
            () = sleep(Duration::from_millis(CHANGES_MILLISECONDS)) => {}
            () = stop.asked() => return,
        }
        if let Err(error) = core.journal.drain(clock::now()).await {
            tracing::error!(%error, "the ledger's outbox could not be taken in");
        }
        match core.registry.changed_since(seen).await {
            Ok(None) => {}
            Ok(Some(counter)) => match refresh(&core, &studies, &stop).await {
                Ok(()) => seen = counter,
                Err(error) => tracing::error!(
                    error = format!("{error:#}"),
                    "changes could not be taken over; trying again"
                ),
            },
            Err(error) => tracing::error!(%error, "the database could not be asked for changes"),
        }
    }
}

async fn refresh(core: &Arc<Core>, studies: &Studies, stop: &Stop) -> Result<()> {
    core.revoked.refresh(&core.registry).await?;
    let revoked = core.registry.revoked_sites().await?;
    for (name, version) in core.registry.study_versions().await? {
        let desk = match studies.get(&name) {
            Some(desk) => {
                if desk.version() != version {
                    desk.reload().await;
                }
                desk
            }
            None => {
                let study = core.registry.study(&name).await?;
                let Some(study) = study.filter(|study| !matches!(study.phase, Phase::Draft(_))) else {
                    continue;
                };
                let desk = study::open(Arc::clone(core), study, stop.clone()).await?;
                studies.insert(Arc::clone(&desk));
                desk
            }
        };
        let shut_out = |phase: &Phase| -> Vec<SiteName> {
            let members = revoked.iter().filter(|site| phase.is_member(site));
            members.cloned().collect()
        };
        for site in desk.look(shut_out) {
            desk.leave(site).await;
        }
    }
    Ok(())
}
