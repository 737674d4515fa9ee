//! What the policy no longer lets the node keep: found by age, removed, recorded. How long is for the policy to say.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use anyhow::{Context, Result};
use serde::Serialize;
use snowball_egress::SharedLedger;
use snowball_ledger::Entry;
use snowball_policy::{Keepsake, SignedPolicy};
use snowball_protocol::ids::UnixSeconds;
use snowball_store::Store;

use crate::home::Home;

/// What a thing is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Thing {
    /// The frozen dataset of a study.
    Dataset,
    /// What the site keeps for itself of a study's network; it goes when a dataset of its age would.
    KeptParameters,
    /// Evidence of de-identification.
    Evidence,
    /// An update that waits to be sent.
    Outbox,
}

/// One thing whose time is over.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Due {
    #[serde(rename = "keepsake", serialize_with = "code")]
    pub thing: Thing,
    pub path: PathBuf,
    /// Since when it lies there.
    pub since: UnixSeconds,
}

/// How much was removed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub struct Removed {
    pub datasets: u64,
    pub evidence: u64,
    pub updates: u64,
    /// Studies whose kept parameters are gone.
    pub kept_parameters: u64,
}

impl Removed {
    /// Whether it is nothing at all.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// Everything whose time is over at `now`, in the order of what it is.
pub fn due(home: &Home, signed: &SignedPolicy, now: UnixSeconds) -> Result<Vec<Due>> {
    let mut due = Vec::new();
    for (thing, path) in kept(home)? {
        // What went away in between needs no removal.
        let Some(since) = age(&path)? else { continue };
        if signed.policy.is_over(thing.keepsake(), since, now) {
            due.push(Due { thing, path, since });
        }
    }
    due.sort();
    Ok(due)
}

/// Removes what is due and records how much it was. What is trained on at this moment is trained again, as after a withdrawal.
pub fn apply(
    home: &Home,
    store: &Store,
    ledger: &SharedLedger,
    signed: &SignedPolicy,
    now: UnixSeconds,
) -> Result<Removed> {
    let mut removed = Removed::default();
    let mut entries = Vec::new();
    for Due { thing, path, .. } in due(home, signed, now)? {
        let counter = match thing {
            Thing::KeptParameters => {
                remove(&path)?;
                // Whatever else lies there is removed as well, and no study's.
                let study = path.file_name().and_then(|name| name.to_str()?.parse().ok());
                entries.extend(study.map(|study| Entry::KeptParametersRemoved { study }));
                &mut removed.kept_parameters
            }
            Thing::Dataset => {
                store
                    .remove_dataset(&path)
                    .with_context(|| format!("cannot remove {}", path.display()))?;
                &mut removed.datasets
            }
            Thing::Evidence => {
                remove(&path)?;
                &mut removed.evidence
            }
            Thing::Outbox => {
                remove(&path)?;
                // The parameters lie beside the header that names them; an update counts once, by its header.
                if path.extension().is_none_or(|extension| extension != "json") {
                    continue;
                }
                &mut removed.updates
            }
        };
        *counter += 1;
    }
    if !removed.is_nothing() {
        entries.push(Entry::RetentionApplied {
            policy_digest: signed.digest,
            datasets: removed.datasets,
            evidence: removed.evidence,
            updates: removed.updates,
        });
        let mut ledger = ledger.lock().map_err(|_| anyhow::anyhow!("the ledger is in use"))?;
        ledger.append_all(now, entries)?;
    }
    Ok(removed)
}

/// Everything that is kept for a time.
fn kept(home: &Home) -> Result<Vec<(Thing, PathBuf)>> {
    let mut kept = Vec::new();
    for (thing, folder) in [
        (Thing::Dataset, home.datasets()),
        (Thing::KeptParameters, home.kept_parameters()),
        (Thing::Evidence, home.reviews()),
        (Thing::Evidence, home.all_deidentified()),
        (Thing::Outbox, home.outbox()),
        (Thing::Outbox, home.residuals()),
    ] {
        kept.extend(entries(&folder)?.into_iter().map(|path| (thing, path)));
    }
    let selftest = home.last_selftest();
    if selftest.exists() {
        kept.push((Thing::Evidence, selftest));
    }
    Ok(kept)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let said = || format!("cannot read {}", folder.display());
    match fs::read_dir(folder) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(fault) => Err(fault).with_context(said),
        Ok(entries) => entries.map(|entry| Ok(entry.with_context(said)?.path())).collect(),
    }
}

/// When something was changed last: for a folder, the newest thing in it. Links are not followed.
fn age(path: &Path) -> Result<Option<UnixSeconds>> {
    let said = || format!("cannot read {}", path.display());
    let facts = match fs::symlink_metadata(path) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
        facts => facts.with_context(said)?,
    };
    let mut newest = seconds(&facts).with_context(said)?;
    if facts.is_dir() {
        for entry in entries(path)? {
            if let Ok(facts) = fs::symlink_metadata(&entry) {
                newest = newest.max(seconds(&facts).with_context(said)?);
            }
        }
    }
    Ok(Some(newest))
}

fn seconds(facts: &fs::Metadata) -> Result<UnixSeconds> {
    let modified = facts.modified()?;
    let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(UnixSeconds::try_from(since.as_secs())?)
}

fn remove(path: &Path) -> Result<()> {
    let outcome = if fs::symlink_metadata(path).is_ok_and(|facts| facts.is_dir()) {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    match outcome {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => {
            Err(fault).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

impl Thing {
    /// As which the policy says how long it is kept.
    const fn keepsake(self) -> Keepsake {
        match self {
            Self::Dataset | Self::KeptParameters => Keepsake::Dataset,
            Self::Evidence => Keepsake::Evidence,
            Self::Outbox => Keepsake::Outbox,
        }
    }

    /// What it is, for programs and for people.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Dataset => "dataset",
            Self::KeptParameters => "kept parameters",
            Self::Evidence => "evidence",
            Self::Outbox => "update",
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn code<S: serde::Serializer>(thing: &Thing, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(thing.noun())
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        time::{Duration, SystemTime},
    };

    use snowball_crypto::SigningKey;
    use snowball_ledger::Ledger;
    use snowball_store::Settings;

    use super::*;

    const NOW: UnixSeconds = 1_780_272_000;

    fn signed() -> SignedPolicy {
        let key = SigningKey::generate().unwrap();
        let text = include_str!("../../policies/collaboration.toml");
        let signature = snowball_policy::sign(text.as_bytes(), &key);
        snowball_policy::verify(text.as_bytes(), Some(&signature), &key.verifying_key()).unwrap()
    }

    /// A file of the given age in days.
    fn file(path: &Path, days: u64) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
        set_age(path, days);
    }

    fn set_age(path: &Path, days: u64) {
        let now = UNIX_EPOCH + Duration::from_secs(NOW as u64);
        let then: SystemTime = now - Duration::from_secs(days * 86_400);
        fs::File::open(path).unwrap().set_modified(then).unwrap();
    }

    #[test]
    fn what_is_too_old_goes_the_rest_stays_and_the_ledger_has_the_counts() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let old = [
            home.datasets().join("old/manifest.json"),
            home.reviews().join("old.json"),
            home.last_selftest(),
            home.all_deidentified().join("old/journal.jsonl"),
            home.outbox().join("s-1.json"),
            home.outbox().join("s-1.update"),
            home.kept_parameters().join("old/settled"),
            home.residuals().join("s.settled"),
        ];
        let young = [
            home.datasets().join("young/manifest.json"),
            home.reviews().join("young.json"),
            home.all_deidentified().join("young/journal.jsonl"),
            home.outbox().join("s-2.json"),
            home.outbox().join("s-2.update"),
            home.kept_parameters().join("young/settled"),
            home.residuals().join("t.settled"),
        ];
        old.iter().for_each(|path| file(path, 4000));
        young.iter().for_each(|path| file(path, 1));
        for folder in [home.datasets(), home.all_deidentified(), home.kept_parameters()] {
            set_age(&folder.join("old"), 4000);
        }
        // A folder counts as young as the youngest thing in it.
        file(&home.all_deidentified().join("young/decisions.jsonl"), 4000);

        let store_folder = tempfile::tempdir().unwrap();
        let secret = snowball_crypto::SiteSecret::generate().unwrap();
        let settings = Settings { master_side_max: 64 };
        let store = Store::open_with(store_folder.path(), secret.store("test"), settings).unwrap();
        let ledger_folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open_shared(ledger_folder.path(), "north", SigningKey::generate().unwrap()).unwrap();
        let ledger: SharedLedger = Arc::new(Mutex::new(ledger));

        let signed = signed();
        assert_eq!(due(&home, &signed, NOW).unwrap().len(), 8);
        let removed = apply(&home, &store, &ledger, &signed, NOW).unwrap();
        let expected = Removed {
            datasets: 1,
            evidence: 3,
            updates: 1,
            kept_parameters: 1,
        };
        assert_eq!(removed, expected);
        assert!(old.iter().all(|path| !path.exists()) && young.iter().all(|path| path.exists()));
        assert!(apply(&home, &store, &ledger, &signed, NOW).unwrap().is_nothing());
        let records = snowball_ledger::read(ledger_folder.path()).unwrap();
        let kinds: Vec<_> = records.iter().map(|record| record.entry.kind()).collect();
        assert_eq!(
            kinds,
            ["kept_parameters_removed", "retention_applied"],
            "where nothing was removed nothing is recorded"
        );
    }

    #[test]
    fn a_home_that_keeps_nothing_has_nothing_due() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(due(&Home::at(folder.path()), &signed(), NOW).unwrap(), vec![]);
    }
}
