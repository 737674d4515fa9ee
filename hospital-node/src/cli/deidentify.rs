//! `deidentify`: a folder of DICOM files to a folder of de-identified ones, by PS3.15 annex E under the installed policy.

pub(crate) mod journal;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use indicatif::ProgressBar;
use rayon::prelude::*;
use serde::Serialize;
use snowball_confidentiality::Profile;
use snowball_crypto::{Domain, PseudonymKey};
use snowball_imaging::{
    Dictionary, Excluded, Intake, Limits, Walk,
    standard::{Deidentified, FindingKind, Pixels, Standard},
};
use snowball_ledger::Entry;
use snowball_policy::SignedPolicy;
use snowball_protocol::{
    Sha256Digest,
    intake::{Disposition, IntakeReason},
};
use snowball_service::{clock, files, progress};
use snowball_store::{Importer, Store};

use super::{Context, Refused, decoding};
use crate::{home::Home, policy, second_reader};
use journal::{Head, Line, Notes};

/// Files whose names are held at once.
const BATCH_FILES: usize = 4_096;

/// Write de-identified copies of DICOM files by PS3.15 Annex E, under the installed policy. Run again, it goes on.
#[derive(Args)]
#[command(after_help = "Example: hospital-node deidentify /mnt/radiographs /mnt/deidentified")]
pub struct Deidentify {
    /// The folder to read; its sub-folders are searched too. Nothing in it is changed.
    input: PathBuf,
    /// The folder to write; made if it is not there. Files are named by pseudonym: PATIENT/INSTANCE.dcm.
    output: PathBuf,
    /// Pseudonyms, UIDs and shifted dates of two projects share nothing; absent: the node's project.
    #[arg(long)]
    project: Option<String>,
    /// Threads; 0: as many as cores.
    #[arg(long, default_value_t = 0)]
    threads: usize,
}

/// What became of a folder, in counts.
#[derive(Default, Serialize)]
pub(crate) struct Summary {
    pub files: u64,
    pub written: u64,
    /// Of these: with text in the pixels that was filled.
    pub filled: u64,
    pub quarantined: u64,
    pub rejected: u64,
    /// Dealt with by an earlier run.
    pub skipped: u64,
    /// Of patients who have withdrawn: nothing was written.
    pub withdrawn: u64,
    pub reasons: BTreeMap<IntakeReason, u64>,
    /// What the second pass found in files that were deleted again.
    pub findings: BTreeMap<FindingKind, u64>,
    /// What became of attributes, over all files written in this run.
    pub actions: BTreeMap<&'static str, u64>,
    pub policy_digest: Option<Sha256Digest>,
    pub edition: &'static str,
    pub records: PathBuf,
    pub seconds: f64,
}

/// One run: by which profile, of which policy, from where to where.
pub(crate) struct Order<'a> {
    pub home: &'a Home,
    pub profile: Profile,
    pub policy: Sha256Digest,
    pub project: &'a str,
    pub input: &'a Path,
    pub output: &'a Path,
    /// 0: as many as cores.
    pub threads: usize,
}

/// The project by which DICOM is pseudonymised: another key than that of the training store, so that what leaves as DICOM
/// cannot be joined with what trains.
pub(crate) fn dicom_project(project: &str) -> String {
    format!("dicom {project}")
}

impl Deidentify {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let config = home.config()?;
        decoding::alone(&config.text);
        let signed = in_force(&home)?;
        let order = Order {
            home: &home,
            profile: signed.policy.confidentiality(),
            policy: signed.digest,
            project: self.project.as_deref().unwrap_or(&config.project),
            input: &self.input,
            output: &self.output,
            threads: self.threads,
        };
        let summary = order.carry_out(|files| progress::bar("files", files))?;
        context.print(&summary, || summary.table())
    }
}

impl Order<'_> {
    /// Does it, shows how far it is on the bar that `progress` makes, and notes in the ledger what became of the folder.
    pub fn carry_out(&self, progress: impl FnOnce(u64) -> ProgressBar) -> Result<Summary> {
        let config = self.home.config()?;
        let key = self.home.pseudonym_key(&dicom_project(self.project))?;
        let output = self.folders()?;
        let records = self.home.deidentified(&output_digest(&output));
        files::create_home(&records).with_context(|| format!("cannot make {}", records.display()))?;
        let head = Head {
            policy: self.policy,
            project: self.project.to_owned(),
            edition: snowball_confidentiality::EDITION.to_owned(),
            output: output.clone(),
        };
        let walk = || Walk::new(self.input).with_context(|| format!("cannot read {}", self.input.display()));
        // Counted first, for people who wait; then walked a batch at a time, so that a million names are never held.
        let files = walk()?.count() as u64;
        let mut walk = walk()?;
        let begun = Instant::now();
        let store = self.home.open_store(&config)?;
        let ledger = self.home.open_ledger(&config)?;
        let bar = progress(files);
        let standard = Standard::new(self.profile.clone(), self.policy, key.clone(), Limits::default());
        let work = Work {
            standard: match second_reader::wished(&config.text)? {
                Some(reader) => standard.read_again_by(reader),
                None => standard,
            },
            key,
            withdrawn: if store.has_withdrawn()? {
                // As `withdraw` knows patients.
                let key = self.home.pseudonym_key(&config.project)?;
                Some((&store, Intake::new(key, Dictionary::standard(), Limits::default())))
            } else {
                None
            },
            importer: store.importer(),
            notes: Mutex::new(Notes::open(&records, &output, &head)?),
            summary: Mutex::new(Summary {
                policy_digest: Some(self.policy),
                edition: snowball_confidentiality::EDITION,
                records: records.join("decisions.jsonl"),
                ..Summary::default()
            }),
            output,
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build()?;
        loop {
            let paths: Vec<PathBuf> = walk.by_ref().take(BATCH_FILES).collect();
            if paths.is_empty() {
                break;
            }
            lock(&work.summary).files += paths.len() as u64;
            pool.install(|| {
                paths.par_iter().with_max_len(1).try_for_each(|path| {
                    work.take(path)?;
                    bar.inc(1);
                    anyhow::Ok(())
                })
            })?;
        }
        bar.finish_and_clear();
        if walk.unreadable() > 0 {
            tracing::warn!(
                unreadable_folders = walk.unreadable(),
                "some folders cannot be read; their files are left out"
            );
        }
        lock(&work.notes).flush()?;
        work.importer.flush().context("cannot finish the quarantine")?;
        let mut summary = work.summary.into_inner().unwrap_or_else(PoisonError::into_inner);
        summary.seconds = begun.elapsed().as_secs_f64();
        // A folder that was all dealt with before is no news for an auditor.
        if summary.skipped + summary.withdrawn < summary.files {
            let entry = summary.entry(&output_digest(&work.output).short(), self.policy);
            ledger
                .lock()
                .map_err(|_| anyhow::anyhow!("the ledger is in use"))?
                .append(clock::now(), entry)?;
        }
        Ok(summary)
    }

    /// Makes the output folder. Neither folder may lie in the other: what is written would be read again.
    fn folders(&self) -> Result<PathBuf> {
        let input = fs::canonicalize(self.input).with_context(|| format!("cannot read {}", self.input.display()))?;
        files::create_home(self.output).with_context(|| format!("cannot make {}", self.output.display()))?;
        let output = fs::canonicalize(self.output)?;
        if output.starts_with(&input) || input.starts_with(&output) {
            bail!("the output folder and the input folder must not lie in one another; name another output folder");
        }
        sweep(&output)?;
        Ok(output)
    }
}

/// By what the records of an output folder are known.
pub(crate) fn output_digest(output: &Path) -> Sha256Digest {
    Sha256Digest::of(output.as_os_str().as_encoded_bytes())
}

/// Deletes what a killed run left half written, and so never looked at again.
fn sweep(output: &Path) -> Result<()> {
    for patient in fs::read_dir(output)? {
        let patient = patient?.path();
        if !patient.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&patient)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("2.25.") && name.ends_with(".part") {
                fs::remove_file(&path).with_context(|| format!("cannot delete {}", path.display()))?;
            }
        }
    }
    Ok(())
}

/// The policy, if it is signed, of this site and of this day.
fn in_force(home: &Home) -> Result<SignedPolicy> {
    let signed = policy::in_force(home).map_err(|fault| Refused(fault.to_string()))?;
    let (now, site) = (clock::now(), home.config()?.site);
    if signed.policy.site() != &site {
        return Err(Refused(format!(
            "the policy is for the site {}, and this site is {site}",
            signed.policy.site()
        ))
        .into());
    }
    if now < signed.policy.begins() || now >= signed.policy.expires() {
        return Err(Refused("the policy is not valid today; ask the board to renew it".to_owned()).into());
    }
    Ok(signed)
}

struct Work<'a> {
    standard: Standard,
    key: PseudonymKey,
    /// Where anybody has withdrawn: who, and what reads whose a file is.
    withdrawn: Option<(&'a Store, Intake)>,
    importer: Importer<'a>,
    notes: Mutex<Notes>,
    summary: Mutex<Summary>,
    output: PathBuf,
}

/// A file that became nothing.
struct Refusal {
    reason: IntakeReason,
    findings: Vec<FindingKind>,
}

impl From<IntakeReason> for Refusal {
    fn from(reason: IntakeReason) -> Self {
        Self {
            reason,
            findings: Vec::new(),
        }
    }
}

impl Work<'_> {
    /// The way of one file. Only a disk that refuses ends the run.
    fn take(&self, path: &Path) -> Result<()> {
        let input = self.file_key(path);
        if lock(&self.notes).is_done(&input) {
            lock(&self.summary).skipped += 1;
            return Ok(());
        }
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(reason) => return self.refuse(path, input, &[], reason.into()),
        };
        if let Some((store, reader)) = &self.withdrawn
            && let Some(patient) = reader.patient_of(&bytes)
            && store.is_withdrawn(&patient)?
        {
            lock(&self.summary).withdrawn += 1;
            return Ok(());
        }
        // Nobody answers for pixels that were not looked at: what does not decode is not handed out.
        match self.standard.deidentify(&bytes, Pixels::Searched) {
            Ok(made) => match self.write(&made, &input, &bytes)? {
                Ok(()) => {
                    let mut summary = lock(&self.summary);
                    summary.written += 1;
                    summary.filled += u64::from(made.records.iter().any(|record| !record.areas.is_empty()));
                    for record in &made.records {
                        *summary.actions.entry(record.action.text()).or_default() += 1;
                    }
                    Ok(())
                }
                Err(refusal) => self.refuse(path, input, &bytes, refusal),
            },
            Err(reason) => self.refuse(path, input, &bytes, reason.into()),
        }
    }

    /// Writes a file, reads it back from disk and looks at it again; only then it gets its name.
    fn write(&self, made: &Deidentified, input: &Sha256Digest, bytes: &[u8]) -> Result<Result<(), Refusal>> {
        let content = self.hide(bytes);
        let output = format!("{}/{}.dcm", made.patient, made.instance);
        if let Some(reason) = lock(&self.notes).claim(&made.instance, content) {
            return Ok(Err(reason.into()));
        }
        let folder = self.output.join(&made.patient);
        files::create_home(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let (partial, whole) = (
            folder.join(format!("{}.part", made.instance)),
            self.output.join(&output),
        );
        fs::write(&partial, &made.bytes).with_context(|| format!("cannot write {}", partial.display()))?;
        let written = fs::read(&partial).with_context(|| format!("cannot read {}", partial.display()))?;
        let findings = self.standard.verify(&written, &made.seen);
        if !findings.is_empty() {
            fs::remove_file(&partial).with_context(|| format!("cannot delete {}", partial.display()))?;
            lock(&self.notes).release(&made.instance);
            return Ok(Err(Refusal {
                reason: IntakeReason::IdentifierRemains,
                findings: findings.iter().map(|finding| finding.kind).collect(),
            }));
        }
        fs::rename(&partial, &whole).with_context(|| format!("cannot write {}", whole.display()))?;
        let line = Line {
            input: *input,
            content,
            output: Some(output),
            reason: None,
        };
        lock(&self.notes).append(line, &made.instance, &made.records)?;
        Ok(Ok(()))
    }

    fn refuse(&self, path: &Path, input: Sha256Digest, bytes: &[u8], refusal: Refusal) -> Result<()> {
        let reason = refusal.reason;
        let excluded = Excluded {
            reason,
            file_digest: Sha256Digest::of(bytes),
        };
        let quarantined = reason.disposition() == Disposition::Quarantined;
        if quarantined {
            self.importer.quarantine(path, &excluded, &input, clock::now())?;
        }
        // What could not be read may be readable next time.
        if reason != IntakeReason::Unreadable {
            let line = Line {
                input,
                content: self.hide(bytes),
                output: None,
                reason: Some(reason),
            };
            lock(&self.notes).append(line, "", &[])?;
        }
        let mut summary = lock(&self.summary);
        if quarantined {
            summary.quarantined += 1;
        } else {
            summary.rejected += 1;
        }
        *summary.reasons.entry(reason).or_default() += 1;
        for kind in refusal.findings {
            *summary.findings.entry(kind).or_default() += 1;
        }
        Ok(())
    }

    /// Path, size and time of change under the project's key; other than the one by which `ingest` knows a file.
    fn file_key(&self, path: &Path) -> Sha256Digest {
        let mut text = b"deidentify\0".to_vec();
        text.extend(path.as_os_str().as_encoded_bytes());
        if let Ok(facts) = fs::metadata(path) {
            text.extend(facts.len().to_le_bytes());
            let changed = facts
                .modified()
                .ok()
                .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
            text.extend(changed.unwrap_or_default().as_nanos().to_le_bytes());
        }
        self.hide(&text)
    }

    fn hide(&self, bytes: &[u8]) -> Sha256Digest {
        let digest = Sha256Digest::of(bytes).to_string();
        Sha256Digest::from_bytes(*self.key.pseudonym(Domain::Instance, &digest).as_bytes())
    }
}

impl Summary {
    fn entry(&self, records: &str, policy_digest: Sha256Digest) -> Entry {
        Entry::DeidentifyFinished {
            policy_digest,
            edition: self.edition.to_owned(),
            records: records.to_owned(),
            written: self.written,
            quarantined: self.quarantined,
            rejected: self.rejected,
            reasons: self.reasons.clone(),
        }
    }

    fn table(&self) -> String {
        let speed = self.files as f64 / self.seconds.max(0.001);
        let mut lines = vec![
            format!(
                "{:>8}  files in {:.1} s ({speed:.0} a second)",
                self.files, self.seconds
            ),
            format!("{:>8}  written, each looked at again", self.written),
            format!("{:>14}  of these with text in the pixels filled", self.filled),
            format!(
                "{:>8}  quarantined (a copy waits for a person: hospital-node quarantine list)",
                self.quarantined
            ),
            format!("{:>8}  rejected (the files are left alone)", self.rejected),
        ];
        if self.withdrawn > 0 {
            lines.push(format!(
                "{:>8}  of patients who have withdrawn (nothing was written)",
                self.withdrawn
            ));
        }
        if self.skipped > 0 {
            lines.push(format!("{:>8}  dealt with before", self.skipped));
        }
        lines.extend(
            self.reasons
                .iter()
                .map(|(reason, count)| format!("{count:>14}  {}", reason.code())),
        );
        for (kind, count) in &self.findings {
            lines.push(format!("{count:>14}  found by the second pass, deleted: {kind:?}").to_lowercase());
        }
        if !self.actions.is_empty() {
            let actions = self.actions.iter().map(|(action, count)| format!("{action} {count}"));
            lines.push(format!("\nattributes: {}", actions.collect::<Vec<_>>().join(", ")));
        }
        lines.push(format!("every decision: {}", self.records.display()));
        lines.join("\n")
    }
}

/// The bytes of a file that nobody trusts, or why there are none.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, IntakeReason> {
    // A pipe or a device would block: only a regular file is opened.
    if !fs::metadata(path).is_ok_and(|facts| facts.is_file()) {
        return Err(IntakeReason::Unreadable);
    }
    let bytes_max = usize::try_from(Limits::default().file_bytes_max).unwrap_or(usize::MAX);
    files::read_bounded(path, bytes_max).map_err(|fault| match fault.kind() {
        std::io::ErrorKind::FileTooLarge => IntakeReason::TooLarge,
        _ => IntakeReason::Unreadable,
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
