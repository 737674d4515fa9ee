//! A copy of the database at one moment, beside processes that go on writing; and whether the pixels can have changed since.

use std::{fs, io, path::Path};

use crate::{DATABASE, PACKS, QUARANTINE, Store, StoreError, schema};

/// Where the database lies in the store's folder.
pub const DATABASE_FILE: &str = DATABASE;

/// The version of the tables that this program makes and knows.
#[must_use]
pub fn tables() -> u32 {
    schema::known()
}

/// Whether a file of the store is kept by a copy: pixels and what waits in the quarantine. The database is copied by itself, and locks are
/// of this machine. The store's own folder, an empty name, leads to them.
#[must_use]
pub fn is_kept(name: &str) -> bool {
    name.is_empty()
        || [PACKS, QUARANTINE]
            .iter()
            .any(|folder| name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
}

impl Store {
    /// Writes the database as it stands into a new file, whole and durable. Copy the packs after it: each row's pixels are on disk before
    /// the row, and packs only grow, so every row of the copy then has its pixels.
    ///
    /// # Errors
    /// When it cannot be read or the file cannot be written.
    pub fn copy_database(&self, to: &Path) -> Result<(), StoreError> {
        match fs::remove_file(to) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(StoreError::at(to)(fault)),
            _ => {}
        }
        self.read(|connection| {
            connection.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
            Ok(())
        })?;
        fs::File::open(to)
            .and_then(|file| file.sync_all())
            .map_err(StoreError::at(to))
    }

    /// Whether everything that the copy of the database speaks of is here still: what was erased since may be missing from packs that were
    /// copied after it, since a patient withdrew or a file was decided on.
    ///
    /// # Errors
    /// When one of the two cannot be read.
    pub fn holds_all_of(&self, copy: &Path) -> Result<bool, StoreError> {
        self.read(|connection| {
            connection.execute("ATTACH DATABASE ?1 AS copy", [copy.to_string_lossy()])?;
            let gone: Result<u64, _> = connection.query_row(
                "SELECT
                    (SELECT count(*) FROM (SELECT radiograph, pack, offset FROM copy.radiographs
                        EXCEPT SELECT radiograph, pack, offset FROM main.radiographs))
                  + (SELECT count(*) FROM (SELECT radiograph, pack, offset FROM copy.masks
                        EXCEPT SELECT radiograph, pack, offset FROM main.masks))
                  + (SELECT count(*) FROM (SELECT digest, reason, state FROM copy.excluded
                        EXCEPT SELECT digest, reason, state FROM main.excluded))",
                [],
                |row| row.get(0),
            );
            connection.execute("DETACH DATABASE copy", [])?;
            Ok(gone? == 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, keys};

    #[test]
    fn a_copy_opens_as_a_store_and_what_went_since_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        let store = Store::open(&here, keys()).unwrap();
        let radiographs = [Sample::new(1, 1).radiograph(), Sample::new(2, 2).radiograph()];
        store.add_all(&radiographs).unwrap();
        fs::create_dir_all(there.join(PACKS)).unwrap();
        let copy = there.join(DATABASE);
        store.copy_database(&copy).unwrap();
        // Taken in after the copy of the rows: its pixels come along, and nobody asks for them.
        store.add(&Sample::new(3, 3).radiograph()).unwrap();
        for pack in fs::read_dir(here.join(PACKS)).unwrap().flatten() {
            fs::copy(pack.path(), there.join(PACKS).join(pack.file_name())).unwrap();
        }
        assert!(store.holds_all_of(&copy).unwrap());
        let again = Store::open(&there, keys()).unwrap();
        assert_eq!((again.count().unwrap(), again.damaged().unwrap()), (2, 0));
        assert_eq!(
            again.master(radiographs[0].id()).unwrap().unwrap().pixels,
            store.master(radiographs[0].id()).unwrap().unwrap().pixels
        );

        store.withdraw(radiographs[1].patient()).unwrap();
        assert!(!store.holds_all_of(&copy).unwrap());
        store.copy_database(&copy).unwrap();
        assert!(store.holds_all_of(&copy).unwrap());
    }

    #[test]
    fn the_files_of_a_copy_are_named() {
        for (name, kept) in [
            ("packs/000001.pack", true),
            ("quarantine/a", true),
            ("store.sqlite", false),
            ("freezing.lock", false),
        ] {
            assert_eq!(is_kept(name), kept, "{name}");
        }
    }
}
