//! A patient withdraws: rows, pixels and frozen copies go, and the patient stays away.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::PathBuf};

use rusqlite::{Connection, params};
use serde::Serialize;
use snowball_crypto::{Pseudonym, StoreKeys};
use snowball_protocol::Sha256Digest;
use snowball_worker::shard;

use crate::{Store, StoreError, pack::Extent};

/// What a withdrawal removed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Withdrawn {
    /// The patient's keyed mark: what is kept to refuse the patient at a later import and to answer for models.
    pub mark: Sha256Digest,
    /// Radiographs that are gone from the store.
    pub radiographs: u64,
    /// Frozen datasets that held one of them and are gone too; freezing again makes them without the patient.
    pub datasets: Vec<PathBuf>,
    /// Every dataset, of now or before, that the patient was ever frozen into.
    pub touched: Vec<Touched>,
}

/// A dataset that held a patient: models trained on it may have learned from them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Touched {
    /// Digest of the dataset, as the ledger has it.
    pub digest: Sha256Digest,
    /// The folder that it was frozen to.
    pub folder: PathBuf,
}

impl Store {
    /// Removes everything of the patient behind `patient`: rows are deleted and overwritten, pixels and masks are overwritten with
    /// zeros, frozen datasets that hold them are removed. Later imports answer [`crate::Added::Withdrawn`]. What is kept is a
    /// keyed mark in place of the pseudonym. Done again, it answers with the same [`touched`](Withdrawn::touched).
    ///
    /// The quarantine is searched by [`withdraw_held`](Self::withdraw_held), which needs somebody who reads DICOM. What a
    /// network has learned stays learned.
    ///
    /// # Errors
    /// When the disk refuses, or another process holds the database's log open. What was decided is finished by the next call
    /// or the next opening.
    pub fn withdraw(&self, patient: &Pseudonym) -> Result<Withdrawn, StoreError> {
        // No freeze may be under way, or it would bring the patient back.
        let _freezing = self.freezing()?;
        let radiographs = self.change(|connection, _| forget(connection, &self.keys, patient))?;
        self.finish_erasures()?;
        let datasets = self.finish_datasets()?;
        // The log before the database still holds the deleted rows: fold it in and cut it off.
        let is_busy: bool =
            self.read(|connection| Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?))?;
        if is_busy {
            return Err(StoreError::Busy);
        }
        Ok(Withdrawn {
            mark: self.mark(patient),
            radiographs,
            datasets,
            touched: self.touched(patient)?,
        })
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

    /// The datasets that a patient who withdrew was ever frozen into.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn touched(&self, patient: &Pseudonym) -> Result<Vec<Touched>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare("SELECT digest, folder FROM touched WHERE mark = ?1 ORDER BY folder, digest")?;
            let read = |row: &rusqlite::Row<'_>| {
                Ok(Touched {
                    digest: Sha256Digest::from_bytes(row.get(0)?),
                    folder: OsStr::from_bytes(&row.get::<_, Vec<u8>>(1)?).into(),
                })
            };
            let touched = statement.query_map(params![self.keys.marks.mark(patient)], read)?;
            Ok(touched.collect::<Result<_, _>>()?)
        })
    }

    /// A keyed mark of a pseudonym: the same for the same one, and of no use without this store's keys.
    #[must_use]
    pub fn mark(&self, pseudonym: &Pseudonym) -> Sha256Digest {
        Sha256Digest::from_bytes(self.keys.marks.mark(pseudonym))
    }

    /// The pseudonyms of the radiographs that are kept of a patient.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn radiographs_of(&self, patient: &Pseudonym) -> Result<Vec<Pseudonym>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT radiograph FROM radiographs WHERE patient = (SELECT number FROM patients WHERE pseudonym = ?1)",
            )?;
            let radiographs = statement.query_map(params![patient.as_bytes()], |row| {
                Ok(Pseudonym::from_bytes(row.get(0)?))
            })?;
            Ok(radiographs.collect::<Result<_, _>>()?)
        })
    }

    /// Whether anybody has withdrawn.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn has_withdrawn(&self) -> Result<bool, StoreError> {
        self.read(|connection| {
            Ok(connection
                .prepare_cached("SELECT 1 FROM withdrawn LIMIT 1")?
                .exists([])?)
        })
    }

    /// Whether the patient has withdrawn.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn is_withdrawn(&self, patient: &Pseudonym) -> Result<bool, StoreError> {
        self.read(|connection| is_withdrawn(connection, &self.keys, patient))
    }

    /// Removes the datasets that hold anybody who withdrew; safe to repeat.
    pub(crate) fn finish_datasets(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut removed = Vec::new();
        for (folder, digest) in self.datasets()? {
            let holds: bool = self.read(|connection| {
                let sql = "SELECT 1 FROM touched WHERE digest = ?1 AND folder = ?2";
                Ok(connection
                    .prepare_cached(sql)?
                    .exists(params![digest.as_bytes(), folder.as_os_str().as_bytes()])?)
            })?;
            if !holds {
                continue;
            }
            // Only what is still the dataset that was frozen there; anything else in that place is not ours to remove.
            if shard::manifest(&folder).is_ok_and(|manifest| manifest.digest() == digest) {
                fs::remove_dir_all(&folder).map_err(StoreError::at(&folder))?;
                removed.push(folder.clone());
            }
            self.change(|connection, _| {
                let sql = "DELETE FROM datasets WHERE folder = ?1 AND digest = ?2";
                Ok(connection.execute(sql, params![folder.as_os_str().as_bytes(), digest.as_bytes()])?)
            })?;
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
        "INSERT OR IGNORE INTO touched SELECT ?2, digest, folder FROM members JOIN freezings ON freezing = number
         WHERE patient = (SELECT number FROM patients WHERE pseudonym = ?1)",
        params![pseudonym, keys.marks.mark(patient)],
    )?;
    connection.execute(
        "DELETE FROM members WHERE patient = (SELECT number FROM patients WHERE pseudonym = ?1)",
        params![pseudonym],
    )?;
    connection.execute(
        "INSERT OR REPLACE INTO erasures SELECT pack, offset, bytes FROM radiographs
         WHERE bytes > 0 AND patient = (SELECT number FROM patients WHERE pseudonym = ?1)",
        params![pseudonym],
    )?;
    // Before the rows of the radiographs, with which those of the masks go.
    connection.execute(
        "INSERT OR REPLACE INTO erasures SELECT masks.pack, masks.offset, masks.bytes FROM masks JOIN radiographs USING (radiograph)
         WHERE patient = (SELECT number FROM patients WHERE pseudonym = ?1)",
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
    use crate::{
        Added, FreezeRequest,
        sample::{Sample, head},
    };

    #[test]
    fn rows_pixels_and_datasets_go_and_the_patient_stays_away() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        let (first, second) = (Sample::new(1, 1).radiograph(), Sample::new(1, 2).radiograph());
        let other = Sample::new(2, 3).radiograph();
        for radiograph in [&first, &second, &other] {
            store.add(radiograph).unwrap();
        }
        let heads = [head(LabelName::Sex)];
        let request = |name: &str| FreezeRequest {
            folder: folder.path().join(name),
            side: 16,
            preprocessing: Preprocessing::LetterboxV1,
            heads: &heads,
            cell_min: 0,
        };
        let frozen = store.freeze(&request("with")).unwrap();
        let pack = folder.path().join("packs/000001.pack");
        let before = fs::read(&pack).unwrap();

        let withdrawn = store.withdraw(first.patient()).unwrap();
        assert_eq!(withdrawn.radiographs, 2);
        assert_eq!(withdrawn.datasets, [folder.path().join("with")]);
        assert_eq!(
            withdrawn.touched,
            [Touched {
                digest: frozen.digest,
                folder: folder.path().join("with")
            }]
        );
        assert!(!store.stands(&frozen).unwrap());
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
        let again = store.withdraw(first.patient()).unwrap();
        assert_eq!((again.radiographs, again.datasets.len()), (0, 0));
        assert_eq!((again.mark, again.touched), (withdrawn.mark, withdrawn.touched));
        assert!(store.is_withdrawn(first.patient()).unwrap() && !store.is_withdrawn(other.patient()).unwrap());
        assert!(folder.path().join("without").exists());
    }

    #[test]
    fn no_byte_of_the_database_names_the_radiograph_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        let radiograph = Sample::new(1, 1).radiograph();
        store.add(&radiograph).unwrap();
        let found = |wanted: &[u8; 32]| {
            ["store.sqlite", "store.sqlite-wal"].iter().any(|name| {
                fs::read(folder.path().join(name))
                    .unwrap_or_default()
                    .windows(wanted.len())
                    .any(|window| window == wanted)
            })
        };
        let names = [radiograph.id().as_bytes(), radiograph.patient().as_bytes()];
        assert!(names.iter().all(|name| found(name)));
        store.withdraw(radiograph.patient()).unwrap();
        assert!(!names.iter().any(|name| found(name)));
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
