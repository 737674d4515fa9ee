//! `restore`: a backup into an empty home, checked before the first file is written.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use snowball_crypto::{SigningKey, VerifyingKey};
use snowball_ledger::{Expected, verify_expecting};
use snowball_protocol::limits::CSR_BYTES_MAX;
use snowball_service::{
    backup::{self, BackupError, HOME, Manifest, Replaced},
    files,
    keys::{Kept, Keys},
};
use zeroize::Zeroizing;

use super::{Context, Refused};
use crate::home::Home;

/// Put a backup into an empty home: the folder that --home names, which must be empty or not there.
///
/// What happened since is not in it. The ledger of since, where a copy of it is left (of a later backup, of audit export), goes in with
/// --ledger: without it the aggregator, which keeps a later head, refuses the node with ledger_rewound.
#[derive(Args)]
#[command(
    after_help = "Example: hospital-node --home /var/lib/snowball-node restore /mnt/backup/2026-11-29 \\\n    --ledger /mnt/backup/2026-11-30/home/ledger"
)]
pub struct Restore {
    /// The folder of the backup.
    folder: PathBuf,
    /// The keys, where the backup was made without them.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// A later copy of the ledger, which must go on where the backup's ends.
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
}

impl Restore {
    pub fn run(self, context: &Context) -> Result<()> {
        let manifest = backup::read(&self.folder).map_err(refused)?;
        self.check(&manifest, context)?;
        let replaced = [("keys", &self.keys), ("ledger", &self.ledger)]
            .into_iter()
            .filter_map(|(name, from)| {
                let (name, from) = (name.to_owned(), from.clone()?);
                Some(Replaced { name, from })
            })
            .collect::<Vec<_>>();
        let home = Home::at(&context.root);
        let count = backup::restore(&self.folder, &manifest, home.root(), &replaced, "node.toml").map_err(refused)?;
        let key = ledger_key(home.root())?;
        let verified = snowball_ledger::verify(&home.ledger(), &key)
            .context("the files are back, and the ledger among them does not verify: take another backup")?;
        let document = serde_json::json!({
            "home": context.root, "files": count, "about": manifest.about, "ledger_entries": verified.entries,
        });
        let lacks_vault_key = !home.vault_secret().exists()
            && home.vault_folder().join(snowball_vault::DATABASE_FILE).exists()
            && !snowball_vault::is_destroyed(&home.vault_folder());
        context.print(&document, || {
            let vault = if lacks_vault_key {
                "put keys/vault.secret back from where you keep it, or the vault does not open; "
            } else {
                ""
            };
            format!(
                "{count} files in {}: site {}, {} records of the ledger\nnext: {vault}hospital-node doctor --store; withdraw again every patient who \
                 withdrew since the backup; start the node",
                context.root.display(),
                manifest.about.owner,
                verified.entries
            )
        })
    }

    /// Everything that can be known before a file is written.
    fn check(&self, manifest: &Manifest, context: &Context) -> Result<()> {
        let about = &manifest.about;
        if about.program != super::PROGRAM {
            return Err(no(format!("this is a backup of {}, not of a node", about.program)));
        }
        if about.tables > snowball_store::tables() {
            return Err(no(format!(
                "the backup is of version {}, whose store this version does not know; install that version or a later one",
                about.program_version
            )));
        }
        if !about.keys && self.keys.is_none() {
            return Err(no(
                "the backup holds no keys; name the folder that does: --keys DIR".to_owned()
            ));
        }
        let key = ledger_key(&self.folder.join(HOME))?;
        if let Some(keys) = &self.keys {
            check_keys(keys, &key, context)?;
        }
        let Some(ledger) = &self.ledger else { return Ok(()) };
        let expected = Expected {
            owner: Some(about.owner.clone()),
            heads: vec![about.ledger_head],
            ..Expected::default()
        };
        match verify_expecting(ledger, &key, &expected) {
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

/// The folder of `--keys` must hold what nobody can make again; a ledger's key in the clear must be this ledger's.
fn check_keys(folder: &Path, public: &VerifyingKey, context: &Context) -> Result<()> {
    let keys = Keys::of_process(context.passphrase.clone());
    for name in ["site.secret", "ledger.pem"] {
        if keys.kept(&folder.join(name))? == Kept::Missing {
            return Err(no(format!("{} holds no {name}", folder.display())));
        }
    }
    let path = folder.join("ledger.pem");
    if keys.kept(&path)? != Kept::Clear {
        return Ok(());
    }
    // Mode and owner of a copy in a safe are its keeper's affair; in the home it is private.
    let text = Zeroizing::new(
        files::read_bounded(&path, CSR_BYTES_MAX).with_context(|| format!("cannot read {}", path.display()))?,
    );
    let found = str::from_utf8(&text)
        .ok()
        .and_then(|text| SigningKey::from_pem(text).ok());
    match found {
        Some(found) if found.verifying_key() == *public => Ok(()),
        Some(_) => Err(no(format!("{} is the key of another ledger", path.display()))),
        None => Err(no(format!("{} is no key", path.display()))),
    }
}

fn ledger_key(home: &Path) -> Result<VerifyingKey> {
    let path = home.join("ledger.pub");
    let text = files::read_bounded(&path, CSR_BYTES_MAX).with_context(|| format!("cannot read {}", path.display()))?;
    let text = String::from_utf8_lossy(&text).into_owned();
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
