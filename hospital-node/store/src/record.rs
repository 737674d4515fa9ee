//! What was taken in and stands in no ledger yet.
//!
//! A file's row and the note for the ledger are one transaction, and the note goes when the ledger has it: a process that is
//! killed at any moment leaves no file that the ledger never hears of. Killed between the ledger's sync and the deletion of the
//! notes, the same files are recorded twice; the other order would lose them.

use rusqlite::{Connection, params};
use snowball_imaging::Excluded;
use snowball_protocol::Sha256Digest;

use crate::{RECORDING, Store, StoreError, seen};

/// Most notes that are handed over at once.
const NOTES_MAX: u32 = 10_000;

/// Files that an importer [on record](crate::Importer::on_record) dealt with and no ledger has.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Unrecorded {
    /// How many became radiographs.
    pub accepted: u64,
    /// The others.
    pub excluded: Vec<Excluded>,
}

/// Notes one file, inside the transaction that remembers it; `None`: it became a radiograph.
pub(crate) fn note(connection: &Connection, excluded: Option<&Excluded>) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO unrecorded (digest, reason) VALUES (?1, ?2)")?
        .execute(params![
            excluded.map(|one| *one.file_digest.as_bytes()),
            excluded.map(|one| one.reason.code())
        ])?;
    Ok(())
}

impl Store {
    /// Hands what no ledger has to `keep`, which makes it durable there, and forgets it then; whatever importers had pending is
    /// made durable first. `keep` is not called where there is nothing, more than once where there is much. One process at a
    /// time does this; others wait.
    ///
    /// # Errors
    /// Those of `keep`, after which nothing is forgotten; or when the disk refuses.
    pub fn record<E: From<StoreError>>(&self, mut keep: impl FnMut(Unrecorded) -> Result<(), E>) -> Result<(), E> {
        let _recording = self.hold(RECORDING)?;
        self.lock().commit(&self.packs)?;
        while let Some((last, unrecorded)) = self.read(notes)? {
            keep(unrecorded)?;
            self.change(|connection, _| Ok(connection.execute("DELETE FROM unrecorded WHERE number <= ?1", [last])?))?;
        }
        Ok(())
    }
}

/// The oldest notes with the number of the last of them.
fn notes(connection: &Connection) -> Result<Option<(i64, Unrecorded)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT number, digest, reason FROM unrecorded ORDER BY number LIMIT ?1")?;
    let mut rows = statement.query([NOTES_MAX])?;
    let (mut last, mut unrecorded) = (None, Unrecorded::default());
    while let Some(row) = rows.next()? {
        last = Some(row.get(0)?);
        match (row.get::<_, Option<[u8; 32]>>(1)?, row.get::<_, Option<String>>(2)?) {
            (Some(digest), Some(code)) => {
                // A reason of another version is not known here; its file was counted by that one.
                unrecorded
                    .excluded
                    .extend(seen::reason_from(&code).map(|reason| Excluded {
                        reason,
                        file_digest: Sha256Digest::from_bytes(digest),
                    }));
            }
            _ => unrecorded.accepted += 1,
        }
    }
    Ok(last.map(|last| (last, unrecorded)))
}

#[cfg(test)]
mod tests {
    use snowball_protocol::intake::IntakeReason;

    use super::*;
    use crate::sample::{cohort, keys};

    fn key(number: u8) -> Sha256Digest {
        Sha256Digest::of(&[number])
    }

    fn recorded(store: &Store) -> Vec<Unrecorded> {
        let mut taken = Vec::new();
        store
            .record(|unrecorded| {
                taken.push(unrecorded);
                Ok::<_, StoreError>(())
            })
            .unwrap();
        taken
    }

    #[test]
    fn what_a_killed_process_took_in_is_recorded_by_the_next_once() {
        let folder = tempfile::tempdir().unwrap();
        let radiographs = cohort(3);
        let excluded = Excluded {
            reason: IntakeReason::Truncated,
            file_digest: key(9),
        };
        {
            let store = Store::open(folder.path(), keys()).unwrap();
            let importer = store.importer().on_record();
            for (number, radiograph) in (0..).zip(&radiographs) {
                importer.add(radiograph, &key(number)).unwrap();
            }
            // The same again is no radiograph, and the caller sets it aside.
            importer.add(&radiographs[0], &key(7)).unwrap();
            importer.quarantine(folder.path(), &excluded, &key(8), 0).unwrap();
            importer.flush().unwrap();
            store
                .importer()
                .quarantine(folder.path(), &excluded, &key(6), 0)
                .unwrap();
        }
        let store = Store::open(folder.path(), keys()).unwrap();
        let refused = store.record(|_| Err(StoreError::Busy));
        assert!(matches!(refused, Err(StoreError::Busy)));
        let expected = Unrecorded {
            accepted: 3,
            excluded: vec![excluded],
        };
        assert_eq!(recorded(&store), [expected]);
        assert!(recorded(&store).is_empty());
    }

    #[test]
    fn what_is_pending_is_recorded_too_and_much_comes_in_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), keys()).unwrap();
        let importer = store.importer().on_record();
        importer.add(&cohort(1)[0], &key(0)).unwrap();
        store
            .change(|connection, _| {
                let mut numbers = 0..NOTES_MAX + 4;
                numbers.try_for_each(|_| note(connection, None))
            })
            .unwrap();
        let counts: Vec<u64> = recorded(&store).iter().map(|one| one.accepted).collect();
        assert_eq!(counts, [u64::from(NOTES_MAX), 5]);
    }
}
