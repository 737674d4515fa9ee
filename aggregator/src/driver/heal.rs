//! After a crash: what the database holds and the ledger does not is added; files that nobody needs are deleted.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::Arc,
};

use anyhow::{Context as _, Result};
use snowball_ledger::{Entry, LedgerError, SignedHead};
use snowball_protocol::{SiteName, ids::UploadId};
use snowball_registry::{Answer, KeptHead, Upload, UploadState};
use snowball_service::clock;
use tokio::task::spawn_blocking;

use super::{
    aggregate::{finished_entry, is_recent},
    study::joined_entry,
};
use crate::{intake, state::Core};

/// The database is written before the ledger; a kill in between loses the entry. Nothing older than the last finished round
/// can be missing.
pub async fn ledger(core: &Arc<Core>) -> Result<()> {
    let dir = core.journal.ledger_dir().to_owned();
    let Standing {
        entries: standing,
        heads,
    } = spawn_blocking(move || Standing::of(&dir))
        .await?
        .context("cannot read the ledger")?;
    keep_heads(core, heads).await?;
    let mut missing = Vec::new();
    for study in core.registry.studies().await? {
        let name = &study.plan.study;
        for participant in core.registry.participants(name).await? {
            if let Answer::Joined(request) = &participant.answer {
                missing.push(joined_entry(name, &participant.site, request));
            }
        }
        for round in core
            .registry
            .rounds(name)
            .await?
            .into_iter()
            .filter(|round| is_recent(round.round, study.phase.round()))
        {
            for upload in core.registry.admitted(name, round.round).await? {
                if let UploadState::Admitted { update, .. } = &upload.state {
                    missing.push(intake::admitted_entry(&upload, update));
                }
            }
            missing.extend(round.record.as_ref().map(finished_entry));
        }
    }
    missing.retain(|entry| key(entry).is_some_and(|key| !standing.contains(&key)));
    if !missing.is_empty() {
        tracing::warn!(
            entries = missing.len(),
            "the ledger lacked entries after a crash; they are added now"
        );
        core.journal.write(clock::now(), missing).await?;
    }
    Ok(())
}

/// What the ledger holds of what matters here.
#[derive(Default)]
struct Standing {
    /// The entries that can be missing and are not.
    entries: HashSet<String>,
    /// The newest head of each site's ledger.
    heads: HashMap<SiteName, String>,
}

impl Standing {
    /// Reads the ledger, one record in memory at a time.
    fn of(dir: &Path) -> Result<Self, LedgerError> {
        let mut standing = Self::default();
        for record in snowball_ledger::records(dir)? {
            let record = record?;
            standing.entries.extend(key(&record.entry));
            if let Entry::SiteHeadKept { site, head } = record.entry {
                standing.heads.insert(site, head);
            }
        }
        Ok(standing)
    }
}

/// Heads go into the ledger before the database: after a crash in between, the newest is taken from there.
async fn keep_heads(core: &Core, heads: HashMap<SiteName, String>) -> Result<()> {
    for (site, note) in heads {
        let Some(enrolled) = core.registry.site(&site).await? else {
            continue;
        };
        // A head under a key that the site had before is of a ledger that it no longer has.
        let signed = enrolled.ledger_key.parse().ok();
        let Some(signed) = signed.and_then(|key| SignedHead::read(&note, &key).ok()) else {
            continue;
        };
        if enrolled.head.is_none_or(|kept| kept.entries < signed.head.entries) {
            let head = KeptHead {
                entries: signed.head.entries,
                hash: signed.head.hash,
                note: signed.note,
            };
            core.registry.keep_head(&site, &head).await?;
        }
    }
    Ok(())
}

/// Deletes files of updates that were refused, replaced or used up. Also serves after each round.
pub async fn files(core: &Arc<Core>) {
    let spent = match core.registry.spent_files().await {
        Ok(spent) => spent,
        Err(error) => return tracing::error!(%error, "files that may be deleted could not be listed"),
    };
    if spent.is_empty() {
        return;
    }
    let objects = core.objects.clone();
    let delete = move || -> Vec<UploadId> {
        let gone = |upload: &Upload| {
            let deleted = objects.delete(&upload.file);
            if let Err(error) = &deleted {
                tracing::error!(%error, "a file could not be deleted");
            }
            deleted.is_ok()
        };
        spent.into_iter().filter(gone).map(|upload| upload.id).collect()
    };
    match spawn_blocking(delete).await {
        // One write for all: the next round's updates wait behind it.
        Ok(gone) => {
            if let Err(error) = core.registry.forget_files(&gone).await {
                tracing::error!(%error, "deleted files could not be forgotten");
            }
        }
        Err(error) => tracing::error!(%error, "deleting files broke off"),
    }
}

/// What makes an entry the same one, for the kinds that can be missing.
fn key(entry: &Entry) -> Option<String> {
    match entry {
        Entry::UpdateAdmitted {
            site,
            study,
            round,
            attempt,
            ..
        } => Some(format!("{study} update {round} {site} {}", attempt.0)),
        Entry::StudyJoined {
            study,
            site: Some(site),
            ..
        } => Some(format!("{study} joined {site}")),
        Entry::RoundFinished { study, round, .. } => Some(format!("{study} round {round}")),
        _ => None,
    }
}
