//! Keys and secrets on disk: readable by their owner alone, in the clear or under a passphrase; or handed over by systemd.
//!
//! A passphrase comes from a file, a descriptor, a systemd credential or a terminal, never from a command line or the environment,
//! where other programs read it. It is asked for when the first wrapped file is read, and kept to the end of the process, which
//! may have to write a renewed key.

mod passphrase;
mod protection;

use std::{
    collections::HashMap,
    fmt,
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use snowball_crypto::{CryptoError, Passphrase, is_wrapped, unwrap, wrap};
use snowball_protocol::Sha256Digest;
use zeroize::Zeroizing;

use crate::files;

pub use passphrase::{PASSPHRASE_CREDENTIAL, PassphraseSource};

/// Largest key file, in bytes.
const KEY_BYTES_MAX: usize = 16 * 1024;

/// How one key lies on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// A file in the clear.
    Clear,
    /// A file under a passphrase.
    Wrapped,
    /// No file: systemd hands it over as a credential.
    Credential,
    /// Nowhere.
    Missing,
}

/// Why a key could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others may read it.
    #[error("{path} can be read by others (mode {mode:o}); run: chmod 600 {path}")]
    Open {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A wrapped file, and no passphrase.
    #[error(
        "the keys are under a passphrase and none is at hand; give it by --passphrase-file FILE (mode 600), by --passphrase-fd NUMBER, \
         as the systemd credential {PASSPHRASE_CREDENTIAL}, or at a terminal"
    )]
    NoPassphrase,
    /// What was given is no passphrase.
    #[error("the passphrase cannot be used")]
    Passphrase(#[source] CryptoError),
    /// Two passphrases at the terminal.
    #[error("the two passphrases differ; nothing was changed")]
    Differ,
    /// It does not open, or is no key.
    #[error("{path} cannot be opened")]
    Wrapping {
        /// Which.
        path: PathBuf,
        /// Why.
        source: CryptoError,
    },
}

/// Reads and writes the keys of one home.
pub struct Keys {
    source: PassphraseSource,
    credentials: Option<PathBuf>,
    passphrase: Mutex<Option<Passphrase>>,
    /// What was opened, by the digest of what lay on disk: opening takes a tenth of a second each time.
    opened: Mutex<HashMap<Sha256Digest, Zeroizing<String>>>,
    /// Keys that another process opened and handed over; there are no others then.
    handed: Option<HashMap<PathBuf, Zeroizing<String>>>,
}

impl Keys {
    /// Keys whose passphrase comes from `source`; `credentials` is the folder of systemd's credentials, if there is one.
    #[must_use]
    pub fn new(source: PassphraseSource, credentials: Option<PathBuf>) -> Self {
        Self {
            source,
            credentials,
            passphrase: Mutex::default(),
            opened: Mutex::default(),
            handed: None,
        }
    }

    /// The keys that another process opened and handed over, each by its path. Nothing else is opened, and no passphrase asked for.
    #[must_use]
    pub fn handed(keys: HashMap<PathBuf, Zeroizing<String>>) -> Self {
        Self {
            handed: Some(keys),
            ..Self::new(PassphraseSource::Found, None)
        }
    }

    /// The same, with the credentials that systemd gave this process.
    #[must_use]
    pub fn of_process(source: PassphraseSource) -> Self {
        Self::new(source, std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from))
    }

    /// How the key at `path` is kept.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn kept(&self, path: &Path) -> Result<Kept, KeyError> {
        if let Some(handed) = &self.handed {
            let is_there = handed.contains_key(path);
            return Ok(if is_there { Kept::Clear } else { Kept::Missing });
        }
        match files::read_bounded(path, KEY_BYTES_MAX) {
            Ok(bytes) => {
                let bytes = Zeroizing::new(bytes);
                let is_wrapped = str::from_utf8(&bytes).is_ok_and(is_wrapped);
                Ok(if is_wrapped { Kept::Wrapped } else { Kept::Clear })
            }
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => match self.credential(path) {
                Some(_) => Ok(Kept::Credential),
                None => Ok(Kept::Missing),
            },
            Err(source) => Err(file_error(path, source)),
        }
    }

    /// The key at `path` in the clear, or the credential of its name where there is no such file.
    ///
    /// # Errors
    /// When it is missing, open to others, or wrapped by another passphrase than the one at hand.
    pub fn read(&self, path: &Path) -> Result<Zeroizing<String>, KeyError> {
        if let Some(handed) = &self.handed {
            let key = handed.get(path).cloned();
            return key.ok_or_else(|| file_error(path, io::ErrorKind::NotFound.into()));
        }
        let bytes = match File::open(path) {
            Ok(mut file) => {
                check_private(path, &file)?;
                bounded(&mut file, KEY_BYTES_MAX as u64)
            }
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => match self.credential(path) {
                Some(credential) => {
                    File::open(credential).and_then(|mut file| bounded(&mut file, KEY_BYTES_MAX as u64))
                }
                None => Err(fault),
            },
            Err(fault) => Err(fault),
        };
        let text = bytes.and_then(text).map_err(|source| file_error(path, source))?;
        if !is_wrapped(&text) {
            return Ok(text);
        }
        let digest = Sha256Digest::of(text.as_bytes());
        if let Some(known) = held(&self.opened).get(&digest) {
            return Ok(known.clone());
        }
        let opened = unwrap(&text, &self.passphrase()?).map_err(|source| wrapping(path, source))?;
        held(&self.opened).insert(digest, opened.clone());
        Ok(opened)
    }

    /// Writes a new key: under the passphrase where another key of the same folder is.
    ///
    /// # Errors
    /// When the passphrase is not at hand or the system refuses; the old content is then still there.
    pub fn write(&self, path: &Path, text: &str) -> Result<(), KeyError> {
        let content = if self.is_any_wrapped(path)? {
            wrap(text, &self.passphrase()?).map_err(|source| wrapping(path, source))?
        } else {
            Zeroizing::new(text.to_owned())
        };
        files::write_private(path, content.as_bytes()).map_err(|source| file_error(path, source))
    }

    fn is_any_wrapped(&self, path: &Path) -> Result<bool, KeyError> {
        let Some(folder) = path.parent() else { return Ok(false) };
        let failed = |source| file_error(folder, source);
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().is_ok_and(|kind| kind.is_file())
                && self.kept(&entry.path()).ok() == Some(Kept::Wrapped)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn credential(&self, path: &Path) -> Option<PathBuf> {
        let credential = self.credentials.as_ref()?.join(path.file_name()?);
        credential.is_file().then_some(credential)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Keys")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn file_error(path: &Path, source: io::Error) -> KeyError {
    KeyError::File {
        path: path.to_owned(),
        source,
    }
}

fn wrapping(path: &Path, source: CryptoError) -> KeyError {
    KeyError::Wrapping {
        path: path.to_owned(),
        source,
    }
}

fn check_private(path: &Path, file: &File) -> Result<(), KeyError> {
    let mode = file
        .metadata()
        .map_err(|source| file_error(path, source))?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(KeyError::Open {
        path: path.to_owned(),
        mode,
    })
}

fn bounded(file: &mut File, bytes_max: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

fn text(bytes: Zeroizing<Vec<u8>>) -> io::Result<Zeroizing<String>> {
    match str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "it is not text")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use snowball_crypto::SigningKey;

    use super::*;

    const WORDS: &str = "correct horse battery";

    struct Folder {
        dir: tempfile::TempDir,
    }

    impl Folder {
        fn new() -> Self {
            Self {
                dir: tempfile::tempdir().unwrap(),
            }
        }

        fn private(&self, name: &str, content: &str) -> PathBuf {
            let path = self.dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            files::write_private(&path, content.as_bytes()).unwrap();
            path
        }

        fn keys(&self, words: &str) -> Keys {
            Keys::new(PassphraseSource::File(self.private("words", words)), None)
        }
    }

    #[test]
    fn a_process_that_was_handed_keys_finds_these_and_no_others() {
        let folder = Folder::new();
        let (given, other) = (
            folder.private("keys/site.secret", "on disk"),
            folder.private("keys/tls.pem", "other"),
        );
        let keys = Keys::handed(HashMap::from([(given.clone(), Zeroizing::new("handed".to_owned()))]));
        assert_eq!(*keys.read(&given).unwrap(), "handed");
        assert_eq!(keys.kept(&given).unwrap(), Kept::Clear);
        assert!(keys.read(&other).is_err());
        assert_eq!(keys.kept(&other).unwrap(), Kept::Missing);
    }

    /// As a service sees it: no terminal at its standard input.
    fn without_words() -> Keys {
        Keys::new(PassphraseSource::Descriptor(u32::MAX), None)
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = Folder::new();
        let path = folder.private("keys/one", "secret");
        assert_eq!(**without_words().read(&path).unwrap(), *"secret");
        for mode in [0o640, 0o604, 0o660, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = without_words().read(&path).unwrap_err();
            assert!(
                matches!(refused, KeyError::Open { .. }) && refused.to_string().contains("chmod 600"),
                "{refused}"
            );
        }
    }

    #[test]
    fn keys_are_wrapped_and_opened_whole_and_a_new_one_is_wrapped_as_well() {
        let folder = Folder::new();
        let pem = SigningKey::generate().unwrap().to_pem();
        let paths = [
            folder.private("keys/a", &pem),
            folder.private("keys/b", "0123456789abcdef"),
        ];
        let keys = folder.keys(WORDS);
        assert_eq!(keys.protect(&paths).unwrap(), 2);
        assert_eq!(keys.protect(&paths).unwrap(), 0, "again is fine");
        for path in &paths {
            assert_eq!(keys.kept(path).unwrap(), Kept::Wrapped);
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            assert!(matches!(without_words().read(path), Err(KeyError::File { .. })));
            let other = folder.keys("correct horse batterx").read(path).unwrap_err();
            assert!(
                matches!(
                    other,
                    KeyError::Wrapping {
                        source: CryptoError::PassphraseWrong,
                        ..
                    }
                ),
                "{other}"
            );
        }
        let keys = folder.keys(WORDS);
        assert_eq!(**keys.read(&paths[1]).unwrap(), *"0123456789abcdef");
        let renewed = folder.dir.path().join("keys/renewed");
        assert!(without_words().write(&renewed, &pem).is_err() && !renewed.exists());
        keys.write(&renewed, &pem).unwrap();
        assert_eq!(keys.kept(&renewed).unwrap(), Kept::Wrapped);
        assert_eq!(keys.unprotect(&paths).unwrap(), 2);
        assert_eq!(fs::read_to_string(&paths[1]).unwrap(), "0123456789abcdef");
    }

    #[test]
    fn another_passphrase_wraps_nothing_where_some_keys_are_wrapped() {
        let folder = Folder::new();
        let paths = [
            folder.private("keys/a", "first secret"),
            folder.private("keys/b", "second secret"),
        ];
        folder.keys(WORDS).protect(&paths[..1]).unwrap();
        assert!(folder.keys("another passphrase").protect(&paths).is_err());
        assert_eq!(folder.keys(WORDS).kept(&paths[1]).unwrap(), Kept::Clear);
        assert_eq!(folder.keys(WORDS).protect(&paths).unwrap(), 1);
    }

    #[test]
    fn systemd_hands_over_the_passphrase_or_a_whole_key() {
        let folder = Folder::new();
        let path = folder.private("keys/site.secret", "of the disk");
        folder.keys(WORDS).protect(std::slice::from_ref(&path)).unwrap();
        folder.private("credentials/snowball-passphrase", WORDS);
        folder.private("credentials/vault.secret", "of systemd");
        let keys = Keys::new(PassphraseSource::Found, Some(folder.dir.path().join("credentials")));
        assert_eq!(**keys.read(&path).unwrap(), *"of the disk");
        let vault = folder.dir.path().join("keys/vault.secret");
        assert_eq!(keys.kept(&vault).unwrap(), Kept::Credential);
        assert_eq!(**keys.read(&vault).unwrap(), *"of systemd");
        assert_eq!(keys.kept(&folder.dir.path().join("keys/none")).unwrap(), Kept::Missing);
    }

    #[test]
    fn a_passphrase_file_is_private_and_a_descriptor_is_read() {
        let folder = Folder::new();
        let path = folder.private("keys/a", "secret");
        folder.keys(WORDS).protect(std::slice::from_ref(&path)).unwrap();
        let words = folder.private("words", WORDS);
        fs::set_permissions(&words, fs::Permissions::from_mode(0o644)).unwrap();
        let open = Keys::new(PassphraseSource::File(words), None).read(&path);
        assert!(matches!(open, Err(KeyError::Open { .. })));
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(format!("{WORDS}\n").as_bytes()).unwrap();
        drop(writer);
        let number = std::os::fd::AsRawFd::as_raw_fd(&reader).unsigned_abs();
        let keys = Keys::new(PassphraseSource::Descriptor(number), None);
        assert_eq!(**keys.read(&path).unwrap(), *"secret");
    }
}
