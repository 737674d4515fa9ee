//! From the spool through the intake: beside whatever fills the spool, batch by batch.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use snowball_pacs::{
    spool::{Spool, Spooled},
    tls::{self, Identity},
};
use snowball_protocol::{Sha256Digest, limits::CSR_BYTES_MAX};
use snowball_service::files;

use super::{
    Context,
    batch::{self, BATCH_FILES_MAX, Batches, Waiting},
};
use crate::config::pacs::ClientTls;

/// How long the intake sleeps when nobody rings.
const REST: Duration = Duration::from_millis(500);

/// Rung when an object is whole in the spool. Ringing twice is as good as once.
#[derive(Clone)]
pub(super) struct Bell(SyncSender<()>);

impl Bell {
    pub fn new() -> (Self, Receiver<()>) {
        let (ring, heard) = sync_channel(1);
        (Self(ring), heard)
    }

    pub fn ring(&self) {
        // Full: it rings already. Gone: the intake has ended, and says why itself.
        let _ = self.0.try_send(());
    }
}

/// The intake of one spool.
pub(super) struct Desk<'a> {
    pub context: &'a Context,
    pub batches: &'a Batches,
    pub spool: &'a Spool,
    /// Where the objects come from, for people.
    pub from: &'static str,
    pub stop: Arc<AtomicBool>,
}

impl Desk<'_> {
    /// Takes in what waits and what comes, until `heard` has no bell left, or until it is asked to stop.
    pub fn work(&self, heard: &Receiver<()>) -> Result<()> {
        let mut passed_over = BTreeSet::new();
        loop {
            self.clear(&mut passed_over)?;
            if self.stop.load(Ordering::SeqCst) {
                return Ok(());
            }
            match heard.recv_timeout(REST) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                // Whoever rang is done: one last look.
                Err(RecvTimeoutError::Disconnected) => return self.clear(&mut passed_over),
            }
        }
    }

    /// Takes in what waits.
    fn clear(&self, passed_over: &mut BTreeSet<[u8; 32]>) -> Result<()> {
        loop {
            let waiting = self
                .spool
                .waiting(BATCH_FILES_MAX, &|name| passed_over.contains(name))?;
            if waiting.is_empty() || self.stop.load(Ordering::SeqCst) {
                return Ok(());
            }
            // An object that was acknowledged is never given up because the disk could not read it this once.
            let (ready, unreadable): (Vec<Spooled>, Vec<Spooled>) =
                waiting.into_iter().partition(|object| batch::is_readable(&object.path));
            for object in unreadable {
                tracing::warn!("{} in the spool cannot be read; it stays", object.path.display());
                passed_over.insert(object.name);
            }
            let files: Vec<Waiting> = ready
                .iter()
                .map(|object| Waiting {
                    path: object.path.clone(),
                    key: Some(Sha256Digest::from_bytes(object.name)),
                })
                .collect();
            let summary = self.batches.take(&files)?;
            for object in &ready {
                self.spool.remove(object)?;
            }
            self.context.print(&summary, || batch::line(&summary, self.from))?;
        }
    }
}

/// Does `work` while a desk takes in what it brings. Either's fault ends both.
pub(super) fn beside<T>(desk: &Desk<'_>, heard: &Receiver<()>, work: impl FnOnce() -> Result<T> + Send) -> Result<T>
where
    T: Send,
{
    std::thread::scope(|scope| {
        let worker = scope.spawn(work);
        let taken = desk.work(heard);
        if taken.is_err() {
            desk.stop.store(true, Ordering::SeqCst);
        }
        let outcome = worker
            .join()
            .map_err(|_| anyhow::anyhow!("the fetching thread panicked"))?;
        taken?;
        outcome
    })
}

/// Days from first to last, and modalities, as `pull` and `retrieve` take them.
#[derive(clap::Args)]
pub(super) struct Span {
    /// First day of the studies, YYYY-MM-DD.
    #[arg(long)]
    from: jiff::civil::Date,
    /// Last day.
    #[arg(long)]
    to: jiff::civil::Date,
    /// Modalities, by their DICOM codes.
    #[arg(long, value_delimiter = ',', default_value = "CR,DX")]
    modality: Vec<String>,
}

impl Span {
    /// The days in order.
    pub fn days(&self) -> Result<Vec<jiff::civil::Date>> {
        ensure!(self.from <= self.to, "--from {} is after --to {}", self.from, self.to);
        let days: Vec<_> = self
            .from
            .series(jiff::Span::new().days(1))
            .take_while(|day| *day <= self.to)
            .collect();
        ensure!(days.len() <= 40_000, "that is more than a century");
        Ok(days)
    }

    /// The modalities, each once.
    pub fn modalities(&self) -> Result<BTreeSet<String>> {
        for code in &self.modality {
            let is_code = (1..=16).contains(&code.len())
                && code
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
            ensure!(is_code, "{code:?} is no modality; for instance CR or DX");
        }
        Ok(self.modality.iter().cloned().collect())
    }
}

/// Whether the intake decodes a transfer syntax.
pub(super) fn is_decodable(uid: &str) -> bool {
    snowball_imaging::TransferSyntax::from_uid(uid).is_some()
}

pub(super) fn read_pem(path: &Path) -> Result<String> {
    let bytes =
        files::read_bounded(path, CSR_BYTES_MAX * 16).with_context(|| format!("cannot read {}", path.display()))?;
    String::from_utf8(bytes).with_context(|| format!("{} is not PEM", path.display()))
}

/// The TLS identity in two files; the key must be its owner's alone.
pub(super) fn identity(certificate: &Path, key: &Path) -> Result<Identity> {
    refuse_shared(key)?;
    Ok(Identity {
        certificate_pem: read_pem(certificate)?,
        key_pem: read_pem(key)?,
    })
}

/// Fails where others than its owner may read a secret file.
pub(super) fn refuse_shared(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let about = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if about.permissions().mode() & 0o077 != 0 {
        bail!("{} can be read by others; run chmod 600 {0}", path.display());
    }
    Ok(())
}

/// TLS towards an archive.
pub(super) fn client_tls(config: &ClientTls) -> Result<tls::ClientConfig> {
    let identity = match (&config.certificate, &config.key) {
        (Some(certificate), Some(key)) => Some(identity(certificate, key)?),
        _ => None,
    };
    Ok(tls::client(&read_pem(&config.ca)?, identity.as_ref())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_received_is_what_the_intake_takes() {
        for class in snowball_pacs::RADIOGRAPHS {
            assert!(snowball_imaging::ObjectClass::from_uid(class).is_some(), "{class}");
        }
        let decodable = snowball_pacs::TRANSFER_SYNTAXES
            .iter()
            .filter(|uid| is_decodable(uid))
            .count();
        assert!(decodable >= 10, "{decodable}");
    }

    #[test]
    fn days_are_counted_and_modalities_checked() {
        let span = |from: &str, to: &str, modality: &str| Span {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            modality: modality.split(',').map(str::to_owned).collect(),
        };
        let days = span("2024-02-28", "2024-03-01", "CR,DX").days().unwrap();
        assert_eq!(days.len(), 3, "{days:?}");
        assert!(span("2024-03-01", "2024-02-28", "CR").days().is_err());
        assert!(span("0001-01-01", "9999-12-31", "CR").days().is_err());
        assert_eq!(
            span("2024-01-01", "2024-01-01", "CR,DX,CR").modalities().unwrap().len(),
            2
        );
        assert!(span("2024-01-01", "2024-01-01", "CR&limit=0").modalities().is_err());
    }
}
