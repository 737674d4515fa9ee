//! The way back: into an empty home, every file checked before the first is written.

use std::{
    fs::File,
    io,
    path::{Component, Path, PathBuf},
};

use super::{BackupError, CopiedFile, FORMAT, HOME, MANIFEST, Manifest, at, create, empty, is_empty, list, pour};
use crate::files;

/// A list of a million files, and a bound on what is read in one go.
const MANIFEST_BYTES_MAX: usize = 256 << 20;

/// A folder or a file of the home that comes from elsewhere: keys that a backup leaves out, a ledger that is newer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replaced {
    /// Its name in the home, such as `keys`.
    pub name: String,
    /// Where its files lie.
    pub from: PathBuf,
}

impl Replaced {
    pub(super) fn by(name: &str, from: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            from,
        }
    }
}

/// What the backup in `folder` says of itself. Nothing of it is checked yet.
///
/// # Errors
/// When it is none, was never finished, or comes from a newer program.
pub fn read(folder: &Path) -> Result<Manifest, BackupError> {
    let path = folder.join(MANIFEST);
    let bytes = match files::read_bounded(&path, MANIFEST_BYTES_MAX) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
            return Err(BackupError::Unfinished(folder.to_owned()));
        }
        read => read.map_err(at(&path))?,
    };
    let unreadable = |why: String| BackupError::Manifest(folder.to_owned(), why);
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|fault| unreadable(fault.to_string()))?;
    if manifest.format != FORMAT {
        return Err(unreadable(format!("it has format {}", manifest.format)));
    }
    for file in &manifest.files {
        check_name(&file.path)?;
    }
    Ok(manifest)
}

/// Puts the backup in `folder` into `home`, which must be empty or not there, with `replaced` in place of what has those names.
/// `last` is the file that makes a home whole; it is written after all others. Where anything is wrong, the home stays empty.
///
/// # Errors
/// When the home holds something, a file is not what was copied, or the disk refuses.
pub fn restore(
    folder: &Path,
    manifest: &Manifest,
    home: &Path,
    replaced: &[Replaced],
    last: &str,
) -> Result<u64, BackupError> {
    let is_free = match is_empty(home) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => true,
        looked => looked.map_err(at(home))?,
    };
    if !is_free {
        return Err(BackupError::NotEmpty(home.to_owned()));
    }
    let source = folder.join(HOME);
    for file in &manifest.files {
        check(&source.join(&file.path), file.bytes, file.digest)?;
    }
    let written = write(&source, manifest, home, replaced, last);
    if written.is_err() {
        // Of our own writing, all of it: the home was empty a moment ago.
        empty(home);
    }
    written
}

fn write(
    source: &Path,
    manifest: &Manifest,
    home: &Path,
    replaced: &[Replaced],
    last: &str,
) -> Result<u64, BackupError> {
    files::create_home(home).map_err(at(home))?;
    let is_replaced = |path: &str| {
        let mut folders = replaced.iter();
        folders.any(|folder| {
            path.strip_prefix(folder.name.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let (ending, kept): (Vec<_>, Vec<_>) = manifest
        .files
        .iter()
        .filter(|file| !is_replaced(&file.path))
        .partition(|file| file.path == last);
    let mut count = 0;
    for file in kept {
        copy(&source.join(&file.path), &home.join(&file.path), Some(file))?;
        count += 1;
    }
    for folder in replaced {
        if folder.from.is_file() {
            copy(&folder.from, &home.join(&folder.name), None)?;
            count += 1;
            continue;
        }
        let mut names = Vec::new();
        list(&folder.from, "", 0, &|_| true, &mut names)?;
        for name in names {
            copy(&folder.from.join(&name), &home.join(&folder.name).join(&name), None)?;
            count += 1;
        }
    }
    for file in ending {
        copy(&source.join(&file.path), &home.join(&file.path), Some(file))?;
        count += 1;
    }
    Ok(count)
}

/// Copies a file; one that the manifest knows must still be what was checked a while ago.
fn copy(from: &Path, to: &Path, known: Option<&CopiedFile>) -> Result<(), BackupError> {
    if let Some(parent) = to.parent() {
        files::create_home(parent).map_err(at(parent))?;
    }
    let mut read = File::open(from).map_err(at(from))?;
    let mut written = create(to)?;
    let found = pour(&mut read, &mut written).map_err(at(to))?;
    if known.is_some_and(|file| (file.bytes, file.digest) != found) {
        return Err(BackupError::Altered(from.to_owned()));
    }
    written.sync_all().map_err(at(to))
}

fn check(path: &Path, bytes: u64, digest: snowball_protocol::Sha256Digest) -> Result<(), BackupError> {
    let altered = || BackupError::Altered(path.to_owned());
    let mut file = File::open(path).map_err(|_| altered())?;
    let found = pour(&mut file, &mut io::sink()).map_err(at(path))?;
    if found == (bytes, digest) {
        Ok(())
    } else {
        Err(altered())
    }
}

/// A name that stays in the home.
fn check_name(name: &str) -> Result<(), BackupError> {
    let path = Path::new(name);
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if is_plain && !name.is_empty() {
        Ok(())
    } else {
        Err(BackupError::Name(path.to_owned()))
    }
}
