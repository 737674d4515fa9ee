//! `aggregator restore`: a backup into an empty home, checked before the first file is written.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;
use snowball_crypto::{SigningKey, VerifyingKey, is_wrapped};
use snowball_ledger::{Expected, verify_expecting};
use snowball_service::{
    backup::{self, BackupError, HOME, Manifest, Replaced},
    files,
};
use zeroize::Zeroizing;

use super::{Answer, Refused};
use crate::home::{Home, read_text};

/// Files with a private key, where `--keys` names a folder: the server's is made anew where it is missing.
const KEYS: [&str; 2] = ["ca.key.pem", "ledger.key.pem"];

/// Puts a backup into an empty home: the folder that --home names, which must be empty or not there.
///
/// What happened since is not in it: sites keep later heads of the ledger, and send nothing to an aggregator that shows an older one.
/// The ledger of since, where a copy of it is left, goes in with --ledger.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator --home /var/lib/snowball-aggregator restore /mnt/backup/2026-11-29")]
pub struct Restore {
    /// The folder of the backup
    folder: PathBuf,
    /// The folder with ca.key.pem and ledger.key.pem, where the backup was made without them
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// A later copy of the ledger, which must go on where the backup's ends
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
}

impl Restore {
    /// Where anything is wrong, the home stays empty.
    pub fn run(&self, home: &Home) -> Result<Answer> {
        let manifest = backup::read(&self.folder).map_err(refused)?;
        self.check(&manifest)?;
        let replaced: Vec<Replaced> = self
            .ledger
            .iter()
            .map(|from| Replaced {
                name: "ledger".to_owned(),
                from: from.clone(),
            })
            .collect();
        let mut count =
            backup::restore(&self.folder, &manifest, home.dir(), &replaced, "aggregator.toml").map_err(refused)?;
        if let Some(keys) = &self.keys {
            for name in KEYS {
                let key =
                    fs::read(keys.join(name)).with_context(|| format!("cannot read {}", keys.join(name).display()))?;
                files::write_private(&home.dir().join(name), &key)?;
                count += 1;
            }
        }
        let verified = snowball_ledger::verify(&home.ledger_dir(), &ledger_key(home.dir())?)
            .context("the files are back, and the ledger among them does not verify: take another backup")?;
        let about = &manifest.about;
        let text = format!(
            "{count} files in {}: {}, {} records of the ledger.\nNext: aggregator doctor; then start the server. What happened since the \
             backup is not in it.",
            home.dir().display(),
            about.owner,
            verified.entries
        );
        let json = json!({ "home": home.dir(), "files": count, "about": about, "ledger_entries": verified.entries });
        Ok(Answer::new(text, json))
    }

    /// Everything that can be known before a file is written.
    fn check(&self, manifest: &Manifest) -> Result<()> {
        let about = &manifest.about;
        if about.program != super::PROGRAM {
            return Err(no(format!(
                "this is a backup of {}, not of an aggregator",
                about.program
            )));
        }
        if about.tables > snowball_registry::tables() {
            return Err(no(format!(
                "the backup is of version {}, whose database this version does not know; install that version or a later one",
                about.program_version
            )));
        }
        match &self.keys {
            None if !about.keys => {
                return Err(no(
                    "the backup holds no keys; name the folder that does: --keys DIR".to_owned()
                ));
            }
            Some(keys) => {
                if let Some(missing) = KEYS.iter().find(|name| !keys.join(name).is_file()) {
                    return Err(no(format!("{} holds no {missing}", keys.display())));
                }
                check_ledger_key(&keys.join("ledger.key.pem"), &ledger_key(&self.folder.join(HOME))?)?;
            }
            None => {}
        }
        let Some(ledger) = &self.ledger else { return Ok(()) };
        let expected = Expected {
            owner: Some(snowball_ledger::AGGREGATOR.to_owned()),
            heads: vec![about.ledger_head],
            ..Expected::default()
        };
        match verify_expecting(ledger, &ledger_key(&self.folder.join(HOME))?, &expected) {
            Ok(verified) if verified.unseen == 0 => Ok(()),
            Ok(_) => Err(no(
                "archives of the ledger in --ledger are missing; put them back there first".to_owned(),
            )),
            Err(fault) => Err(no(format!(
                "{} does not go on where the backup's ledger ends: {fault}",
                ledger.display()
            ))),
        }
    }
}

/// Where the ledger's key lies in the clear, it must be this ledger's.
fn check_ledger_key(path: &Path, public: &VerifyingKey) -> Result<()> {
    let text = Zeroizing::new(read_text(path)?);
    if is_wrapped(&text) {
        return Ok(());
    }
    match SigningKey::from_pem(&text) {
        Ok(found) if found.verifying_key() == *public => Ok(()),
        Ok(_) => Err(no(format!("{} is the key of another ledger", path.display()))),
        Err(_) => Err(no(format!("{} is no key", path.display()))),
    }
}

fn ledger_key(home: &Path) -> Result<VerifyingKey> {
    let path = home.join("ledger.pub");
    let text = read_text(&path)?;
    text.trim()
        .parse()
        .with_context(|| format!("{} holds no public key", path.display()))
}

fn no(words: String) -> anyhow::Error {
    Refused(format!("{words}; nothing was restored")).into()
}

/// What does not verify is refused; what the disk does not do is a fault.
fn refused(fault: BackupError) -> anyhow::Error {
    match fault {
        BackupError::File { .. } | BackupError::NotEmpty(_) | BackupError::Within(_) => fault.into(),
        fault => Refused(fault.to_string()).into(),
    }
}
