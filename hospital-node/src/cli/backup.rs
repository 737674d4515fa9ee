//! `backup`: a copy of the node's home at one moment, while the node goes on.
//!
//! The order makes it one moment: rows before the pixels that they name, and at the end, while nobody else writes to the ledger, the ledger
//! with everything that an entry of it speaks of. The last entry is of this backup. A copy made in another way (`cp -a`) leaves no trace.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use snowball_ledger::Head;
use snowball_service::{
    backup::{self, About, Manifest},
    clock,
    keys::Kept,
};

use super::{Context, words};
use crate::{config::NodeConfig, home::Home};

/// How often the store is looked at again where somebody erases in it meanwhile.
const LOOKS_MAX: u32 = 5;
/// What can be made again, waits raw for its intake, or is copied by a way of its own.
const LEFT: [&str; 6] = ["datasets", "spool", "scratch", "store", "ledger", "keys"];

/// The key that must not outlive `linkage destroy` in a copy that nobody thinks of.
const VAULT_KEY: &str = "keys/vault.secret";

/// Which keys are copied.
#[derive(Clone, Copy)]
struct Wanted {
    keys: bool,
    vault_key: bool,
}

/// Copy the node's home into a new folder, with the digest of every file. The node may go on running.
///
/// The ledger notes that it was made, by whom, with which keys, and the digest of the list of files.
///
/// Left out are what can be made again (frozen datasets, what a GPU's driver compiled) and objects that wait raw in the spool. The copy
/// is as secret as the home: without a passphrase (keys protect) its keys open its store, unless they are left out. The linkage vault's
/// key is left out unless it is asked for, so that linkage destroy reaches every copy of it.
#[derive(Args)]
#[command(after_help = "Example: hospital-node backup --out /mnt/backup/2026-11-29")]
pub struct Backup {
    /// The new folder.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Leave the keys out: keep them where they are safe, and name them when restoring.
    #[arg(long)]
    without_keys: bool,
    /// Take keys/vault.secret along: with it this backup leads from pseudonyms back to patients, also after linkage destroy.
    #[arg(long, conflicts_with = "without_keys")]
    with_vault_key: bool,
}

impl Backup {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let config = home.config()?;
        let made = clock::now();
        let mut copy = backup::Backup::begin(&self.out, home.root())?;
        copy_store(&home, &config, &mut copy)?;
        copy_vault(&home, &mut copy)?;
        let keys = Wanted {
            keys: !self.without_keys,
            vault_key: self.with_vault_key,
        };
        let head = copy_rest(&home, &config, &mut copy, keys)?;
        let manifest = copy.finish(About {
            program: super::PROGRAM.to_owned(),
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            tables: snowball_store::tables(),
            owner: config.site.to_string(),
            made,
            keys: !self.without_keys,
            ledger_entries: head.entries,
            ledger_head: head.hash,
        })?;
        let keys = self.keys(&home)?;
        let vault_key = vault_key(&home, &manifest);
        let document = serde_json::json!({
            "folder": self.out, "files": manifest.files.len(), "bytes": bytes(&manifest), "about": manifest.about, "keys": keys,
            "vault_key": vault_key,
        });
        context.print(&document, || {
            format!(
                "{} files, {} bytes in {}: site {}, {} records of the ledger\n{}{}",
                manifest.files.len(),
                bytes(&manifest),
                self.out.display(),
                manifest.about.owner,
                manifest.about.ledger_entries,
                match keys {
                    "left out" => "its keys were left out: without a copy of keys/ it never opens",
                    "in the clear" => "its keys lie in it in the clear: whoever reads it opens the store (hospital-node keys protect)",
                    _ => "its keys are under the passphrase: without that it never opens",
                },
                match vault_key {
                    "left out" =>
                        "\nthe vault's key was left out: without a copy of keys/vault.secret no pseudonym leads back (--with-vault-key)",
                    "taken along" =>
                        "\nthe vault's key lies in it: linkage destroy does not reach this copy, destroy it then yourself",
                    _ => "",
                }
            )
        })
    }

    fn keys(&self, home: &Home) -> Result<&'static str> {
        if self.without_keys {
            return Ok("left out");
        }
        for path in home.key_files() {
            if home.keys().kept(&path)? == Kept::Clear {
                return Ok("in the clear");
            }
        }
        Ok("under a passphrase")
    }
}

/// What became of the vault's key, where there is one.
fn vault_key(home: &Home, manifest: &Manifest) -> &'static str {
    if manifest.files.iter().any(|file| file.path == VAULT_KEY) {
        "taken along"
    } else if home.vault_secret().exists() {
        "left out"
    } else {
        "none"
    }
}

fn bytes(manifest: &Manifest) -> u64 {
    manifest.files.iter().map(|file| file.bytes).sum()
}

/// Rows first: whatever they name is in the packs that are copied after them, unless somebody erased it meanwhile.
fn copy_store(home: &Home, config: &NodeConfig, copy: &mut backup::Backup) -> Result<()> {
    let database = format!("store/{}", snowball_store::DATABASE_FILE);
    if !home.root().join(&database).exists() {
        return Ok(());
    }
    let store = home.open_store(config)?;
    let place = copy.place(&database)?;
    for _ in 0..LOOKS_MAX {
        store.copy_database(&place)?;
        copy.copy(home.root(), &|name| {
            name.strip_prefix("store/").is_some_and(snowball_store::is_kept)
        })?;
        if store.holds_all_of(&place)? {
            return Ok(copy.list(&database)?);
        }
    }
    bail!(
        "radiographs were erased each time that the store was copied; wait for `withdraw` and the intake to end, and do this again"
    )
}

fn copy_vault(home: &Home, copy: &mut backup::Backup) -> Result<()> {
    let name = format!("vault/{}", snowball_vault::DATABASE_FILE);
    if !home.root().join(&name).exists() {
        return Ok(());
    }
    snowball_vault::copy_database(&home.vault_folder(), &copy.place(&name)?)?;
    Ok(copy.list(&name)?)
}

/// The large files at leisure; then, while nobody records anything, what changed since, and the ledger.
fn copy_rest(home: &Home, config: &NodeConfig, copy: &mut backup::Backup, keys: Wanted) -> Result<Head> {
    let wants = |name: &str| is_wanted(name, keys);
    copy.copy(home.root(), &wants)?;
    let ledger = home.open_ledger(config)?;
    let mut ledger = ledger.lock().map_err(|_| anyhow::anyhow!("the ledger is in use"))?;
    ledger
        .at_rest(|ledger| -> Result<Head> {
            copy.copy(home.root(), &wants)?;
            let entry = copy
                .inventory()
                .entry(keys.keys, copy.holds(VAULT_KEY), words::account());
            ledger
                .append(clock::now(), entry)
                .context("the ledger did not take the entry")?;
            copy.copy(home.root(), &|name| name.starts_with("ledger/"))?;
            Ok(ledger.head().clone())
        })
        .context("cannot hold the ledger still")?
}

/// Whether a file of the home is copied as it is.
fn is_wanted(name: &str, wanted: Wanted) -> bool {
    let first = name.split('/').next().unwrap_or_default();
    let is_left = LEFT.contains(&first) && !(first == "keys" && wanted.keys);
    let is_of_vault = name
        .strip_prefix("vault/")
        .is_some_and(|file| file.starts_with(snowball_vault::DATABASE_FILE));
    let is_vault_key = name.starts_with(VAULT_KEY) && !wanted.vault_key;
    !is_left && !is_of_vault && !is_vault_key && !name.ends_with(".lock") && !name.ends_with(".partial")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Wanted = Wanted {
        keys: true,
        vault_key: true,
    };

    #[test]
    fn what_is_copied_as_it_is() {
        for (name, wanted) in [
            ("node.toml", true),
            ("keys/tls.pem", true),
            ("policy/history/a.toml", true),
            ("outbox/story-1.update", true),
            ("kept/story/settled", true),
            ("vault/destroyed", true),
            ("vault/vault.sqlite-wal", false),
            ("store/store.sqlite", false),
            ("ledger/ledger.jsonl", false),
            ("spool/receive/raw", false),
            ("datasets/story/shard", false),
            ("spool/", false),
            ("scratch/kernel", false),
            ("certs/renewal.lock", false),
            ("node.toml.partial", false),
        ] {
            assert_eq!(is_wanted(name, ALL), wanted, "{name}");
        }
        let none = Wanted {
            keys: false,
            vault_key: false,
        };
        assert!(!is_wanted("keys/tls.pem", none) && is_wanted("keyshare", none));
        let usual = Wanted {
            keys: true,
            vault_key: false,
        };
        assert!(is_wanted(VAULT_KEY, ALL) && !is_wanted(VAULT_KEY, usual) && is_wanted("keys/site.secret", usual));
        let home = Home::at("/home".as_ref());
        assert!(home.vault_secret().ends_with(VAULT_KEY));
    }
}
