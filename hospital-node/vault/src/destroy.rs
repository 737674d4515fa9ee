//! The end of a vault: its secret is overwritten and removed, its database removed, and a mark left that nothing gets past.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
};

use snowball_crypto::random_bytes;

use crate::{DATABASE, VaultError};

const TOMBSTONE: &str = "destroyed";

/// Whether the vault in folder `dir` was destroyed, or its destruction begun.
#[must_use]
pub fn is_destroyed(dir: &Path) -> bool {
    dir.join(TOMBSTONE).exists()
}

/// Destroys the vault in folder `dir` whose secret is the file `secret`. The mark comes first, so that a crash in between
/// leaves nothing that opens; doing it again finishes it.
///
/// Overwriting reaches the file's own blocks. A disk that writes elsewhere (flash, copy-on-write, snapshots) or a backup may
/// still hold an older copy of the secret: those are for the site to destroy.
///
/// # Errors
/// When the disk refuses.
pub fn destroy(dir: &Path, secret: &Path) -> Result<(), VaultError> {
    let tombstone = dir.join(TOMBSTONE);
    fs::create_dir_all(dir).map_err(VaultError::at(dir))?;
    File::create(&tombstone)
        .and_then(|file| file.sync_all())
        .and_then(|()| File::open(dir)?.sync_all())
        .map_err(VaultError::at(&tombstone))?;
    overwrite(secret)?;
    for suffix in ["", "-wal", "-shm"] {
        remove(&dir.join(format!("{DATABASE}{suffix}")))?;
    }
    File::open(dir)
        .and_then(|folder| folder.sync_all())
        .map_err(VaultError::at(dir))
}

fn overwrite(secret: &Path) -> Result<(), VaultError> {
    let at = VaultError::at(secret);
    let mut file = match OpenOptions::new().write(true).open(secret) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(&at)?,
    };
    let noise: [u8; 64] = random_bytes().map_err(|_| VaultError::Randomness)?;
    file.write_all(&noise).and_then(|()| file.sync_all()).map_err(&at)?;
    drop(file);
    remove(secret)?;
    let folder = secret.parent().unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(VaultError::at(folder))
}

fn remove(path: &Path) -> Result<(), VaultError> {
    match fs::remove_file(path) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(VaultError::at(path)(fault)),
        _ => Ok(()),
    }
}
