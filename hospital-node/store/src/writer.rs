//! The one place where rows and pixels are made durable, in the only order that a crash cannot spoil.
//!
//! A change begins a database transaction, which keeps every other process from appending; pixels go to the pack from
//! the position that the database names; committing syncs the packs first and the rows after. Several changes may share
//! one commit. Whatever fails undoes everything since the last commit.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    StoreError,
    pack::{Extent, PACK_BYTES_MAX, Packs, sync_all},
};

/// Changes that share a commit: syncing a dozen files takes as long as fifty small pictures.
const CHANGES_MAX: usize = 512;
/// Pixels that share a commit, in bytes.
const APPENDED_MAX: u64 = 64 << 20;
/// How long a commit is put off: other processes that write wait for it, and a crash repeats so much work.
const OPEN_MAX: Duration = Duration::from_secs(2);

pub(crate) struct Writer {
    connection: Connection,
    pending: Option<Pending>,
}

/// What a transaction under way has done.
struct Pending {
    begun: Instant,
    pack: u32,
    end: u64,
    touched: Vec<u32>,
    /// Files beside the packs that must be on disk with it.
    beside: Vec<PathBuf>,
    changes: usize,
    appended: u64,
}

impl Pending {
    fn after(last: Option<(u32, u64)>) -> Self {
        let (pack, end) = last.unwrap_or((1, 0));
        Self {
            begun: Instant::now(),
            pack,
            end,
            touched: Vec::new(),
            beside: Vec::new(),
            changes: 0,
            appended: 0,
        }
    }
}

impl Writer {
    pub const fn new(connection: Connection) -> Self {
        Self {
            connection,
            pending: None,
        }
    }

    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether enough is pending, or for long enough, that it should be made durable.
    pub fn is_due(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| {
            pending.changes >= CHANGES_MAX || pending.appended >= APPENDED_MAX || pending.begun.elapsed() >= OPEN_MAX
        })
    }

    /// Does one change; it is visible to this store at once, durable after [`commit`](Self::commit).
    pub fn change<T>(
        &mut self,
        packs: &Packs,
        change: impl FnOnce(&Connection, &mut Tail<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.pending.is_none() {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            match last_pack(&self.connection) {
                Ok(last) => self.pending = Some(Pending::after(last)),
                Err(fault) => {
                    self.abandon();
                    return Err(fault);
                }
            }
        }
        let pending = self.pending.as_mut().expect("a transaction is under way: set above");
        let answer = change(&self.connection, &mut Tail { packs, pending });
        if answer.is_err() {
            self.abandon();
        } else if let Some(pending) = self.pending.as_mut() {
            pending.changes += 1;
        }
        answer
    }

    /// Makes everything pending durable: pixels and files first, then the rows that point to them.
    pub fn commit(&mut self, packs: &Packs) -> Result<(), StoreError> {
        let Some(pending) = self.pending.take() else {
            return Ok(());
        };
        let done = seal(&self.connection, packs, &pending);
        if done.is_err() {
            self.abandon();
        }
        done
    }

    /// Undoes everything pending; the pack's tail is cut off by the next append.
    pub fn abandon(&mut self) {
        self.pending = None;
        if !self.connection.is_autocommit() {
            // When even this fails the connection is lost, and every later statement says so.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

fn seal(connection: &Connection, packs: &Packs, pending: &Pending) -> Result<(), StoreError> {
    for pack in &pending.touched {
        packs.sync(*pack)?;
    }
    sync_all(&pending.beside)?;
    connection.execute_batch("COMMIT")?;
    Ok(())
}

/// The newest pack and how many of its bytes count.
pub(crate) fn last_pack(connection: &Connection) -> Result<Option<(u32, u64)>, StoreError> {
    let row = connection
        .prepare_cached("SELECT number, bytes FROM packs ORDER BY number DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))
        .optional()?;
    Ok(row.map(|(number, bytes)| (number, bytes.unsigned_abs())))
}

/// The end of the newest pack, during one change.
pub(crate) struct Tail<'a> {
    packs: &'a Packs,
    pending: &'a mut Pending,
}

impl Tail<'_> {
    /// Has the file at `path`, which was just written, on disk before the transaction is.
    pub fn sync_beside(&mut self, path: PathBuf) {
        self.pending.beside.push(path);
    }

    /// Appends `bytes` bytes, which `content` makes for the place where they will lie, and says where that is; they count
    /// once the transaction is committed.
    pub fn append(
        &mut self,
        connection: &Connection,
        bytes: usize,
        content: impl FnOnce(Extent) -> Result<Vec<u8>, StoreError>,
    ) -> Result<Extent, StoreError> {
        let bytes = u32::try_from(bytes).map_err(|_| StoreError::Unreasonable {
            what: "a picture of 4 GiB",
        })?;
        let pending = &mut *self.pending;
        if pending.end > 0 && pending.end + u64::from(bytes) > PACK_BYTES_MAX {
            pending.pack += 1;
            pending.end = 0;
        }
        if pending.touched.last() != Some(&pending.pack) {
            self.packs.trim(pending.pack, pending.end)?;
            pending.touched.push(pending.pack);
        }
        let extent = Extent {
            pack: pending.pack,
            offset: pending.end,
            bytes,
        };
        let content = content(extent)?;
        debug_assert_eq!(content.len(), extent.bytes as usize);
        self.packs.write(extent.pack, extent.offset, &content)?;
        pending.end += u64::from(bytes);
        pending.appended += u64::from(bytes);
        connection
            .prepare_cached(
                "INSERT INTO packs (number, bytes) VALUES (?1, ?2) ON CONFLICT (number) DO UPDATE SET bytes = ?2",
            )?
            .execute(params![extent.pack, pending.end as i64])?;
        Ok(extent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(connection: &Connection, tail: &mut Tail<'_>, content: &[u8]) -> Result<Extent, StoreError> {
        tail.append(connection, content.len(), |_| Ok(content.to_vec()))
    }

    #[test]
    fn what_was_not_committed_is_gone_and_its_bytes_are_reused() {
        let folder = tempfile::tempdir().unwrap();
        let packs = Packs::new(folder.path().to_owned());
        let path = folder.path().join("store.sqlite");
        let mut writer = Writer::new(crate::schema::open(&path).unwrap());
        let kept = writer
            .change(&packs, |connection, tail| append(connection, tail, b"kept"))
            .unwrap();
        writer.commit(&packs).unwrap();
        writer
            .change(&packs, |connection, tail| {
                append(connection, tail, b"lost in the crash")
            })
            .unwrap();
        drop(writer);

        let mut writer = Writer::new(crate::schema::open(&path).unwrap());
        assert_eq!(last_pack(writer.connection()).unwrap(), Some((1, 4)));
        let next = writer
            .change(&packs, |connection, tail| append(connection, tail, b"next"))
            .unwrap();
        writer.commit(&packs).unwrap();
        assert_eq!((next.pack, next.offset), (1, 4));
        assert_eq!(
            (packs.read(kept).unwrap(), packs.read(next).unwrap()),
            (b"kept".to_vec(), b"next".to_vec())
        );
        assert_eq!(std::fs::metadata(folder.path().join("000001.pack")).unwrap().len(), 8);
    }

    #[test]
    fn a_failed_change_undoes_what_was_pending() {
        let folder = tempfile::tempdir().unwrap();
        let packs = Packs::new(folder.path().to_owned());
        let mut writer = Writer::new(crate::schema::open(&folder.path().join("store.sqlite")).unwrap());
        writer
            .change(&packs, |connection, tail| append(connection, tail, b"pending"))
            .unwrap();
        let failed = writer.change(&packs, |_, _| Err::<(), _>(StoreError::Unreasonable { what: "a test" }));
        assert!(failed.is_err());
        writer.commit(&packs).unwrap();
        assert_eq!(last_pack(writer.connection()).unwrap(), None);
    }
}
