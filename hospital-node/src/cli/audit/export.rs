//! `audit export`: the ledger as it stands, and what its records name.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clap::Args;
use snowball_audit::{ConsortiumFacts, Kind, paths};
use snowball_ledger::Entry;
use snowball_protocol::{
    Sha256Digest,
    limits::{CSR_BYTES_MAX, PLAN_BYTES_MAX, POLICY_BYTES_MAX},
    plan::canonical_json,
};
use snowball_service::files;

use crate::{cli::Context, home::Home};

/// Write everything that an auditor needs into a new folder: public keys, digests and counts, nothing of a patient.
///
/// The same ledger gives the same folder, to the byte. The node may go on running.
#[derive(Args)]
#[command(after_help = "Example: hospital-node audit export evidence/north")]
pub struct Export {
    /// The new folder.
    folder: PathBuf,
}

impl Export {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let key = home.ledger_key()?;
        let mut export = snowball_audit::Export::begin(&self.folder)?;
        let head = export.ledger(&home.ledger(), &key.verifying_key())?;
        // A node that never enrolled has nothing to say of a consortium.
        if let Ok(aggregator) = home.aggregator() {
            let facts = ConsortiumFacts {
                address: aggregator.address,
                ca_fingerprint: aggregator.ca_fingerprint,
                aggregator_key: aggregator.aggregator_key,
            };
            export.add(paths::CONSORTIUM, &canonical_json(&facts))?;
            export.add(paths::CA, home.read_text(&home.authority())?.as_bytes())?;
        }
        if let Ok(key) = home.read_text(&home.ethics_key()) {
            export.add(paths::ETHICS_KEY, key.as_bytes())?;
        }
        let policies = policies(&home);
        for record in snowball_ledger::records(&export.ledger_folder()).context("cannot read the copy of the ledger")? {
            match record?.entry {
                Entry::PolicyInstalled { policy_digest, .. } => {
                    if let Some(kept) = policies.get(&policy_digest) {
                        add_policy(&mut export, &policy_digest, kept)?;
                    }
                }
                Entry::StudyJoined { plan_digest, .. } | Entry::StudyDeclined { plan_digest, .. } => {
                    if let Ok(plan) = files::read_bounded(&home.plan(&plan_digest), PLAN_BYTES_MAX) {
                        export.add(&paths::plan(&plan_digest), &plan)?;
                    }
                }
                _ => {}
            }
        }
        let exported = export.finish(Kind::Site, head, &key)?;
        let document = serde_json::json!({
            "folder": self.folder, "files": exported.files, "bytes": exported.bytes, "head": exported.head,
            "manifest_digest": exported.manifest_digest,
        });
        context.print(&document, || {
            format!(
                "{} files, {} bytes in {}: {} records of the ledger and what they name\nits digest is {}",
                exported.files,
                exported.bytes,
                self.folder.display(),
                exported.head.entries,
                exported.manifest_digest
            )
        })
    }
}

/// The file and its signature, as they were installed.
fn add_policy(export: &mut snowball_audit::Export, digest: &Sha256Digest, file: &Path) -> Result<()> {
    let read = |path: &Path, bytes_max| {
        files::read_bounded(path, bytes_max).with_context(|| format!("cannot read {}", path.display()))
    };
    export.add(&paths::policy(digest), &read(file, POLICY_BYTES_MAX)?)?;
    let mut signature = file.as_os_str().to_owned();
    signature.push(".sig");
    export.add(
        &paths::policy_signature(digest),
        &read(Path::new(&signature), CSR_BYTES_MAX)?,
    )?;
    Ok(())
}

/// Every policy that this node keeps, by its digest: those that were in force, and the one that is.
fn policies(home: &Home) -> BTreeMap<Sha256Digest, PathBuf> {
    let kept = fs::read_dir(home.policy_history()).into_iter().flatten().flatten();
    let kept = kept
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"));
    kept.chain([home.policy()])
        .filter_map(|path| {
            let bytes = files::read_bounded(&path, POLICY_BYTES_MAX).ok()?;
            Some((snowball_policy::digest(&bytes), path))
        })
        .collect()
}
