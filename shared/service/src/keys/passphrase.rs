//! Where the passphrase of the keys comes from: a file, a descriptor or a credential, else a person at a terminal.

use std::{
    fs::File,
    io::{self, IsTerminal as _},
    path::PathBuf,
};

use snowball_crypto::Passphrase;
use zeroize::Zeroizing;

use super::{KeyError, Keys, bounded, check_private, file_error, held, text};

/// The name of the systemd credential that holds the passphrase.
pub const PASSPHRASE_CREDENTIAL: &str = "snowball-passphrase";
/// Largest file with a passphrase, in bytes.
const PASSPHRASE_FILE_BYTES_MAX: u64 = 4096;

/// Where the passphrase comes from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum PassphraseSource {
    /// The systemd credential, else a terminal.
    #[default]
    Found,
    /// A file that only its owner may read.
    File(PathBuf),
    /// A descriptor that the caller opened.
    Descriptor(u32),
}

impl Keys {
    /// The passphrase, asked for once in the process's life.
    pub(super) fn passphrase(&self) -> Result<Passphrase, KeyError> {
        let mut known = held(&self.passphrase);
        if known.is_none() {
            *known = Some(match self.given()? {
                Some(text) => Passphrase::new(&text).map_err(KeyError::Passphrase)?,
                None => Passphrase::new(&prompt("passphrase of the keys: ")?).map_err(KeyError::Passphrase)?,
            });
        }
        known.clone().ok_or(KeyError::NoPassphrase)
    }

    /// The same; at a terminal it is asked for twice, since a slip would lock the keys.
    pub(super) fn new_passphrase(&self) -> Result<Passphrase, KeyError> {
        let is_asked = held(&self.passphrase).is_none() && self.given()?.is_none();
        let passphrase = self.passphrase()?;
        if is_asked {
            let again = Passphrase::new(&prompt("the same again: ")?).map_err(KeyError::Passphrase)?;
            if again != passphrase {
                *held(&self.passphrase) = None;
                return Err(KeyError::Differ);
            }
        }
        Ok(passphrase)
    }

    /// What a file, a descriptor or a credential says; `None` where a person is to be asked.
    fn given(&self) -> Result<Option<Zeroizing<String>>, KeyError> {
        let (path, is_checked) = match &self.source {
            PassphraseSource::File(path) => (path.clone(), true),
            PassphraseSource::Descriptor(number) => (PathBuf::from(format!("/proc/self/fd/{number}")), false),
            PassphraseSource::Found => {
                let credential = self
                    .credentials
                    .as_ref()
                    .map(|folder| folder.join(PASSPHRASE_CREDENTIAL));
                match credential.filter(|path| path.is_file()) {
                    Some(path) => (path, false),
                    None => return Ok(None),
                }
            }
        };
        let failed = |source| file_error(&path, source);
        let mut file = File::open(&path).map_err(failed)?;
        if is_checked {
            check_private(&path, &file)?;
        }
        let bytes = bounded(&mut file, PASSPHRASE_FILE_BYTES_MAX).map_err(failed)?;
        text(bytes).map(Some).map_err(failed)
    }
}

/// Asks at the terminal, where there is one; a service has none, and must not wait for it.
fn prompt(question: &str) -> Result<Zeroizing<String>, KeyError> {
    if !io::stdin().is_terminal() {
        return Err(KeyError::NoPassphrase);
    }
    rpassword::prompt_password(question)
        .map(Zeroizing::new)
        .map_err(|_| KeyError::NoPassphrase)
}
