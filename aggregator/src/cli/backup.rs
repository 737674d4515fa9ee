//! `aggregator backup`: a copy of the aggregator's home at one moment, while the server goes on.
//!
//! Rows first, then the files that they name, again until nothing was changed meanwhile; the ledger last, as after a crash in which
//! everything else was a moment older, with an entry of this backup in it.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::json;
use snowball_crypto::VerifyingKey;
use snowball_ledger::Head;
use snowball_registry::Registry;
use snowball_service::{
    account::account,
    backup::{About, Backup as Copy, Manifest},
    clock,
    keys::Kept,
};

use super::{Answer, open};
use crate::{
    home::{Home, read_text},
    journal,
};

/// How often everything is looked at again where studies move on meanwhile; only what changed is copied then.
const LOOKS_MAX: u32 = 50;
/// The database's name in the home.
const DATABASE: &str = "registry.sqlite";
/// The folder of entries that wait for the ledger's writer, and how long, how often it is looked for the note in it.
const WAITING: &str = "ledger-outbox/";
const NOTE_PAUSE: Duration = Duration::from_millis(100);
const NOTE_LOOKS_MAX: u32 = 50;
/// Files with a private key.
const KEYS: [&str; 3] = ["ca.key.pem", "server.pem", "ledger.key.pem"];

/// Copies the aggregator's folder into a new one, with the digest of every file. The server may go on.
///
/// The ledger notes that it was made, by whom, with or without the keys, and the digest of the list of files.
///
/// The copy is as secret as the folder: without a passphrase (keys protect) whoever reads it can speak for the consortium, unless the
/// keys are left out.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator backup --out /mnt/backup/2026-11-29")]
pub struct Backup {
    /// The new folder
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Leave the keys out: keep them where they are safe, and name them when restoring
    #[arg(long)]
    without_keys: bool,
}

impl Backup {
    /// It takes no passphrase: keys are copied as they lie there.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let (home, registry) = open(home).await?;
        let config = home.config()?;
        let made = clock::now();
        let mut copy = Copy::begin(&self.out, home.dir())?;
        self.copy_still(&home, &registry, &mut copy).await?;
        registry.close().await;
        self.note(&home, &mut copy).await?;
        let head = copy_ledger(&home, &mut copy)?;
        let manifest = copy.finish(About {
            program: super::PROGRAM.to_owned(),
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            tables: snowball_registry::tables(),
            owner: config.consortium,
            made,
            keys: !self.without_keys,
            ledger_entries: head.entries,
            ledger_head: head.hash,
        })?;
        self.answer(&home, &manifest)
    }

    /// Copies until nobody changed anything between the rows and the last file.
    async fn copy_still(&self, home: &Home, registry: &Registry, copy: &mut Copy) -> Result<()> {
        let place = copy.place(DATABASE)?;
        let wants = |name: &str| is_wanted(name, !self.without_keys);
        for _ in 0..LOOKS_MAX {
            let counter = registry.changed_since(u64::MAX).await?.unwrap_or(u64::MAX);
            registry.copy_to(&place).await?;
            copy.copy(home.dir(), &wants)?;
            if registry.changed_since(counter).await?.is_none() {
                return Ok(copy.list(DATABASE)?);
            }
        }
        bail!("the studies moved on each time; do this again in a quieter hour, or pause them (aggregator study pause)")
    }

    /// Has the ledger note what was copied, before it is copied itself. Where the server does not take the note up in time, or the ledger's key
    /// is under a passphrase that nobody gave, the note goes along as it waits: the next `serve` there takes it in.
    async fn note(&self, home: &Home, copy: &mut Copy) -> Result<()> {
        let entry = copy.inventory().entry(!self.without_keys, false, account());
        let waiting = journal::note(home, clock::now(), entry)?;
        for _ in 0..NOTE_LOOKS_MAX {
            if waiting.count()? == 0 || !home.is_served()? {
                break;
            }
            tokio::time::sleep(NOTE_PAUSE).await;
        }
        copy.copy(home.dir(), &|name| name.starts_with(WAITING))?;
        Ok(())
    }

    fn answer(&self, home: &Home, manifest: &Manifest) -> Result<Answer> {
        let mut keys = "under a passphrase";
        for path in home.key_files() {
            if home.keys().kept(&path)? == Kept::Clear {
                keys = "in the clear";
            }
        }
        if self.without_keys {
            keys = "left out";
        }
        let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
        let (count, about) = (manifest.files.len(), &manifest.about);
        let text = format!(
            "{count} files, {bytes} bytes in {}: {}, {} records of the ledger.\n{}",
            self.out.display(),
            about.owner,
            about.ledger_entries,
            match keys {
                "left out" =>
                    "Its keys were left out: without a copy of ca.key.pem and ledger.key.pem it is worth nothing.",
                "in the clear" =>
                    "Its keys lie in it in the clear: whoever reads it speaks for the consortium (aggregator keys protect).",
                _ => "Its keys are under the passphrase: without that it is worth nothing.",
            }
        );
        let json = json!({ "folder": self.out, "files": count, "bytes": bytes, "about": about, "keys": keys });
        Ok(Answer::new(text, json))
    }
}

/// The ledger as it stands at this moment, checked. The server holds it, so it is read as an auditor's copy is.
fn copy_ledger(home: &Home, copy: &mut Copy) -> Result<Head> {
    let key = read_text(&home.public_key_file())?;
    let key: VerifyingKey = key.trim().parse().context("ledger.pub holds no public key")?;
    let passing = copy.folder().join("ledger-copy");
    let mut export = snowball_audit::Export::begin(&passing)?;
    let head = export.ledger(&home.ledger_dir(), &key)?;
    let place = copy.place("ledger")?;
    fs::rename(export.ledger_folder(), &place).with_context(|| format!("cannot write {}", place.display()))?;
    fs::remove_dir(&passing).with_context(|| format!("cannot remove {}", passing.display()))?;
    copy.list_all("ledger")?;
    Ok(head)
}

/// Whether a file of the home is copied as it is.
fn is_wanted(name: &str, keys: bool) -> bool {
    let is_left = name.starts_with(DATABASE)
        || name.starts_with("ledger/")
        || name.ends_with(".lock")
        || name.ends_with(".partial");
    !is_left && (keys || !KEYS.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_as_it_is() {
        for (name, wanted) in [
            ("aggregator.toml", true),
            ("ca.key.pem", true),
            ("objects/models/story/1.f32", true),
            ("ledger-outbox/1.json", true),
            ("ledger.pub", true),
            ("registry.sqlite", false),
            ("registry.sqlite-wal", false),
            ("ledger/ledger.jsonl", false),
            ("serve.lock", false),
        ] {
            assert_eq!(is_wanted(name, true), wanted, "{name}");
        }
        assert!(KEYS.iter().all(|name| !is_wanted(name, false)) && is_wanted("ca.pem", false));
        let home = Home::at("/home".as_ref());
        let named = home
            .key_files()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
        assert_eq!(named, KEYS);
        assert!(home.database_file().ends_with(DATABASE));
    }
}
