//! A patient withdraws: rows, pixels and frozen copies go, and the patient stays away.

use std::{fs, path::PathBuf};

use rusqlite::{Connection, params};
use serde::Serialize;
use snowball_crypto::{Pseudonym, StoreKeys};
use snowball_worker::shard::Shard;

use crate::{Store, StoreError, pack::Extent};

/// What a withdrawal removed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Withdrawn {
    /// Radiographs that are gone from the store.
    pub radiographs: u64,
    /// Frozen datasets that held one of them and are gone too; freezing again makes them without the patient.
    pub datasets: Vec<PathBuf>,
}

impl Store {
    /// Removes everything of the patient behind `patient`: rows are deleted and overwritten, pixels are overwritten with
    /// zeros, frozen datasets that hold them are removed. Later imports answer [`crate::Added::Withdrawn`].
    ///
    /// The quarantine holds files that could not be tied to a patient; it is not searched. What a network has learned
    /// stays learned.
    ///
    /// # Errors
    /// When the disk refuses. What was decided is finished by the next call or the next opening.
    pub fn withdraw(&self, patient: &Pseudonym) -> Result<Withdrawn, StoreError> {
        // No freeze may be under way, or it would bring the patient back.
        let _freezing = self.freezing()?;
        let radiographs = self.change(|connection, _| forget(connection, &self.keys, patient))?;
        self.finish_erasures()?;
        let datasets = self.remove_datasets_of(patient)?;
        // The log before the database still holds the deleted rows: fold it in and cut it off.
        self.read(|connection| Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?))?;
        Ok(Withdrawn { radiographs, datasets })
    }

    /// Overwrites what was decided to be erased; safe to repeat.
    pub(crate) fn finish_erasures(&self) -> Result<(), StoreError> {
        let extents = self.read(|connection| {
            let mut statement = connection.prepare("SELECT pack, offset, bytes FROM erasures ORDER BY pack, offset")?;
            let extents = statement
                .query_map([], |row| {
                    Ok(Extent {
                        pack: row.get(0)?,
                        offset: row.get::<_, i64>(1)?.unsigned_abs(),
                        bytes: row.get(2)?,
                    })
                })?
                .collect::<Result<Vec<_>, _>>()?;
            Ok(extents)
        })?;
        if extents.is_empty() {
            return Ok(());
        }
        for extent in &extents {
            self.packs.erase(*extent)?;
        }
        let mut touched: Vec<u32> = extents.iter().map(|extent| extent.pack).collect();
        touched.dedup();
        for pack in touched {
            self.packs.sync(pack)?;
        }
        self.change(|connection, _| {
            for extent in &extents {
                connection
                    .prepare_cached("DELETE FROM erasures WHERE pack = ?1 AND offset = ?2")?
                    .execute(params![extent.pack, extent.offset as i64])?;
            }
            Ok(())
        })
    }

    fn remove_datasets_of(&self, patient: &Pseudonym) -> Result<Vec<PathBuf>, StoreError> {
        let name = patient.to_string();
        let mut removed = Vec::new();
        for (folder, digest) in self.datasets()? {
            // Only what is still the dataset that was frozen there; anything else in that place is not ours to remove.
            let Ok(shard) = Shard::open(&folder) else { continue };
            if shard.manifest().digest() == digest && shard.records().iter().any(|record| record.patient == name) {
                drop(shard);
                fs::remove_dir_all(&folder).map_err(StoreError::at(&folder))?;
                removed.push(folder);
            }
        }
        Ok(removed)
    }
}

/// Deletes the rows and writes down which pixels are to go; returns how many radiographs it were.
fn forget(connection: &Connection, keys: &StoreKeys, patient: &Pseudonym) -> Result<u64, StoreError> {
    let pseudonym = patient.as_bytes();
    connection.execute(
        "INSERT OR IGNORE INTO withdrawn (mark) VALUES (?1)",
        params![keys.marks.mark(patient)],
    )?;
    connection.execute(
        "INSERT OR REPLACE INTO erasures SELECT pack, offset, bytes FROM radiographs
         WHERE bytes > 0 AND patient = (SELECT number FROM patients WHERE pseudonym = ?1)",
        params![pseudonym],
    )?;
    let count = connection.execute(
        "DELETE FROM radiographs WHERE patient = (SELECT number FROM patients WHERE pseudonym = ?1)",
        params![pseudonym],
    )?;
    connection.execute("DELETE FROM patients WHERE pseudonym = ?1", params![pseudonym])?;
    Ok(count as u64)
}

/// Whether the patient has withdrawn. What is kept for this is a keyed mark, not the pseudonym.
pub(crate) fn is_withdrawn(connection: &Connection, keys: &StoreKeys, patient: &Pseudonym) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM withdrawn WHERE mark = ?1")?
        .exists(params![keys.marks.mark(patient)])?)
}

#[cfg(test)]
mod tests {
    use snowball_protocol::{labels::LabelName, plan::Preprocessing};

    use super::*;
    use crate::{Added, FreezeRequest, sample::Sample};

    #[test]
    fn rows_pixels_and_datasets_go_and_the_patient_stays_away() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        let (first, second) = (Sample::new(1, 1).radiograph(), Sample::new(1, 2).radiograph());
        let other = Sample::new(2, 3).radiograph();
        for radiograph in [&first, &second, &other] {
            store.add(radiograph).unwrap();
        }
        let request = |name: &str| FreezeRequest {
            folder: folder.path().join(name),
            side: 16,
            preprocessing: Preprocessing::LetterboxV1,
            labels: &[LabelName::Sex],
            cell_min: 0,
        };
        store.freeze(&request("with")).unwrap();
        let pack = folder.path().join("packs/000001.pack");
        let before = fs::read(&pack).unwrap();

        let withdrawn = store.withdraw(first.patient()).unwrap();
        assert_eq!(
            withdrawn,
            Withdrawn {
                radiographs: 2,
                datasets: vec![folder.path().join("with")]
            }
        );
        assert!(!folder.path().join("with").exists());
        assert_eq!((store.count().unwrap(), store.damaged().unwrap()), (1, 0));
        assert!(store.master(first.id()).unwrap().is_none());
        let after = fs::read(&pack).unwrap();
        let third = store.read(|connection| {
            Ok(connection.query_row("SELECT offset FROM radiographs", [], |row| row.get::<_, i64>(0))?)
        });
        let third = third.unwrap() as usize;
        assert!(after[..third].iter().all(|byte| *byte == 0), "overwritten");
        assert_eq!(after[third..], before[third..], "and nothing beside");
        assert_eq!(store.add(&second).unwrap(), Added::Withdrawn);

        store.freeze(&request("without")).unwrap();
        assert_eq!(
            store.withdraw(first.patient()).unwrap(),
            Withdrawn {
                radiographs: 0,
                datasets: Vec::new()
            }
        );
        assert!(folder.path().join("without").exists());
    }

    #[test]
    fn no_byte_of_the_database_names_the_radiograph_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        let radiograph = Sample::new(1, 1).radiograph();
        store.add(&radiograph).unwrap();
        let id = *radiograph.id().as_bytes();
        let found = || {
            ["store.sqlite", "store.sqlite-wal"].iter().any(|name| {
                fs::read(folder.path().join(name))
                    .unwrap_or_default()
                    .windows(id.len())
                    .any(|window| window == id)
            })
        };
        assert!(found());
        store.withdraw(radiograph.patient()).unwrap();
        assert!(!found());
    }

    #[test]
    fn an_erasure_that_a_crash_interrupted_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        let radiograph = Sample::new(1, 1).radiograph();
        store.add(&radiograph).unwrap();
        store
            .change(|connection, _| forget(connection, &store.keys, radiograph.patient()))
            .unwrap();
        drop(store);
        let pack = folder.path().join("packs/000001.pack");
        assert!(fs::read(&pack).unwrap().iter().any(|byte| *byte != 0));
        Store::open(folder.path(), crate::sample::keys()).unwrap();
        assert!(fs::read(&pack).unwrap().iter().all(|byte| *byte == 0));
    }
}
