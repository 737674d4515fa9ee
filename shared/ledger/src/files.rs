//! The files of a ledger's folder.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::Path,
};

use crate::{Head, LedgerError, checkpoint};
use snowball_crypto::SigningKey;

/// The records, one a line.
pub const RECORDS_FILE: &str = "ledger.jsonl";
/// The signed head.
pub const CHECKPOINT_FILE: &str = "checkpoint";
/// The signed head of a write under way; gone once it is done.
pub const NEXT_CHECKPOINT_FILE: &str = "checkpoint.next";

/// The bytes of a checkpoint file, no more than a checkpoint can have; `None` where there is no such file.
pub fn read_checkpoint(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let mut bytes = Vec::new();
    // One byte past the bound is enough to make the text malformed.
    file.take(checkpoint::BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Signs `head` and makes it durable under the name of the next checkpoint.
pub fn write_next(folder: &Path, head: &Head, key: &SigningKey) -> Result<(), LedgerError> {
    let path = folder.join(NEXT_CHECKPOINT_FILE);
    let mut file = File::create(&path).map_err(LedgerError::io("create", &path))?;
    file.write_all(checkpoint::sign(head, key).as_bytes())
        .map_err(LedgerError::io("write", &path))?;
    file.sync_all().map_err(LedgerError::io("sync", &path))
}

/// Makes the next checkpoint the checkpoint.
pub fn adopt_next(folder: &Path) -> Result<(), LedgerError> {
    let path = folder.join(CHECKPOINT_FILE);
    fs::rename(folder.join(NEXT_CHECKPOINT_FILE), &path).map_err(LedgerError::io("replace", &path))
}

/// Removes the next checkpoint, if there is one.
pub fn discard_next(folder: &Path) -> Result<(), LedgerError> {
    let path = folder.join(NEXT_CHECKPOINT_FILE);
    match fs::remove_file(&path) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(LedgerError::io("remove", path)(fault)),
        _ => Ok(()),
    }
}

/// Makes the folder's list of names durable.
pub fn sync_folder(folder: &Path) -> Result<(), LedgerError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(LedgerError::io("sync", folder))
}

/// Makes the folder and all that lead to it, each durable in the one above.
pub fn create_folder(folder: &Path) -> Result<(), LedgerError> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    create_folder(parent)?;
    match fs::create_dir(folder) {
        Err(fault) if fault.kind() != io::ErrorKind::AlreadyExists => Err(LedgerError::io("create", folder)(fault)),
        _ => sync_folder(parent),
    }
}
