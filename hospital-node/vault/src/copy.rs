//! A copy of the vault's database at one moment, sealed as it is, beside processes that go on writing. It takes no key.

use std::{fs, io, path::Path};

use rusqlite::{Connection, OpenFlags};

use crate::{DATABASE, VaultError, WAIT};

/// Where the database lies in the vault's folder.
pub const DATABASE_FILE: &str = DATABASE;

/// Writes the database of the vault in folder `dir` into a new file, whole and durable.
///
/// # Errors
/// When it cannot be read or the file cannot be written.
pub fn copy_database(dir: &Path, to: &Path) -> Result<(), VaultError> {
    match fs::remove_file(to) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(VaultError::at(to)(fault)),
        _ => {}
    }
    let connection = Connection::open_with_flags(dir.join(DATABASE), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(WAIT)?;
    connection.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    fs::File::open(to)
        .and_then(|file| file.sync_all())
        .map_err(VaultError::at(to))
}
