//! The aggregator's folder: where each file lies. Nothing outside it is ever written, except a release's own folder.

use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use snowball_crypto::SigningKey;
use snowball_service::{
    files,
    keys::{Keys, PassphraseSource},
};

use crate::{authorities::Authorities, cli::Refused, config::Config};

/// Largest key, certificate or configuration file that is read, in bytes.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// Paths inside one aggregator's folder.
#[derive(Clone, Debug)]
pub struct Home {
    dir: PathBuf,
    keys: Arc<Keys>,
}

impl Home {
    /// The folder, whether or not it holds anything yet.
    pub fn at(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            keys: Arc::new(Keys::of_process(PassphraseSource::Found)),
        }
    }

    /// The same folder, whose keys are opened by the passphrase of `source`.
    pub fn with_passphrase(self, source: PassphraseSource) -> Self {
        Self {
            keys: Arc::new(Keys::of_process(source)),
            ..self
        }
    }

    /// What reads and writes the keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Every file with a private key.
    pub fn key_files(&self) -> [PathBuf; 3] {
        [self.ca_key_file(), self.server_file(), self.signing_key_file()]
    }

    /// The same folder, which must have been made by `aggregator init`.
    pub fn existing(&self) -> Result<Self> {
        if !self.is_initialised() {
            bail!(
                "{} holds no aggregator; make one: aggregator --home {0} init --help",
                self.dir.display()
            );
        }
        Ok(self.clone())
    }

    /// Whether `aggregator init` finished here; the configuration is the last file that it writes.
    pub fn is_initialised(&self) -> bool {
        self.config_file().is_file()
    }

    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Settings that a person may edit.
    pub fn config_file(&self) -> PathBuf {
        self.dir.join("aggregator.toml")
    }

    /// The private keys of the consortium's CAs.
    pub fn ca_key_file(&self) -> PathBuf {
        self.dir.join("ca.key.pem")
    }

    /// The certificates of the consortium's CAs, oldest first.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// The server's certificate and its private key: one file, so that they change together.
    pub fn server_file(&self) -> PathBuf {
        self.dir.join("server.pem")
    }

    /// Takes the right to change the CAs or the server's certificate, until the file is dropped. Whoever has it needs it
    /// for a moment.
    pub fn lock_certificates(&self) -> Result<File> {
        let path = self.dir.join("certificates.lock");
        let file = File::create(&path).with_context(|| format!("cannot open {}", path.display()))?;
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(file)
    }

    /// The Ed25519 key that signs receipts, releases and the ledger's checkpoints.
    pub fn signing_key_file(&self) -> PathBuf {
        self.dir.join("ledger.key.pem")
    }

    /// The public half of [`signing_key_file`](Self::signing_key_file), one line of base64, to hand out.
    pub fn public_key_file(&self) -> PathBuf {
        self.dir.join("ledger.pub")
    }

    /// The ledger's folder.
    pub fn ledger_dir(&self) -> PathBuf {
        self.dir.join("ledger")
    }

    /// The database.
    pub fn database_file(&self) -> PathBuf {
        self.dir.join("registry.sqlite")
    }

    /// Models and updates.
    pub fn objects_dir(&self) -> PathBuf {
        self.dir.join("objects")
    }

    /// Locked by the one process that serves this folder.
    pub fn serve_lock_file(&self) -> PathBuf {
        self.dir.join("serve.lock")
    }

    /// Takes the folder for serving, until the file is dropped. A command may look at the lock for a moment: hence the tries.
    pub fn lock_for_serving(&self) -> Result<File> {
        const TRIES_MAX: u32 = 40;
        let file = self.open_lock()?;
        for _ in 0..TRIES_MAX {
            if file.try_lock().is_ok() {
                return Ok(file);
            }
            thread::sleep(Duration::from_millis(50));
        }
        bail!("another `aggregator serve` runs on {}", self.dir.display())
    }

    /// Whether a process serves this folder at this moment.
    pub fn is_served(&self) -> Result<bool> {
        Ok(matches!(
            self.open_lock()?.try_lock_shared(),
            Err(TryLockError::WouldBlock)
        ))
    }

    fn open_lock(&self) -> Result<File> {
        let path = self.serve_lock_file();
        let mut options = OpenOptions::new();
        let opened = options.create(true).truncate(false).write(true).mode(0o600).open(&path);
        opened.with_context(|| format!("cannot open {}", path.display()))
    }

    /// Ledger entries that a command queued while the server held the ledger.
    pub fn outbox_dir(&self) -> PathBuf {
        self.dir.join("ledger-outbox")
    }

    /// Reads the settings.
    pub fn config(&self) -> Result<Config> {
        let path = self.config_file();
        read_text(&path)
            .and_then(|text| {
                Config::parse(&text).with_context(|| format!("{} is not a sound configuration", path.display()))
            })
            .map_err(|fault| Refused(format!("{fault:#}")).into())
    }

    /// Reads the signing key.
    pub fn signing_key(&self) -> Result<SigningKey> {
        let path = self.signing_key_file();
        SigningKey::from_pem(&self.keys.read(&path)?)
            .with_context(|| format!("{} holds no Ed25519 key", path.display()))
    }

    /// Reads the consortium's CAs.
    pub fn authorities(&self) -> Result<Authorities> {
        Authorities::read(self)
    }
}

/// A bounded text file.
pub fn read_text(path: &Path) -> Result<String> {
    let bytes = files::read_bounded(path, FILE_BYTES_MAX).with_context(|| format!("cannot read {}", path.display()))?;
    String::from_utf8(bytes).with_context(|| format!("{} is not text", path.display()))
}
