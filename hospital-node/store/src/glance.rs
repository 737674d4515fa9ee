//! A look at a store that changes nothing in it, for whoever asks whether it would open; and what keeps one from opening.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use snowball_crypto::StoreKeys;

use crate::{DATABASE, PACKS, StoreError, check_proof, fact, known_proof, pack::Packs, schema, writer};

/// Whoever waits at a screen has learned enough.
const WAIT: Duration = Duration::from_secs(5);

/// How many radiographs the store in folder `dir` has, by its own word, if it opens under `keys`. Nothing is written: no table is brought
/// up to date, nothing that a crash interrupted is finished.
///
/// # Errors
/// When the store cannot be read, was sealed under other keys, was written by a newer version, or has lost pixels.
pub fn glance(dir: &Path, keys: &StoreKeys) -> Result<u64, StoreError> {
    let path = dir.join(DATABASE);
    match fs::metadata(&path) {
        Ok(_) => {}
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return without_database(dir),
        Err(fault) => return Err(StoreError::at(&path)(fault)),
    }
    let log = log(&path);
    let is_at_rest = !log.exists();
    let seen = read(dir, &path, keys, is_at_rest);
    // Somebody opened it meanwhile: what was read may be half of before and half of now.
    if is_at_rest && log.exists() {
        return read(dir, &path, keys, false);
    }
    seen
}

fn read(dir: &Path, path: &Path, keys: &StoreKeys, is_at_rest: bool) -> Result<u64, StoreError> {
    let connection = open(path, is_at_rest)?;
    if schema::version(&connection, path)? == 0 {
        return Ok(0);
    }
    if let Some(proof) = known_proof(&connection)? {
        check_proof(keys, proof, dir)?;
    }
    Packs::new(dir.join(PACKS)).check_last(writer::last_pack(&connection)?)?;
    fact::count(&connection)
}

fn without_database(dir: &Path) -> Result<u64, StoreError> {
    let has_packs = fs::read_dir(dir.join(PACKS)).is_ok_and(|mut packs| packs.next().is_some());
    if has_packs {
        return Err(StoreError::Damaged {
            what: format!("{DATABASE} is missing, and there are pixels"),
        });
    }
    Ok(0)
}

/// The file beside the database that is there while somebody has it open, or after a crash.
fn log(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn open(path: &Path, is_at_rest: bool) -> Result<Connection, StoreError> {
    // A database at rest lies in one file. To read it as one that is in use, SQLite would make two more beside it.
    let uri = uri(path, if is_at_rest { "?immutable=1" } else { "" });
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.busy_timeout(WAIT)?;
    Ok(connection)
}

/// Every byte that could mean something in a URI is written by its number.
fn uri(path: &Path, query: &str) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() {
            uri.push(char::from(*byte));
        } else {
            uri += &format!("%{byte:02X}");
        }
    }
    uri + query
}

/// What keeps a store from opening: each sort has another remedy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Obstacle {
    /// It was sealed under other keys.
    Keys,
    /// Another version of this program wrote it, or another program.
    Version,
    /// Another process holds it.
    Busy,
    /// It is not as it was written.
    Damage,
    /// The system refuses, or something else; nothing says that the store itself suffered.
    System,
}

impl Obstacle {
    /// The sort of `fault`.
    #[must_use]
    pub fn of(fault: &StoreError) -> Self {
        match fault {
            StoreError::WrongKey { .. } => Self::Keys,
            StoreError::Newer { .. } | StoreError::Unsealed { .. } | StoreError::Foreign { .. } => Self::Version,
            StoreError::Busy => Self::Busy,
            StoreError::Damaged { .. } => Self::Damage,
            StoreError::Database(fault) => match fault.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
                    Self::Busy
                }
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damage,
                _ => Self::System,
            },
            _ => Self::System,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Store,
        sample::{Sample, keys, keys_of},
    };

    /// Names and contents of the files of a store.
    fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        for folder in [dir.to_owned(), dir.join(PACKS)] {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    files.push((path.clone(), fs::read(path).unwrap()));
                }
            }
        }
        files.sort();
        files
    }

    fn obstacle(dir: &Path) -> Obstacle {
        Obstacle::of(&glance(dir, &keys()).unwrap_err())
    }

    #[test]
    fn a_store_is_counted_at_rest_and_in_use_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("a store? 100%");
        let store = Store::open(&dir, keys()).unwrap();
        store.add(&Sample::new(1, 1).radiograph()).unwrap();
        assert_eq!(glance(&dir, &keys()).unwrap(), 1);
        drop(store);
        let before = files(&dir);
        assert_eq!(glance(&dir, &keys()).unwrap(), 1);
        assert!(files(&dir) == before, "a glance wrote something");
    }

    #[test]
    fn what_keeps_a_store_from_opening_is_told_apart_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        assert_eq!(glance(dir, &keys()).unwrap(), 0, "no store is made");
        assert!(!dir.join(DATABASE).exists());
        let store = Store::open(dir, keys()).unwrap();
        store.add(&Sample::new(1, 1).radiograph()).unwrap();
        drop(store);
        let other = glance(dir, &keys_of("43", "store-tests")).unwrap_err();
        assert_eq!(Obstacle::of(&other), Obstacle::Keys);

        let database = dir.join(DATABASE);
        let sound = fs::read(&database).unwrap();
        let newer = schema::open(&database).unwrap();
        newer.pragma_update(None, "user_version", 99).unwrap();
        drop(newer);
        assert_eq!(obstacle(dir), Obstacle::Version);
        fs::write(&database, vec![7; 8192]).unwrap();
        assert_eq!(obstacle(dir), Obstacle::Damage);
        fs::remove_file(&database).unwrap();
        assert_eq!(obstacle(dir), Obstacle::Damage, "pixels without a database");
        fs::write(&database, sound).unwrap();
        assert_eq!(glance(dir, &keys()).unwrap(), 1);
        fs::remove_dir_all(dir.join(PACKS)).unwrap();
        assert_eq!(obstacle(dir), Obstacle::Damage, "a database without pixels");
    }
}
