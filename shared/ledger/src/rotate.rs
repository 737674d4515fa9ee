//! Closing the open file: it becomes an archive that nobody writes to any more, and the chain goes on in the next file.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use snowball_protocol::ids::UnixSeconds;

use crate::{
    Entry, Head, Ledger, LedgerError, NEXT_RECORDS_FILE, RECORDS_FILE, Record, checkpoint,
    files::{
        adopt_next, archive_checkpoint, archive_folder, archive_records, create_folder, remove, sync_folder,
        write_durably, write_next,
    },
    ledger::{is_open_file, lock_at_once},
    recover::Standing,
};

impl Ledger {
    /// Closes the open file. Gives the head that answers for the archive; nothing where there is nothing to close.
    ///
    /// # Errors
    /// When the system refuses a step. No record is lost by it, and the next call goes on.
    pub fn rotate(&mut self, now: UnixSeconds) -> Result<Option<Head>, LedgerError> {
        self.exclusively(|ledger| ledger.rotate_locked(now))
    }

    /// The order that makes every crash harmless. Up to the first rename the ledger is as before; from then on the next
    /// file, which is whole and whose head is signed, only has to be put in its place, and opening does that:
    ///
    /// 1. the archive's signed head is durable in the folder of archives;
    /// 2. the next file with its one record is durable beside the open one, and locked;
    /// 3. the head with that record is signed and durable as the next checkpoint;
    /// 4. the open file moves to the archives;
    /// 5. the next file takes its place;
    /// 6. the next checkpoint becomes the checkpoint.
    ///
    /// Where the archives lie on another disk, a whole and durable copy takes the place of step 4, and step 5 replaces the
    /// open file. A crash between the two leaves the ledger as before, with a copy that nothing names and the next
    /// closing replaces.
    pub(crate) fn rotate_locked(&mut self, now: UnixSeconds) -> Result<Option<Head>, LedgerError> {
        self.settle()?;
        let (first, closing) = (self.standing.first, self.standing.head.clone());
        let own_records = closing.entries - first;
        if own_records == 0 || (own_records == 1 && first > 0) {
            return Ok(None);
        }
        let archives = archive_folder(&self.folder);
        create_folder(&archives)?;
        self.unsettled = true;
        let note = checkpoint::sign(&closing, &self.key);
        write_durably(&archive_checkpoint(&archives, first), note.as_bytes())?;
        sync_folder(&archives)?;

        let entries = closing.entries;
        let record = Record::after(&closing, now, Entry::ArchiveClosed { first, entries });
        let path = self.folder.join(NEXT_RECORDS_FILE);
        remove(path.clone())?;
        let mut next = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .open(&path)
            .map_err(LedgerError::io("create", &path))?;
        lock_at_once(&next, &self.folder)?;
        let line = record.to_line();
        next.write_all(&line)
            .and_then(|()| next.sync_all())
            .map_err(LedgerError::io("write", &path))?;
        let head = Head {
            owner: closing.owner.clone(),
            entries: entries + 1,
            hash: record.hash,
        };
        write_next(&self.folder, &head, &self.key)?;
        sync_folder(&self.folder)?;

        self.moved = true;
        let (open, archive) = (self.folder.join(RECORDS_FILE), archive_records(&archives, first));
        match fs::rename(&open, &archive) {
            Err(fault) if fault.kind() == io::ErrorKind::CrossesDevices => copy_durably(&open, &archive)?,
            renamed => renamed.map_err(LedgerError::io("archive", &open))?,
        }
        // Both folders: were this rename lost and the next one not, the open file would be replaced and gone.
        sync_folder(&archives)?;
        sync_folder(&self.folder)?;
        match fs::rename(&path, &open) {
            // Another process that was just started found no open file and put this one in its place; it waits for the lock.
            Err(fault) if fault.kind() == io::ErrorKind::NotFound && is_open_file(&next, &self.folder)? => {}
            renamed => renamed.map_err(LedgerError::io("replace", &open))?,
        }
        sync_folder(&self.folder)?;
        adopt_next(&self.folder)?;
        // Only a reminder: who may write the folder may change it back, and the check finds every change.
        let _ = take_away_writing(&archive);
        self.file = next;
        self.standing = Standing {
            head,
            first: entries,
            bytes: line.len() as u64,
            repair: self.standing.repair,
        };
        (self.unsettled, self.moved) = (false, false);
        Ok(Some(closing))
    }
}

/// What a copy is called until it is whole.
const PART: &str = "jsonl.part";

/// The archive's name appears only once all of it is on that disk: a copy that a crash cut short is never taken for an archive.
fn copy_durably(open: &Path, archive: &Path) -> Result<(), LedgerError> {
    let part = archive.with_extension(PART);
    let mut from = File::open(open).map_err(LedgerError::io("read", open))?;
    let mut to = File::create(&part).map_err(LedgerError::io("create", &part))?;
    io::copy(&mut from, &mut to)
        .and_then(|_| to.sync_all())
        .map_err(LedgerError::io("write", &part))?;
    fs::rename(&part, archive).map_err(LedgerError::io("archive", open))
}

fn take_away_writing(path: &Path) -> io::Result<()> {
    let mut permissions = fs::metadata(path)?.permissions();
    permissions.set_readonly(true);
    fs::set_permissions(path, permissions)
}
