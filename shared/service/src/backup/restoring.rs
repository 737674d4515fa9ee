//! What both programs ask before they put a backup back: whether it is of this program, of a version that this one knows, with the keys that
//! nobody can make again, and with a ledger that goes on where the backup's ends. All of it before a file is written.

use std::path::{Path, PathBuf};

use snowball_crypto::{SigningKey, VerifyingKey};
use snowball_ledger::{Entry, Expected, LedgerError, records_at_hand, verify, verify_expecting};
use zeroize::Zeroizing;

use super::{BackupError, HOME, Manifest, Replaced, read, restore};
use crate::{
    files,
    keys::{Kept, KeyError, Keys},
};

/// The folder of the ledger in either home.
const LEDGER: &str = "ledger";
/// Its public key.
const PUBLIC_KEY: &str = "ledger.pub";
/// A private key in the clear or under a passphrase, or a public one.
const KEY_BYTES_MAX: usize = 64 << 10;

/// A program that puts its own backups back.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// As it calls itself in the manifest.
    pub name: &'static str,
    /// What it is, with its article: `a node`.
    pub kind: &'static str,
    /// What holds its rows: `store`.
    pub database: &'static str,
    /// The newest tables that it knows.
    pub tables: u32,
    /// Whose name the ledger bears, where it is not that of the manifest's owner.
    pub ledger_owner: Option<&'static str>,
    /// The file that makes a home whole; it is written after all others.
    pub last: &'static str,
    /// The folder of the home that the keys lie in; empty where they lie in the home itself.
    pub keys_folder: &'static str,
    /// The keys that nobody can make again.
    pub keys: &'static [&'static str],
    /// Which of them is the ledger's.
    pub ledger_key: &'static str,
}

/// What somebody asked to be put back.
#[derive(Clone, Debug)]
pub struct Restoring<'a> {
    /// By whom.
    pub program: Program,
    /// The folder of the backup.
    pub folder: &'a Path,
    /// The empty home.
    pub home: &'a Path,
    /// A folder with the keys, where the backup was made without them.
    pub keys: Option<&'a Path>,
    /// What reads keys in this process.
    pub reader: &'a Keys,
    /// A later copy of the ledger.
    pub ledger: Option<&'a Path>,
}

/// What was put back.
#[derive(Clone, Debug)]
pub struct Restored {
    /// What the backup says of itself.
    pub manifest: Manifest,
    /// How many files were written.
    pub files: u64,
    /// How many records the ledger has.
    pub ledger_entries: u64,
    /// Whether the ledger notes this very list of files. Older versions noted none.
    pub is_noted: bool,
}

/// Why nothing was put back, or not all is well with what was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// What was handed in does not do.
    #[error("{0}; nothing was restored")]
    Unfit(String),
    /// The backup itself.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A key is of no use, or cannot be looked at.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A key cannot be read.
    #[error("cannot read {path}; nothing was restored")]
    Unread {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// After the last file.
    #[error("the files are back, and the ledger among them does not verify: take another backup")]
    Ledger(#[source] snowball_ledger::VerifyError),
    /// After the ledger was verified.
    #[error(
        "the files are back and the ledger among them verifies; whether it notes them could not be read: look for backup_made in `ledger show` of the newest version"
    )]
    Note(#[source] LedgerError),
}

impl Restored {
    /// What people are told of the note.
    #[must_use]
    pub const fn noted(&self) -> &'static str {
        if self.is_noted {
            "the ledger notes this backup, with the digest of its list of files"
        } else {
            "the ledger does not note this backup: an older version made it, the note still waits to be taken in, or somebody changed its list of files"
        }
    }
}

impl RestoreError {
    /// Whether the same is found when nothing but time has passed; otherwise the disk did not do what it was asked.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        match self {
            Self::Unfit(_) => true,
            Self::Backup(fault) => !matches!(
                fault,
                BackupError::File { .. } | BackupError::NotEmpty(_) | BackupError::Within(_)
            ),
            Self::Key(_) | Self::Unread { .. } | Self::Ledger(_) | Self::Note(_) => false,
        }
    }
}

impl Restoring<'_> {
    /// Puts it back. Where anything is wrong, the home stays empty.
    ///
    /// # Errors
    /// When something is.
    pub fn run(&self) -> Result<Restored, RestoreError> {
        let manifest = read(self.folder)?;
        let public = public_key(&self.folder.join(HOME))?;
        self.check_origin(&manifest)?;
        self.check_keys(&manifest, &public)?;
        self.check_ledger(&manifest, &public)?;
        let files = restore(self.folder, &manifest, self.home, &self.replaced(), self.program.last)?;
        let ledger = self.home.join(LEDGER);
        let verified = verify(&ledger, &public).map_err(RestoreError::Ledger)?;
        Ok(Restored {
            is_noted: is_noted(&ledger, &manifest).map_err(RestoreError::Note)?,
            ledger_entries: verified.entries,
            manifest,
            files,
        })
    }

    fn check_origin(&self, manifest: &Manifest) -> Result<(), RestoreError> {
        let (program, about) = (&self.program, &manifest.about);
        if about.program != program.name {
            return unfit(format!(
                "this is a backup of {}, not of {}",
                about.program, program.kind
            ));
        }
        if about.tables > program.tables {
            return unfit(format!(
                "the backup is of version {}, whose {} this version does not know; install that version or a later one",
                about.program_version, program.database
            ));
        }
        Ok(())
    }

    /// A folder of keys must hold what nobody can make again; a ledger's key in the clear must be this ledger's.
    fn check_keys(&self, manifest: &Manifest, public: &VerifyingKey) -> Result<(), RestoreError> {
        let Some(folder) = self.keys else {
            if manifest.about.keys {
                return Ok(());
            }
            return unfit("the backup holds no keys; name the folder that does: --keys DIR".to_owned());
        };
        for name in self.program.keys {
            if self.reader.kept(&folder.join(name))? == Kept::Missing {
                return unfit(format!("{} holds no {name}", folder.display()));
            }
        }
        let path = folder.join(self.program.ledger_key);
        if self.reader.kept(&path)? != Kept::Clear {
            return Ok(());
        }
        // Mode and owner of a copy in a safe are its keeper's affair; in the home it is private.
        let text = Zeroizing::new(read_key(&path)?);
        let found = str::from_utf8(&text)
            .ok()
            .and_then(|text| SigningKey::from_pem(text).ok());
        match found {
            Some(found) if found.verifying_key() == *public => Ok(()),
            Some(_) => unfit(format!("{} is the key of another ledger", path.display())),
            None => unfit(format!("{} is no key", path.display())),
        }
    }

    fn check_ledger(&self, manifest: &Manifest, public: &VerifyingKey) -> Result<(), RestoreError> {
        let Some(ledger) = self.ledger else { return Ok(()) };
        let about = &manifest.about;
        let owner = self.program.ledger_owner.unwrap_or(&about.owner);
        let expected = Expected {
            owner: Some(owner.to_owned()),
            heads: vec![about.ledger_head],
            ..Expected::default()
        };
        match verify_expecting(ledger, public, &expected) {
            Ok(verified) if verified.unseen == 0 => Ok(()),
            Ok(_) => unfit("archives of the ledger in --ledger are missing; put them back there first".to_owned()),
            Err(fault) => unfit(format!(
                "{} does not go on where the backup's ledger ends: {fault}",
                ledger.display()
            )),
        }
    }

    /// What comes from elsewhere than the backup.
    fn replaced(&self) -> Vec<Replaced> {
        let program = &self.program;
        let mut replaced = Vec::new();
        if let Some(from) = self.keys {
            if program.keys_folder.is_empty() {
                // What is a service's credential lies in no folder.
                let files = program.keys.iter().map(|name| Replaced::by(name, from.join(name)));
                replaced.extend(files.filter(|file| file.from.is_file()));
            } else {
                replaced.push(Replaced::by(program.keys_folder, from.to_owned()));
            }
        }
        replaced.extend(self.ledger.map(|from| Replaced::by(LEDGER, from.to_owned())));
        replaced
    }
}

/// Whether the ledger says that just these files were copied: the manifest is not signed, and the ledger is.
fn is_noted(ledger: &Path, manifest: &Manifest) -> Result<bool, LedgerError> {
    let copied = manifest.inventory().digest;
    for record in records_at_hand(ledger)?.1 {
        if matches!(record?.entry, Entry::BackupMade { files_digest, .. } if files_digest == copied) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn public_key(home: &Path) -> Result<VerifyingKey, RestoreError> {
    let path = home.join(PUBLIC_KEY);
    let text = String::from_utf8_lossy(&read_key(&path)?).into_owned();
    let key = text.trim().parse();
    key.map_err(|_| RestoreError::Unfit(format!("{} holds no public key", path.display())))
}

fn read_key(path: &Path) -> Result<Vec<u8>, RestoreError> {
    files::read_bounded(path, KEY_BYTES_MAX).map_err(|source| RestoreError::Unread {
        path: path.to_owned(),
        source,
    })
}

const fn unfit(words: String) -> Result<(), RestoreError> {
    Err(RestoreError::Unfit(words))
}
