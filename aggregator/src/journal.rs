//! The ledger's one writer in this process, and the outbox through which other processes reach it.
//!
//! `serve` holds the ledger. A command that finds it held leaves its entries in the outbox as files; `serve` takes them
//! in within a fraction of a second. Both ways are durable before the command goes on.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::SystemTime,
};

use anyhow::{Context as _, Result};
use snowball_ledger::{Entry, Head, Ledger, LedgerError, SignedHead};
use snowball_protocol::ids::UnixSeconds;
use snowball_service::{files, keys::Kept};
use tokio::sync::{mpsc, oneshot};

use crate::{home::Home, state::LEDGER_OWNER};

/// Requests that may wait for the writer.
const QUEUE_MAX: usize = 256;
/// Requests that share one sync to disk.
const BATCH_MAX: usize = 64;
/// A file in the outbox that asks for the open file to be closed.
const ROTATION_REQUEST: &str = "rotate";
/// An entry as JSON is far smaller.
const ENTRY_BYTES_MAX: usize = 64 * 1024;

/// Writes entries of this process, in order, and those of the outbox.
pub struct Journal {
    ledger_dir: PathBuf,
    orders: mpsc::Sender<Order>,
}

/// The ledger did not take an entry.
#[derive(Debug, thiserror::Error)]
#[error("the ledger did not take the entry: {0}")]
pub struct JournalFault(String);

struct Order {
    now: UnixSeconds,
    entries: Vec<Entry>,
    drain: bool,
    done: oneshot::Sender<Written>,
}

/// Where the ledger stands with an order's entries, signed.
type Written = Result<SignedHead, JournalFault>;

/// Entries on their way into the ledger.
pub struct Writing(oneshot::Receiver<Written>);

impl Journal {
    /// Starts the writer; entries that a crash left in the outbox are taken in first, none of them twice.
    pub fn start(mut ledger: Ledger, outbox: Outbox, ledger_dir: &Path) -> Result<Self> {
        outbox.recover(&mut ledger, ledger_dir)?;
        let (orders, mut waiting) = mpsc::channel::<Order>(QUEUE_MAX);
        thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || {
                while let Some(first) = waiting.blocking_recv() {
                    let mut batch = vec![first];
                    while batch.len() < BATCH_MAX
                        && let Ok(next) = waiting.try_recv()
                    {
                        batch.push(next);
                    }
                    perform(&mut ledger, &outbox, batch);
                }
            })
            .context("cannot start the ledger's writer")?;
        Ok(Self {
            ledger_dir: ledger_dir.to_owned(),
            orders,
        })
    }

    /// Where the ledger lies.
    pub fn ledger_dir(&self) -> &Path {
        &self.ledger_dir
    }

    /// Appends `entries`; durable when it returns.
    pub async fn write(&self, now: UnixSeconds, entries: Vec<Entry>) -> Result<(), JournalFault> {
        self.order(now, entries, false).await.map(drop)
    }

    /// Appends `entries`, if there are any, and says where the ledger stands then, signed.
    pub async fn write_for_head(&self, now: UnixSeconds, entries: Vec<Entry>) -> Result<SignedHead, JournalFault> {
        self.order(now, entries, false).await
    }

    /// Takes in what other processes left in the outbox.
    pub async fn drain(&self, now: UnixSeconds) -> Result<(), JournalFault> {
        self.order(now, Vec::new(), true).await.map(drop)
    }

    /// Has `entries` appended behind those before; they are durable when what is returned says so. Whoever goes on meanwhile lets
    /// its next entries share their sync.
    pub async fn begin(&self, now: UnixSeconds, entries: Vec<Entry>) -> Result<Writing, JournalFault> {
        self.begin_order(now, entries, false).await.map(Writing)
    }

    async fn order(&self, now: UnixSeconds, entries: Vec<Entry>, drain: bool) -> Result<SignedHead, JournalFault> {
        let answer = self.begin_order(now, entries, drain).await?;
        answer.await.map_err(|_| gone())?
    }

    async fn begin_order(
        &self,
        now: UnixSeconds,
        entries: Vec<Entry>,
        drain: bool,
    ) -> Result<oneshot::Receiver<Written>, JournalFault> {
        let (done, answer) = oneshot::channel();
        self.orders
            .send(Order {
                now,
                entries,
                drain,
                done,
            })
            .await
            .map_err(|_| gone())?;
        Ok(answer)
    }
}

impl Writing {
    /// Returns when the entries are durable.
    pub async fn done(self) -> Result<(), JournalFault> {
        self.0.await.map_err(|_| gone())?.map(drop)
    }
}

fn gone() -> JournalFault {
    JournalFault("its writer has ended".to_owned())
}

fn perform(ledger: &mut Ledger, outbox: &Outbox, mut batch: Vec<Order>) {
    let now = batch.iter().map(|order| order.now).max().unwrap_or_default();
    let entries: Vec<Entry> = batch
        .iter_mut()
        .flat_map(|order| std::mem::take(&mut order.entries))
        .collect();
    let written = if entries.is_empty() {
        Ok(())
    } else {
        ledger.append_all(now, entries).map(|_| ())
    };
    let drained = if batch.iter().any(|order| order.drain) {
        outbox.drain(ledger, now)
    } else {
        Ok(())
    };
    let head = ledger.signed_head().map_err(|error| error.to_string());
    for order in batch {
        let result = if order.drain {
            drained.as_ref().map_err(|error| format!("{error:#}"))
        } else {
            written.as_ref().map_err(ToString::to_string)
        };
        // Whoever asked may have gone away; the entry stands all the same.
        let _ = order.done.send(result.and_then(|_| head.clone()).map_err(JournalFault));
    }
}

/// Writes `entries` from a command: into the ledger, or into the outbox where `serve` holds the ledger.
pub fn record(home: &Home, now: UnixSeconds, entries: Vec<Entry>) -> Result<()> {
    let outbox = Outbox::at(&home.outbox_dir());
    let leave = || entries.iter().try_for_each(|entry| outbox.leave(now, entry));
    if home.is_served()? {
        return leave();
    }
    match Ledger::open(&home.ledger_dir(), LEDGER_OWNER, home.signing_key()?) {
        Ok(mut ledger) => {
            outbox.recover(&mut ledger, &home.ledger_dir())?;
            ledger
                .append_all(now, entries.clone())
                .context("the ledger did not take the entry")?;
            Ok(())
        }
        Err(LedgerError::InUse { .. }) => leave(),
        Err(error) => Err(error).context("cannot open the ledger"),
    }
}

/// The same for a command that asks nobody for a passphrase: where the ledger's key is under one, the entry waits for the next `serve`. Gives
/// where it may wait.
pub fn note(home: &Home, now: UnixSeconds, entry: Entry) -> Result<Outbox> {
    let outbox = Outbox::at(&home.outbox_dir());
    if home.keys().kept(&home.signing_key_file())? == Kept::Clear {
        record(home, now, vec![entry])?;
    } else {
        outbox.leave(now, &entry)?;
    }
    Ok(outbox)
}

/// What came of closing the ledger's open file.
pub enum Rotation {
    /// `serve` holds the ledger and will do it.
    Asked,
    /// It is an archive now, which ends with this head.
    Closed(Head),
    /// It holds no record of its own.
    Nothing,
}

/// Closes the ledger's open file, or asks `serve` to where that holds the ledger.
pub fn rotate(home: &Home, now: UnixSeconds) -> Result<Rotation> {
    let outbox = Outbox::at(&home.outbox_dir());
    if home.is_served()? {
        outbox.ask_for_rotation()?;
        return Ok(Rotation::Asked);
    }
    match Ledger::open(&home.ledger_dir(), LEDGER_OWNER, home.signing_key()?) {
        Ok(mut ledger) => {
            let closed = ledger.rotate(now).context("cannot close the ledger's open file")?;
            Ok(closed.map_or(Rotation::Nothing, Rotation::Closed))
        }
        Err(LedgerError::InUse { .. }) => {
            outbox.ask_for_rotation()?;
            Ok(Rotation::Asked)
        }
        Err(error) => Err(error).context("cannot open the ledger"),
    }
}

/// A folder of entries that wait for the ledger's writer.
pub struct Outbox {
    dir: PathBuf,
}

impl Outbox {
    /// The folder; it is made when first needed.
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// How many entries wait.
    pub fn count(&self) -> Result<usize> {
        Ok(self.waiting()?.len())
    }

    fn leave(&self, now: UnixSeconds, entry: &Entry) -> Result<()> {
        files::create_home(&self.dir)?;
        let name = format!("{now:020}-{}.json", snowball_crypto::random_token()?);
        files::write_private(&self.dir.join(name), &serde_json::to_vec(entry)?)?;
        Ok(())
    }

    /// After a crash an entry may be both in the outbox and in the ledger; such a file is only deleted.
    fn recover(&self, ledger: &mut Ledger, ledger_dir: &Path) -> Result<()> {
        let waiting = self.waiting()?;
        let Some((earliest, ..)) = waiting.first() else {
            return Ok(());
        };
        let mut recent = Vec::new();
        for record in snowball_ledger::records(ledger_dir).context("cannot read the ledger")? {
            let record = record.context("cannot read the ledger")?;
            if record.time >= *earliest {
                recent.push(record);
            }
        }
        for (left, path, entry) in waiting {
            let text = serde_json::to_value(&entry)?;
            let stands = recent.iter().any(|record| {
                record.time >= left && serde_json::to_value(&record.entry).is_ok_and(|recorded| recorded == text)
            });
            if !stands {
                ledger.append(left, entry)?;
            }
            fs::remove_file(path)?;
        }
        Ok(())
    }

    fn ask_for_rotation(&self) -> Result<()> {
        files::create_home(&self.dir)?;
        Ok(files::write_private(&self.dir.join(ROTATION_REQUEST), b"")?)
    }

    fn drain(&self, ledger: &mut Ledger, now: UnixSeconds) -> Result<()> {
        let request = self.dir.join(ROTATION_REQUEST);
        if request.exists() {
            ledger.rotate(now)?;
            fs::remove_file(request)?;
        }
        let waiting = self.waiting()?;
        if waiting.is_empty() {
            return Ok(());
        }
        let (paths, entries): (Vec<_>, Vec<_>) = waiting.into_iter().map(|(_, path, entry)| (path, entry)).unzip();
        ledger.append_all(now, entries)?;
        paths.into_iter().try_for_each(|path| Ok(fs::remove_file(path)?))
    }

    /// What waits, oldest first; half-written files are not there yet (they are renamed when whole).
    fn waiting(&self) -> Result<Vec<(UnixSeconds, PathBuf, Entry)>> {
        let mut paths = match fs::read_dir(&self.dir) {
            Ok(entries) => entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<Vec<_>, _>>()?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).context("cannot read the ledger's outbox"),
        };
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort_by_cached_key(|path| order(path));
        let mut waiting = Vec::new();
        for path in paths {
            let entry = files::read_bounded(&path, ENTRY_BYTES_MAX)
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok());
            let left = path
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.get(..20)?.parse().ok());
            match (left, entry) {
                (Some(left), Some(entry)) => waiting.push((left, path, entry)),
                _ => tracing::error!(path = %path.display(), "not a ledger entry; look at this file"),
            }
        }
        Ok(waiting)
    }
}

/// The second that a file is named after; within one, whoever wrote first comes first.
fn order(path: &Path) -> (Option<String>, Option<SystemTime>, PathBuf) {
    let name = path.file_name().and_then(|name| name.to_str());
    let second = name.and_then(|name| name.get(..20)).map(str::to_owned);
    let written = fs::metadata(path).and_then(|about| about.modified()).ok();
    (second, written, path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use snowball_crypto::SigningKey;

    fn made(site: &str) -> Entry {
        Entry::InvitationMade {
            site: site.parse().unwrap(),
        }
    }

    fn open(dir: &Path, key: &SigningKey) -> Ledger {
        Ledger::open(dir, LEDGER_OWNER, SigningKey::from_pkcs8(key.to_pkcs8()).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn entries_of_other_processes_are_taken_in_once() {
        let folder = tempfile::tempdir().unwrap();
        let (dir, outbox) = (folder.path().join("ledger"), folder.path().join("outbox"));
        let key = SigningKey::generate().unwrap();
        Outbox::at(&outbox).leave(100, &made("north")).unwrap();
        {
            // The writer before took the entry in and was killed before it deleted the file.
            let mut ledger = open(&dir, &key);
            ledger.append(101, made("north")).unwrap();
        }
        let journal = Journal::start(open(&dir, &key), Outbox::at(&outbox), &dir).unwrap();
        Outbox::at(&outbox).leave(102, &made("south")).unwrap();
        journal.write(103, vec![made("west")]).await.unwrap();
        journal.drain(104).await.unwrap();
        assert_eq!(snowball_ledger::read(&dir).unwrap().len(), 3);
        assert!(Outbox::at(&outbox).waiting().unwrap().is_empty());

        Outbox::at(&outbox).ask_for_rotation().unwrap();
        journal.drain(105).await.unwrap();
        journal.drain(106).await.unwrap();
        let verified = snowball_ledger::verify(&dir, &key.verifying_key()).unwrap();
        assert_eq!((verified.entries, verified.archives), (4, 1));
    }

    #[test]
    fn what_was_left_in_one_second_is_taken_in_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::at(folder.path());
        let sites: Vec<String> = (0..8).map(|number| format!("site-{number}")).collect();
        for site in &sites {
            outbox.leave(100, &made(site)).unwrap();
            // File systems tell times apart by some milliseconds.
            thread::sleep(std::time::Duration::from_millis(12));
        }
        let waiting = outbox.waiting().unwrap();
        let found: Vec<Entry> = waiting.into_iter().map(|(_, _, entry)| entry).collect();
        assert_eq!(found, sites.iter().map(|site| made(site)).collect::<Vec<_>>());
    }
}
