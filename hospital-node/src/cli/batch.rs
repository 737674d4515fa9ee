//! Intake in batches: each batch is durable, and in the ledger, before the next begins.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use anyhow::{Context as _, Result};
use rayon::prelude::*;
use snowball_crypto::{Domain, PseudonymKey};
use snowball_egress::SharedLedger;
use snowball_imaging::Intake;
use snowball_protocol::Sha256Digest;
use snowball_service::clock;
use snowball_store::{FileOutcome, Store};
use snowball_vault::Vault;

use super::{
    decoding::{Decoder, Keeps},
    ingest::{self, Fate, Line, Summary},
};
use crate::{
    config::NodeConfig,
    home::Home,
    now::intake::{Clerk, Way},
};

/// Files that share a batch: some seconds of work, so that a stop is soon obeyed and a crash repeats little.
pub(crate) const BATCH_FILES_MAX: usize = 64;

/// Everything that takes files in.
pub(crate) struct Batches {
    intake: Intake,
    known: Known,
    vault: Option<Vault>,
    ledger: SharedLedger,
    pool: rayon::ThreadPool,
    clerk: Option<Clerk>,
}

/// A file of a batch.
pub(crate) struct Waiting {
    /// Where it lies.
    pub path: PathBuf,
    /// By what it is known; none: by its path, size and time of change.
    pub key: Option<Sha256Digest>,
}

impl Batches {
    /// Opens the node's store, its ledger and, where links are kept, its vault; and has in the ledger what a process that was
    /// killed took in.
    /// All that is to be kept from decoders is open by then, and is taken from them before the first file is: from this process, or from the
    /// threads that decode, as `decoder` says.
    pub fn open(home: &Home, config: &NodeConfig, threads: usize, (decoder, keeps): (Decoder, Keeps)) -> Result<Self> {
        let (intake, vault) = home.intake(config)?;
        let known = Known::open(home, config)?;
        let ledger = home.open_ledger(config)?;
        let mut pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        match decoder {
            Decoder::Process => keeps.confine_process(),
            Decoder::Threads => pool = pool.start_handler(move |_| keeps.confine_thread()),
            Decoder::Test => {}
        }
        let batches = Self {
            intake,
            vault,
            known,
            ledger,
            pool: pool.build()?,
            clerk: None,
        };
        batches.record()?;
        Ok(batches)
    }

    /// Notes what comes in by this way, for the dashboard.
    pub fn noting(self, home: &Home, way: Way) -> Self {
        Self {
            clerk: Some(Clerk::at(home, way)),
            ..self
        }
    }

    /// Takes the files in; everything is durable, and the ledger knows, when this returns.
    ///
    /// # Errors
    /// When the store or the ledger refuses; what a file holds is never an error.
    pub fn take(&self, files: &[Waiting]) -> Result<Summary> {
        self.take_telling(files, &|_| {})
    }

    /// As [`take`](Self::take), telling `tell` each file's fate as it comes, from any thread.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_telling(&self, files: &[Waiting], tell: &(dyn Fn(&Fate) + Sync)) -> Result<Summary> {
        let begun = Instant::now();
        let line = Line {
            intake: &self.intake,
            importer: self.known.store.importer().on_record(),
            store: &self.known.store,
            vault: self.vault.as_ref(),
            key: self.known.key.clone(),
        };
        let counted = Mutex::new(Summary {
            files: files.len() as u64,
            ..Summary::default()
        });
        self.pool.install(|| {
            // Dealt out one by one: otherwise the last file's neighbours wait for it while other threads have nothing to do.
            files.par_iter().with_max_len(1).try_for_each(|file| {
                let fate = self.one(&line, file)?;
                counted.lock().unwrap_or_else(PoisonError::into_inner).count(&fate);
                self.clerk.iter().for_each(|clerk| clerk.count(&fate));
                tell(&fate);
                anyhow::Ok(())
            })
        })?;
        line.importer.flush().context("cannot finish the batch")?;
        self.record()?;
        self.clerk.iter().for_each(Clerk::settle);
        let mut summary = counted.into_inner().unwrap_or_else(PoisonError::into_inner);
        summary.seconds = begun.elapsed().as_secs_f64();
        Ok(summary)
    }

    /// Has in the ledger what the store took in. Files that were dealt with before are no news for an auditor.
    fn record(&self) -> Result<()> {
        self.known.store.record(|taken| {
            self.ledger
                .lock()
                .map_err(|_| anyhow::anyhow!("the ledger is in use"))?
                .append_all(clock::now(), ingest::entries(taken))?;
            anyhow::Ok(())
        })
    }

    fn one(&self, line: &Line<'_>, file: &Waiting) -> Result<Fate> {
        match file.key {
            None => line.take(&file.path),
            Some(key) if self.known.is_known(&key)? => Ok(Fate::Skipped),
            Some(key) => line.take_as(&file.path, key),
        }
    }

    /// What was dealt with before.
    pub const fn known(&self) -> &Known {
        &self.known
    }
}

/// What this node has dealt with before, by names that nobody else can read.
pub(crate) struct Known {
    store: Store,
    key: PseudonymKey,
}

impl Known {
    fn open(home: &Home, config: &NodeConfig) -> Result<Self> {
        Ok(Self {
            store: home.open_store(config)?,
            key: home.pseudonym_key(&config.project)?,
        })
    }

    /// Whether what `key` stands for was dealt with before.
    pub fn is_known(&self, key: &Sha256Digest) -> Result<bool> {
        Ok(self.store.seen(key)?.is_some())
    }

    /// Remembers that what `key` stands for was dealt with.
    pub fn remember(&self, key: &Sha256Digest) -> Result<()> {
        Ok(self.store.remember(key, FileOutcome::Accepted)?)
    }

    /// A name under the site's key: the same each time, and nobody else can tell what it stands for.
    pub fn hide(&self, what: &str) -> Sha256Digest {
        Sha256Digest::from_bytes(*self.key.pseudonym(Domain::Instance, what).as_bytes())
    }
}

/// One plain line for a batch.
pub(crate) fn line(summary: &Summary, from: &str) -> String {
    let mut parts = vec![
        format!("{} from {from}", summary.files),
        format!("{} accepted", summary.accepted),
        format!("{} quarantined", summary.quarantined),
        format!("{} rejected", summary.rejected),
    ];
    for (count, what) in [(summary.skipped, "known"), (summary.withdrawn, "withdrawn")] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    parts.join(", ")
}

/// Whether a file can be read now; a pipe or a device, which would block, cannot.
pub(crate) fn is_readable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|about| about.is_file()) && std::fs::File::open(path).is_ok()
}
