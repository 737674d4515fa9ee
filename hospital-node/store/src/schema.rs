//! The database: how it is opened and how its tables came to be.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, TransactionBehavior};

use crate::StoreError;

/// Marks the file as ours ("SNWB").
const APPLICATION_ID: i32 = 0x534E_5742;
/// How long one process waits for another that is writing.
const WAIT: Duration = Duration::from_secs(120);

/// Version 1 kept everything in the clear. Nothing brings such a store up to date: its pages and packs would go on lying
/// on the disk unsealed.
const UNSEALED: u32 = 1;

/// One step a version, from the one after [`UNSEALED`]; a released step is never edited.
///
/// In the clear stand: keyed pseudonyms of radiographs and patients, which part a patient belongs to, where frames and masks lie and how
/// long they are, digests and sizes of excluded files with the reason's code (twice, for moments, until the ledger has them), folders and digests of datasets. What is known
/// of a radiograph (labels, acquisition, evidence, the other pseudonyms, digests of its content) is sealed, a row a piece.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE seal (one INTEGER PRIMARY KEY CHECK (one = 1), proof BLOB NOT NULL) STRICT;
    CREATE TABLE patients (
        number INTEGER PRIMARY KEY,
        pseudonym BLOB NOT NULL UNIQUE,
        part INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE withdrawn (mark BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE packs (number INTEGER PRIMARY KEY, bytes INTEGER NOT NULL) STRICT;
    CREATE TABLE radiographs (
        radiograph BLOB NOT NULL UNIQUE,
        patient INTEGER NOT NULL REFERENCES patients (number),
        pack INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        facts BLOB NOT NULL,
        making BLOB NOT NULL
    ) STRICT;
    CREATE INDEX radiographs_by_patient ON radiographs (patient);
    CREATE TABLE erasures (
        pack INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        PRIMARY KEY (pack, offset)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE files (key BLOB PRIMARY KEY, reason TEXT) STRICT, WITHOUT ROWID;
    CREATE TABLE excluded (
        digest BLOB NOT NULL,
        reason TEXT NOT NULL,
        state TEXT NOT NULL,
        first_seen INTEGER NOT NULL,
        times INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        copied INTEGER NOT NULL,
        PRIMARY KEY (digest, reason)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE reviews (
        digest BLOB NOT NULL,
        time INTEGER NOT NULL,
        waived TEXT NOT NULL,
        excluded TEXT,
        words BLOB NOT NULL
    ) STRICT;
    CREATE TABLE freezings (
        number INTEGER PRIMARY KEY,
        digest BLOB NOT NULL,
        folder BLOB NOT NULL,
        UNIQUE (digest, folder)
    ) STRICT;
    CREATE TABLE members (
        freezing INTEGER NOT NULL REFERENCES freezings (number),
        patient INTEGER NOT NULL REFERENCES patients (number),
        PRIMARY KEY (patient, freezing)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE touched (
        mark BLOB NOT NULL,
        digest BLOB NOT NULL,
        folder BLOB NOT NULL,
        PRIMARY KEY (mark, digest, folder)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE datasets (folder BLOB PRIMARY KEY, recipe BLOB NOT NULL, digest BLOB NOT NULL) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE site_labels (
        radiograph BLOB PRIMARY KEY REFERENCES radiographs (radiograph) ON DELETE CASCADE,
        labels BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE unrecorded (number INTEGER PRIMARY KEY, digest BLOB, reason TEXT) STRICT;
    CREATE TABLE unlooked (
        radiograph BLOB PRIMARY KEY REFERENCES radiographs (radiograph) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE masks (
        radiograph BLOB NOT NULL REFERENCES radiographs (radiograph) ON DELETE CASCADE,
        pack INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        about BLOB NOT NULL
    ) STRICT;
    CREATE INDEX masks_by_radiograph ON masks (radiograph);
",
    // Rows tell from now on by which compressions a picture lost something. No table changes; but a program that does not know the field
    // would take such a row for a foreign one and take the radiograph back, so it must not open the store.
    "",
];

/// Opens the database at `path`, brings its tables up to date, and sets what makes it durable and forgetful.
pub(crate) fn open(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(WAIT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL, not NORMAL: in WAL mode NORMAL may lose the last commits in a power failure, and what was acknowledged must
    // stay. An import commits dozens of radiographs at once, so the sync is not what it waits for.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Deleted rows are overwritten, so that a withdrawn patient does not linger in free pages.
    connection.pragma_update(None, "secure_delete", true)?;
    // 16 MiB of pages: half a million radiographs are a database of some 1.1 GB, of which the inner pages of all trees fit. The
    // leaves are read from the system's own cache at least as well, and the process's memory stays the same from early on.
    connection.pragma_update(None, "cache_size", -16_384)?;
    // Keys are random, so each commit writes pages all over the file. A log of 32 MiB is folded in at once: fewer writes of
    // the same page, fewer syncs.
    connection.pragma_update(None, "wal_autocheckpoint", 8_192)?;
    connection.set_prepared_statement_cache_capacity(64);
    migrate(&mut connection, path)?;
    // What a statement sets aside stays in memory: a process that decodes may write nowhere but into the store's folder, and rows that are
    // sealed at rest have no business in the system's folder for passing files.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// The version of the tables that this program makes, and the newest that it knows.
pub(crate) const fn known() -> u32 {
    UNSEALED + MIGRATIONS.len() as u32
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction, path)?;
    for step in &MIGRATIONS[found.saturating_sub(UNSEALED) as usize..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", known())?;
    transaction.commit()?;
    Ok(())
}

/// Which version wrote the database, 0 where nobody has yet. Reads alone.
///
/// # Errors
/// When this program cannot bring it up to date.
pub(crate) fn version(connection: &Connection, path: &Path) -> Result<u32, StoreError> {
    let known = known();
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: u32 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (application, found, tables) != (0, 0, 0) {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    if found == UNSEALED {
        return Err(StoreError::Unsealed { path: path.to_owned() });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_opens_twice_and_is_durable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sqlite");
        open(&path).unwrap();
        let connection = open(&path).unwrap();
        let mode: String = connection
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .unwrap();
        let synchronous: u32 = connection
            .pragma_query_value(None, "synchronous", |row| row.get(0))
            .unwrap();
        assert_eq!((mode.as_str(), synchronous), ("wal", 2));
    }

    #[test]
    fn a_store_from_before_sealing_is_refused_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sqlite");
        open(&path)
            .unwrap()
            .pragma_update(None, "user_version", UNSEALED)
            .unwrap();
        let fault = open(&path).unwrap_err();
        assert!(matches!(fault, StoreError::Unsealed { .. }));
        assert!(fault.to_string().contains("import the radiographs again"), "{fault}");
    }

    #[test]
    fn a_newer_or_foreign_database_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let newer = folder.path().join("newer");
        open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(open(&newer), Err(StoreError::Newer { found: 99, .. })));
        let foreign = folder.path().join("foreign");
        Connection::open(&foreign)
            .unwrap()
            .execute_batch("CREATE TABLE other (a)")
            .unwrap();
        assert!(matches!(open(&foreign), Err(StoreError::Foreign { .. })));
    }
}
