//! The files of a ledger's folder.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use crate::{Head, LedgerError, VerifyError, chain::unreadable, checkpoint};
use snowball_crypto::SigningKey;

/// The records, one a line.
pub const RECORDS_FILE: &str = "ledger.jsonl";
/// The signed head.
pub const CHECKPOINT_FILE: &str = "checkpoint";
/// The signed head of a write under way; gone once it is done.
pub const NEXT_CHECKPOINT_FILE: &str = "checkpoint.next";
/// The file that takes the open file's place while an archive is closed; gone once that is done.
pub const NEXT_RECORDS_FILE: &str = "ledger.jsonl.next";
/// The folder of closed archives.
pub const ARCHIVE_FOLDER: &str = "archives";

/// Where the archives of the ledger in `dir` lie.
pub fn archive_folder(dir: &Path) -> PathBuf {
    dir.join(ARCHIVE_FOLDER)
}

/// The records of the archive that begins with record `first`.
pub fn archive_records(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.jsonl"))
}

/// Its signed head.
pub fn archive_checkpoint(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.checkpoint"))
}

/// The open file; between two steps of closing an archive, the one that takes its place.
pub fn open_records(dir: &Path) -> Result<File, VerifyError> {
    for name in [RECORDS_FILE, NEXT_RECORDS_FILE] {
        match File::open(dir.join(name)) {
            Ok(file) => return Ok(file),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
            Err(fault) => return Err(unreadable(fault)),
        }
    }
    Err(VerifyError::RecordsMissing)
}

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
    write_durably(
        &folder.join(NEXT_CHECKPOINT_FILE),
        checkpoint::sign(head, key).as_bytes(),
    )
}

/// Writes a file whole and makes it durable; whatever stood there is replaced.
pub fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), LedgerError> {
    let mut file = File::create(path).map_err(LedgerError::io("create", path))?;
    file.write_all(bytes).map_err(LedgerError::io("write", path))?;
    file.sync_all().map_err(LedgerError::io("sync", path))
}

/// Makes the next checkpoint the checkpoint.
pub fn adopt_next(folder: &Path) -> Result<(), LedgerError> {
    let path = folder.join(CHECKPOINT_FILE);
    fs::rename(folder.join(NEXT_CHECKPOINT_FILE), &path).map_err(LedgerError::io("replace", &path))
}

/// Removes the next checkpoint, if there is one.
pub fn discard_next(folder: &Path) -> Result<(), LedgerError> {
    remove(folder.join(NEXT_CHECKPOINT_FILE))
}

/// Removes a file, if it is there.
pub fn remove(path: PathBuf) -> Result<(), LedgerError> {
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
