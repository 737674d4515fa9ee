//! `ingest`: a folder of DICOM files, each file on its own.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Instant,
};

use anyhow::{Context as _, Result};
use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;
use snowball_crypto::{Domain, PseudonymKey};
use snowball_imaging::{Excluded, Intake, Limits, Outcome, Radiograph, Walk};
use snowball_ledger::Entry;
use snowball_protocol::{
    Sha256Digest,
    digest::RunningDigest,
    intake::{Disposition, IntakeReason},
};
use snowball_service::{clock, files, progress};
use snowball_store::{Added, FileOutcome, Importer, Store, Unrecorded};
use snowball_vault::Vault;

use super::{
    Context,
    batch::{Batches, Waiting},
    decoding::{Decoder, Keeps},
};
use crate::{home::Home, now::intake::Way};

/// Files of a large folder that share a batch: a dozen seconds of work, in the ledger as one.
const BATCH_FILES: usize = 4_096;

/// Take in a folder of DICOM files. Run again, it skips what was dealt with before.
#[derive(Args)]
#[command(after_help = "Example: hospital-node ingest /mnt/radiographs/2026")]
pub struct Ingest {
    /// The folder; its sub-folders are searched too. It is only read.
    folder: PathBuf,
    /// Threads; 0: as many as cores.
    #[arg(long, default_value_t = 0)]
    threads: usize,
}

/// What became of a folder, in counts.
#[derive(Default, Serialize)]
pub(crate) struct Summary {
    pub files: u64,
    pub accepted: u64,
    pub quarantined: u64,
    pub rejected: u64,
    /// Dealt with by an earlier run.
    pub skipped: u64,
    /// Of patients who withdrew.
    pub withdrawn: u64,
    pub reasons: BTreeMap<IntakeReason, u64>,
    pub seconds: f64,
}

/// What became of one file.
pub(crate) enum Fate {
    Accepted,
    Excluded(Excluded),
    Skipped,
    Withdrawn,
}

impl Ingest {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let config = home.config()?;
        let keeps = Keeps::of(&home, &config.text, None, Some(&self.folder));
        let batches =
            Batches::open(&home, &config, self.threads, (Decoder::Process, keeps))?.noting(&home, Way::Folder);
        let mut walk = self.walk()?;
        let begun = Instant::now();
        let progress = Progress::new();
        let mut summary = Summary::default();
        std::thread::scope(|scope| {
            scope.spawn(|| progress.count(&self.folder));
            let done = take_all(&batches, &mut walk, &progress, &mut summary);
            progress.finish();
            done
        })?;
        if walk.unreadable() > 0 {
            tracing::warn!(
                unreadable_folders = walk.unreadable(),
                "some folders cannot be read; their files are left out"
            );
        }
        summary.seconds = begun.elapsed().as_secs_f64();
        context.print(&summary, || summary.table(&home))
    }

    fn walk(&self) -> Result<Walk> {
        Walk::new(&self.folder).with_context(|| format!("cannot read {}", self.folder.display()))
    }
}

/// Batch by batch, so that neither the names of a million files nor what became of them are held in memory.
fn take_all(batches: &Batches, walk: &mut Walk, progress: &Progress, summary: &mut Summary) -> Result<()> {
    loop {
        let waiting = |path| Waiting { path, key: None };
        let files: Vec<Waiting> = walk.by_ref().take(BATCH_FILES).map(waiting).collect();
        if files.is_empty() {
            return Ok(());
        }
        summary.add(&batches.take_telling(&files, &|fate| progress.tick(fate))?);
    }
}

/// The way of one file: seen before, taken in, stored or set aside.
pub(super) struct Line<'a> {
    pub intake: &'a Intake,
    pub importer: Importer<'a>,
    pub store: &'a Store,
    pub vault: Option<&'a Vault>,
    pub key: PseudonymKey,
}

impl Line<'_> {
    pub fn take(&self, path: &Path) -> Result<Fate> {
        let file_key = self.file_key(path);
        if let Some(key) = &file_key
            && self.store.seen(key)?.is_some()
        {
            return Ok(Fate::Skipped);
        }
        // A file whose name and size cannot be read gets a key of its path alone; it is read again next time.
        let key = file_key.unwrap_or_else(|| self.hide(path.as_os_str().as_encoded_bytes()));
        self.take_as(path, key)
    }

    /// Takes in a file that is known by `key`, whether or not it was seen before.
    pub fn take_as(&self, path: &Path, key: Sha256Digest) -> Result<Fate> {
        match self.intake.take(path) {
            Outcome::Accepted(radiograph) => {
                self.link(&radiograph)?;
                match self.importer.add(&radiograph, &key)? {
                    Added::New => Ok(Fate::Accepted),
                    Added::Withdrawn => Ok(Fate::Withdrawn),
                    added => {
                        let reason = added.reason().unwrap_or(IntakeReason::Duplicate);
                        let file_digest = digest_of(path).unwrap_or(radiograph.content());
                        self.exclude(path, Excluded { reason, file_digest }, &key)
                    }
                }
            }
            Outcome::Excluded(excluded) => self.exclude(path, excluded, &key),
        }
    }

    /// Keeps the way back before the radiograph itself: a link too many does no harm, one too few is never made again.
    fn link(&self, radiograph: &Radiograph) -> Result<()> {
        if let (Some(vault), Some(link)) = (self.vault, radiograph.linkage())
            && !self.store.is_withdrawn(radiograph.patient())?
        {
            vault.keep(link)?;
        }
        Ok(())
    }

    /// Whether a file that would wait for a person is of a patient who withdrew: then it is not kept.
    fn is_of_a_withdrawn_patient(&self, path: &Path) -> Result<bool> {
        let limit = usize::try_from(Limits::default().file_bytes_max)?;
        let Some(patient) = files::read_bounded(path, limit)
            .ok()
            .and_then(|bytes| self.intake.patient_of(&bytes))
        else {
            return Ok(false);
        };
        Ok(self.store.is_withdrawn(&patient)?)
    }

    fn exclude(&self, path: &Path, excluded: Excluded, key: &Sha256Digest) -> Result<Fate> {
        if excluded.reason.disposition() == Disposition::Quarantined && self.is_of_a_withdrawn_patient(path)? {
            self.store.remember(key, FileOutcome::Withdrawn)?;
            return Ok(Fate::Withdrawn);
        }
        self.importer.quarantine(path, &excluded, key, clock::now())?;
        Ok(Fate::Excluded(excluded))
    }

    /// Path, size and time of change under the site's key: a file that did not change is known by it, and nobody else
    /// can tell which file it was.
    fn file_key(&self, path: &Path) -> Option<Sha256Digest> {
        let facts = std::fs::metadata(path).ok()?;
        let changed = facts.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        let mut text = path.as_os_str().as_encoded_bytes().to_vec();
        text.extend(facts.len().to_le_bytes());
        text.extend(changed.as_nanos().to_le_bytes());
        Some(self.hide(&text))
    }

    fn hide(&self, bytes: &[u8]) -> Sha256Digest {
        let digest = Sha256Digest::of(bytes);
        Sha256Digest::from_bytes(
            *self
                .key
                .pseudonym(Domain::Instance, &format!("file {digest}"))
                .as_bytes(),
        )
    }
}

impl Summary {
    pub(super) fn count(&mut self, fate: &Fate) {
        match fate {
            Fate::Accepted => self.accepted += 1,
            Fate::Skipped => self.skipped += 1,
            Fate::Withdrawn => self.withdrawn += 1,
            Fate::Excluded(excluded) => {
                match excluded.reason.disposition() {
                    Disposition::Quarantined => self.quarantined += 1,
                    _ => self.rejected += 1,
                }
                *self.reasons.entry(excluded.reason).or_default() += 1;
            }
        }
    }

    fn add(&mut self, batch: &Self) {
        self.files += batch.files;
        self.accepted += batch.accepted;
        self.quarantined += batch.quarantined;
        self.rejected += batch.rejected;
        self.skipped += batch.skipped;
        self.withdrawn += batch.withdrawn;
        for (reason, count) in &batch.reasons {
            *self.reasons.entry(*reason).or_default() += count;
        }
    }

    fn table(&self, home: &Home) -> String {
        let mut lines = vec![
            format!(
                "{:>8}  files in {:.1} s ({:.0} a second)",
                self.files,
                self.seconds,
                self.files as f64 / self.seconds.max(1e-9)
            ),
            format!("{:>8}  accepted, each read again from the store", self.accepted),
            format!(
                "{:>8}  quarantined (a copy waits for a person: hospital-node quarantine list)",
                self.quarantined
            ),
            format!(
                "{:>8}  rejected (not radiographs; the files are left alone)",
                self.rejected
            ),
        ];
        for (count, what) in [
            (self.skipped, "dealt with before"),
            (self.withdrawn, "of patients who withdrew"),
        ] {
            if count > 0 {
                lines.push(format!("{count:>8}  {what}"));
            }
        }
        for (reason, count) in &self.reasons {
            lines.push(format!("{count:>14}  {} ({:?})", reason.code(), reason.disposition()).to_lowercase());
        }
        if self.files == 0 && self.skipped == 0 {
            lines.push("\nthere is no file: is it the right folder, and may this user read it?".to_owned());
        }
        lines.push(format!(
            "\nkept in {}; see also: hospital-node census",
            home.root().display()
        ));
        lines.join("\n")
    }
}

/// SHA-256 of a file's bytes, read piece by piece.
fn digest_of(path: &Path) -> Option<Sha256Digest> {
    let mut file = std::fs::File::open(path).ok()?;
    let (mut digest, mut block) = (RunningDigest::default(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut block).ok()? {
            0 => return Some(digest.finish()),
            count => digest.update(&block[..count]),
        }
    }
}

pub(super) fn entries(taken: Unrecorded) -> Vec<Entry> {
    let mut summary = Summary {
        accepted: taken.accepted,
        ..Summary::default()
    };
    let mut entries = Vec::with_capacity(taken.excluded.len() + 1);
    for one in taken.excluded {
        summary.count(&Fate::Excluded(one));
        entries.push(Entry::ImageExcluded {
            file_digest: one.file_digest,
            disposition: one.reason.disposition(),
            reason: one.reason,
        });
    }
    entries.push(Entry::IntakeFinished {
        accepted: summary.accepted,
        quarantined: summary.quarantined,
        rejected: summary.rejected,
        reasons: summary.reasons,
    });
    entries
}

/// How far the intake is. How many files there are is counted beside the work.
struct Progress {
    bar: ProgressBar,
    set_aside: AtomicU64,
    is_over: AtomicBool,
}

impl Progress {
    fn new() -> Self {
        Self {
            bar: progress::bar("files", 0),
            set_aside: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        }
    }

    /// Counts the files below `folder` until all are counted or the work is over.
    fn count(&self, folder: &Path) {
        let Ok(walk) = Walk::new(folder) else { return };
        let mut files = 0_u64;
        for _ in walk {
            files += 1;
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            if files.is_multiple_of(1024) {
                self.bar.set_length(files);
            }
        }
        self.bar.set_length(files);
    }

    fn tick(&self, fate: &Fate) {
        let is_aside = u64::from(matches!(fate, Fate::Excluded(_)));
        let set_aside = self.set_aside.fetch_add(is_aside, Ordering::Relaxed) + is_aside;
        self.bar.set_message(format!("{set_aside} set aside"));
        self.bar.inc(1);
    }

    fn finish(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.bar.finish_and_clear();
    }
}
