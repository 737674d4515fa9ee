//! The one writer of a ledger.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use snowball_crypto::{SigningKey, VerifyingKey};
use snowball_protocol::ids::UnixSeconds;

use crate::{
    ARCHIVE_BYTES_DEFAULT, Entry, Head, LINE_BYTES_MAX, LedgerError, NEXT_RECORDS_FILE, RECORDS_FILE, Record, Repair,
    SignedHead,
    files::{adopt_next, create_folder, discard_next, sync_folder, write_next},
    head::is_owner,
    recover::{Standing, recover},
};

/// A process that was just killed may hold its lock for a moment, and so may a check: so often, so long apart.
const LOCK_TRIES: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(25);
/// Writers that share a ledger wait for each other's append, and for the check that a newly started one makes.
const SHARED_LOCK_TRIES: u32 = 1200;
/// While it waits, other processes close at most so many archives before somebody should look what goes on.
const OPEN_TRIES: u32 = 8;

/// An open ledger. The lock ends with the process, however it ends.
#[derive(Debug)]
pub struct Ledger {
    pub(crate) folder: PathBuf,
    /// The open file; the writer holds its lock.
    pub(crate) file: File,
    pub(crate) key: SigningKey,
    pub(crate) standing: Standing,
    /// A write failed half-way and may have left bytes after the acknowledged ones.
    pub(crate) unsettled: bool,
    /// Closing an archive broke off when the open file may have moved: it must be opened anew.
    pub(crate) moved: bool,
    /// The lock is held for each append only.
    shared: bool,
    /// The open file is closed before it grows beyond this.
    archive_bytes: u64,
}

/// A ledger to which nobody else writes for the moment.
#[derive(Debug)]
pub struct AtRest<'a> {
    ledger: &'a mut Ledger,
}

impl AtRest<'_> {
    /// Where the ledger stands.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.ledger.standing.head
    }

    /// Writes one entry down, as [`Ledger::append`] does.
    ///
    /// # Errors
    /// As that.
    pub fn append(&mut self, now: UnixSeconds, entry: Entry) -> Result<(), LedgerError> {
        self.ledger.append_held(now, vec![entry]).map(drop)
    }
}

impl Ledger {
    /// Opens the ledger of `owner` (a site's name, or `aggregator`) in `dir`, or begins one where there is none. Checks
    /// the whole chain, and repairs what a crash left ([`repaired`](Self::repaired) tells).
    ///
    /// # Errors
    /// [`LedgerError::InUse`] when another process has it open; [`LedgerError::Broken`] when it does not verify: then
    /// nothing is changed, and nothing is ever appended to it.
    pub fn open(dir: &Path, owner: &str, key: SigningKey) -> Result<Self, LedgerError> {
        Self::open_with(dir, owner, key, false)
    }

    /// Opens it as [`open`](Self::open) does, and lets other processes of the same owner write between this one's
    /// appends: a service and its command line keep one ledger. Whoever finds that it grew checks it again from the
    /// start before going on.
    ///
    /// # Errors
    /// As [`open`](Self::open), when another process does not share it.
    pub fn open_shared(dir: &Path, owner: &str, key: SigningKey) -> Result<Self, LedgerError> {
        Self::open_with(dir, owner, key, true)
    }

    fn open_with(dir: &Path, owner: &str, key: SigningKey, shared: bool) -> Result<Self, LedgerError> {
        if !is_owner(owner) {
            return Err(LedgerError::OwnerMalformed);
        }
        create_folder(dir)?;
        let file = open_locked(dir, tries(shared))?;
        let standing = recover(dir, &file, owner, &key)?;
        if shared {
            file.unlock().map_err(|fault| lock_failed(fault, dir))?;
        }
        Ok(Self {
            folder: dir.to_owned(),
            file,
            key,
            standing,
            unsettled: false,
            moved: false,
            shared,
            archive_bytes: ARCHIVE_BYTES_DEFAULT,
        })
    }

    /// The same ledger, whose open file becomes an archive once it has `bytes`.
    #[must_use]
    pub const fn with_archives_of(mut self, bytes: u64) -> Self {
        self.archive_bytes = bytes;
        self
    }

    /// Writes one entry down. It is durable when this returns.
    ///
    /// # Errors
    /// When it could not be made durable: treat it as not written. The next call takes back what is left of it, and
    /// may succeed.
    pub fn append(&mut self, now: UnixSeconds, entry: Entry) -> Result<Record, LedgerError> {
        let mut records = self.append_all(now, vec![entry])?;
        Ok(records.pop().expect("one entry makes one record"))
    }

    /// Writes several entries down in one go: after a crash either all of them are there or none. They are durable
    /// when this returns, for the price of one.
    ///
    /// # Errors
    /// As [`append`](Self::append), for all of them together.
    pub fn append_all(&mut self, now: UnixSeconds, entries: Vec<Entry>) -> Result<Vec<Record>, LedgerError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        self.exclusively(|ledger| ledger.append_held(now, entries))
    }

    /// Does `act` while nobody writes to this ledger, so that what it copies is of one moment with it. Other processes wait for half a
    /// minute and then give up what they were about to record: be quick.
    ///
    /// # Errors
    /// When another process does not let go of the ledger, or what it wrote cannot be read.
    pub fn at_rest<T>(&mut self, act: impl FnOnce(&mut AtRest<'_>) -> T) -> Result<T, LedgerError> {
        self.exclusively(|ledger| {
            ledger.settle()?;
            Ok(act(&mut AtRest { ledger }))
        })
    }

    /// Does `act` while no other process writes, and with all that others wrote taken up.
    pub(crate) fn exclusively<T>(
        &mut self,
        act: impl FnOnce(&mut Self) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        if !self.shared {
            if self.moved {
                self.open_anew()?;
            }
            return act(self);
        }
        lock(&self.file, &self.folder, SHARED_LOCK_TRIES)?;
        let outcome = self.catch_up().and_then(|()| act(self));
        self.file.unlock().map_err(|fault| lock_failed(fault, &self.folder))?;
        outcome
    }

    /// Takes up what another process wrote since this one last looked, in another file where it closed this one.
    fn catch_up(&mut self) -> Result<(), LedgerError> {
        if self.moved || !is_open_file(&self.file, &self.folder)? {
            return self.open_anew();
        }
        let records = self.folder.join(RECORDS_FILE);
        let bytes = self.file.metadata().map_err(LedgerError::io("read", &records))?.len();
        if bytes != self.standing.bytes {
            let owner = self.standing.head.owner.clone();
            self.standing = recover(&self.folder, &self.file, &owner, &self.key)?;
            self.unsettled = false;
        }
        Ok(())
    }

    fn open_anew(&mut self) -> Result<(), LedgerError> {
        // What is locked may still be the open file: then this very lock would be waited for.
        self.file.unlock().map_err(|fault| lock_failed(fault, &self.folder))?;
        self.file = open_locked(&self.folder, tries(self.shared))?;
        let owner = self.standing.head.owner.clone();
        self.standing = recover(&self.folder, &self.file, &owner, &self.key)?;
        (self.unsettled, self.moved) = (false, false);
        Ok(())
    }

    fn append_held(&mut self, now: UnixSeconds, entries: Vec<Entry>) -> Result<Vec<Record>, LedgerError> {
        if self.standing.bytes >= self.archive_bytes {
            self.rotate_locked(now)?;
        }
        self.append_locked(now, entries)
    }

    fn append_locked(&mut self, now: UnixSeconds, entries: Vec<Entry>) -> Result<Vec<Record>, LedgerError> {
        self.settle()?;
        let mut head = self.standing.head.clone();
        let mut bytes = Vec::new();
        let mut records = Vec::with_capacity(entries.len());
        for entry in entries {
            let record = Record::after(&head, now, entry);
            let line = record.to_line();
            if line.len() > LINE_BYTES_MAX {
                return Err(LedgerError::TooLong {
                    kind: record.kind(),
                    bytes: line.len(),
                });
            }
            head.entries += 1;
            head.hash = record.hash;
            bytes.extend(line);
            records.push(record);
        }
        self.unsettled = true;
        self.write(&head, &bytes)?;
        self.unsettled = false;
        self.standing.head = head;
        self.standing.bytes += bytes.len() as u64;
        Ok(records)
    }

    /// Where the ledger stands: what the other side keeps, so that history cannot be rewritten behind it.
    #[must_use]
    pub fn head(&self) -> Head {
        self.standing.head.clone()
    }

    /// Where the ledger stands now, with what other processes wrote, signed for the other side to keep.
    ///
    /// # Errors
    /// When another process wrote to it and what it wrote cannot be read.
    pub fn signed_head(&mut self) -> Result<SignedHead, LedgerError> {
        self.exclusively(|ledger| Ok(SignedHead::sign(ledger.head(), &ledger.key)))
    }

    /// The key that checks this ledger.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        self.key.verifying_key()
    }

    /// What opening had to mend, if anything. Worth a log line and an [`Entry::UnfinishedWriteRemoved`].
    #[must_use]
    pub const fn repaired(&self) -> Option<Repair> {
        self.standing.repair
    }

    /// The order that makes every crash harmless, and every forged tail visible.
    ///
    /// The head after the write is signed and durable *before* the records are: so when records stand beyond the
    /// checkpoint, opening can tell the ones that the owner wrote from ones that somebody without the key added. Both
    /// files are synced before the rename, so whichever of the two checkpoints a crash leaves under the name is whole;
    /// that is why the rename itself needs no sync: if it is lost, the old checkpoint and the next one are both still
    /// there, and opening goes on from the next. (Syncing a new file makes its name durable on ext4, XFS and Btrfs.)
    fn write(&mut self, head: &Head, bytes: &[u8]) -> Result<(), LedgerError> {
        write_next(&self.folder, head, &self.key)?;
        let path = self.folder.join(RECORDS_FILE);
        self.file
            .write_all(bytes)
            .map_err(LedgerError::io("append to", &path))?;
        self.file.sync_data().map_err(LedgerError::io("sync", &path))?;
        adopt_next(&self.folder)
    }

    /// Takes back what a failed write may have left (a full disk, for example), so that the ledger goes on from the
    /// last acknowledged record.
    pub(crate) fn settle(&mut self) -> Result<(), LedgerError> {
        if self.unsettled {
            let path = self.folder.join(RECORDS_FILE);
            self.file
                .set_len(self.standing.bytes)
                .and_then(|()| self.file.sync_all())
                .map_err(LedgerError::io("repair", &path))?;
            discard_next(&self.folder)?;
            self.unsettled = false;
        }
        Ok(())
    }
}

const fn tries(shared: bool) -> u32 {
    if shared { SHARED_LOCK_TRIES } else { LOCK_TRIES }
}

/// The open file, locked. While its lock was waited for, it may have become an archive; then the next one is taken.
fn open_locked(dir: &Path, tries: u32) -> Result<File, LedgerError> {
    let (path, next) = (dir.join(RECORDS_FILE), dir.join(NEXT_RECORDS_FILE));
    for _ in 0..OPEN_TRIES {
        // Never made where one was moved away a moment ago: an empty file would take the next one's place.
        if !path.exists() && next.exists() {
            match fs::rename(&next, &path) {
                Err(fault) if fault.kind() != io::ErrorKind::NotFound => {
                    return Err(LedgerError::io("replace", path)(fault));
                }
                _ => sync_folder(dir)?,
            }
        }
        let opened = OpenOptions::new().read(true).append(true).open(&path);
        let file = match opened {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound && next.exists() => continue,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                OpenOptions::new().read(true).append(true).create(true).open(&path)
            }
            opened => opened,
        };
        let file = file.map_err(LedgerError::io("open", &path))?;
        lock(&file, dir, tries)?;
        if is_open_file(&file, dir)? {
            return Ok(file);
        }
    }
    Err(LedgerError::InUse { folder: dir.to_owned() })
}

/// Whether `file` is the one that stands under the open file's name.
pub fn is_open_file(file: &File, dir: &Path) -> Result<bool, LedgerError> {
    let path = dir.join(RECORDS_FILE);
    let ours = file.metadata().map_err(LedgerError::io("read", &path))?;
    match fs::metadata(&path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(fault) => Err(LedgerError::io("read", path)(fault)),
    }
}

/// Locks a file that nobody else can know yet.
pub fn lock_at_once(file: &File, folder: &Path) -> Result<(), LedgerError> {
    lock(file, folder, 1)
}

fn lock(file: &File, folder: &Path, tries: u32) -> Result<(), LedgerError> {
    for attempt in 1.. {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if attempt < tries => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::WouldBlock) => {
                return Err(LedgerError::InUse {
                    folder: folder.to_owned(),
                });
            }
            Err(TryLockError::Error(fault)) => return Err(lock_failed(fault, folder)),
        }
    }
    Ok(())
}

fn lock_failed(fault: io::Error, folder: &Path) -> LedgerError {
    LedgerError::io("lock", folder.join(RECORDS_FILE))(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_that_share_a_ledger_take_turns() {
        let folder = std::env::temp_dir().join(format!("snowball-shared-ledger-{}", std::process::id()));
        let key = SigningKey::generate().unwrap();
        let open = || Ledger::open_shared(&folder, "north", key.clone()).unwrap();
        let (mut service, mut command) = (open(), open());
        let entry = |bytes| Entry::UnfinishedWriteRemoved { bytes };
        for turn in 0..5 {
            service.append(turn, entry(1)).unwrap();
            command.append_all(turn, vec![entry(2), entry(3)]).unwrap();
            command.append(turn, entry(4)).unwrap();
        }
        assert_eq!(service.append(9, entry(5)).unwrap().index, 20);
        let verified = crate::verify(&folder, &key.verifying_key()).unwrap();
        assert_eq!(verified.entries, 21);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
