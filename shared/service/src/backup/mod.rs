//! A copy of a program's home at one moment, made beside the running program, with the digest of every file; and the way back.
//!
//! What a home consists of, and which of it must be of one moment, is for each program; here files are copied, listed and checked.
//! The manifest comes last: a folder with one is whole. A copy of a home is as secret as the home.
//!
//! Start at [`Backup`] and [`Restoring`].

mod inventory;
mod restore;
mod restoring;

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use snowball_protocol::{Sha256Digest, digest::RunningDigest, ids::UnixSeconds, plan::canonical_json};

pub use inventory::Inventory;
pub use restore::{Replaced, read, restore};
pub use restoring::{Program, RestoreError, Restored, Restoring};

use crate::files;

/// Where the copy of the home lies in the folder of a backup.
pub const HOME: &str = "home";
/// What is in it.
pub const MANIFEST: &str = "manifest.json";
/// The one form that there is.
const FORMAT: u32 = 1;
/// Folders within folders; a home has six at most.
const DEPTH_MAX: usize = 16;
/// So much of a file is in memory at once.
const PIECE_BYTES: usize = 1 << 20;

/// What a backup says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// 1.
    pub format: u32,
    /// Whose home, when, by what.
    pub about: About,
    /// Every file, in the order of its name.
    pub files: Vec<CopiedFile>,
}

/// Whose home it is, when it was copied and by what.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// `hospital-node` or `aggregator`.
    pub program: String,
    /// The version that made the copy.
    pub program_version: String,
    /// The version of the database's tables; an older program does not know it.
    pub tables: u32,
    /// The site's name, or the consortium's.
    pub owner: String,
    /// When.
    pub made: UnixSeconds,
    /// Whether the keys are in it.
    pub keys: bool,
    /// How many records the ledger has.
    pub ledger_entries: u64,
    /// Hash of the last of them.
    pub ledger_head: Sha256Digest,
}

/// One file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopiedFile {
    /// Its name in the home.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its content.
    pub digest: Sha256Digest,
}

/// Why a home could not be copied or put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The folder holds something.
    #[error("{0} is not empty; name a new folder, nothing was changed")]
    NotEmpty(PathBuf),
    /// A copy in what is copied would copy itself.
    #[error("{0} lies in the home that is to be copied; name a folder elsewhere, best on another disk")]
    Within(PathBuf),
    /// A file could not be read or written.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A name that is not text, or leads out of the home.
    #[error("{0} has a name that no file of a home has")]
    Name(PathBuf),
    /// No manifest: it was never finished, or is something else.
    #[error(
        "{0} is no whole backup: it has no manifest.json; take an older one, and make a new one if the program still runs"
    )]
    Unfinished(PathBuf),
    /// A manifest that cannot be read.
    #[error("the manifest in {0} does not read; it may be of a newer program: {1}")]
    Manifest(PathBuf, String),
    /// A file that is not what was copied.
    #[error(
        "{0} is not what was copied (its SHA-256 differs, or it is missing); nothing was restored, take another backup"
    )]
    Altered(PathBuf),
}

/// A backup that is being made. Dropped before it is [finished](Self::finish), it takes its copy with it: what is not whole serves nobody,
/// and holds keys.
pub struct Backup {
    folder: PathBuf,
    copied: BTreeMap<String, Copied>,
    is_whole: bool,
}

/// A file that was copied, and how it looked in the home then.
struct Copied {
    file: CopiedFile,
    looked: Option<Look>,
}

/// What tells whether a file was written to since: length, time of change in nanoseconds, number on the disk.
type Look = (u64, i64, i64, u64);

impl Backup {
    /// Begins a backup of `home` in `folder`, which must be new or empty, and elsewhere.
    ///
    /// # Errors
    /// When it is not.
    pub fn begin(folder: &Path, home: &Path) -> Result<Self, BackupError> {
        files::create_home(folder).map_err(at(folder))?;
        let (here, there) = (canonical(folder)?, canonical(home)?);
        if here.starts_with(&there) {
            // What was made a moment ago, if it was.
            let _ = fs::remove_dir(folder);
            return Err(BackupError::Within(folder.to_owned()));
        }
        if !is_empty(folder).map_err(at(folder))? {
            return Err(BackupError::NotEmpty(folder.to_owned()));
        }
        files::create_home(&folder.join(HOME)).map_err(at(folder))?;
        Ok(Self {
            folder: folder.to_owned(),
            copied: BTreeMap::new(),
            is_whole: false,
        })
    }

    /// The folder for what is no file of the home yet, such as a ledger on its way.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the copy of the home's file `name` lies; its folder is made.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn place(&self, name: &str) -> Result<PathBuf, BackupError> {
        let path = self.folder.join(HOME).join(name);
        if let Some(parent) = path.parent() {
            files::create_home(parent).map_err(at(parent))?;
        }
        Ok(path)
    }

    /// Copies every file of `home` whose name `wants` says yes to; a folder's name, with a slash at its end, is asked for before anybody looks
    /// into it. Called again, it copies what was written to since, and forgets what is gone. A link leads to what is copied. Gives how many
    /// files it copied.
    ///
    /// # Errors
    /// When a file cannot be read or written; one that goes meanwhile is no fault.
    pub fn copy(&mut self, home: &Path, wants: &dyn Fn(&str) -> bool) -> Result<u64, BackupError> {
        let mut names = Vec::new();
        list(home, "", 0, wants, &mut names)?;
        names.sort_unstable();
        let gone: Vec<String> = self
            .copied
            .iter()
            .filter(|(name, copied)| copied.looked.is_some() && wants(name) && names.binary_search(name).is_err())
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            self.forget(&name)?;
        }
        let mut count = 0;
        for name in names {
            count += u64::from(self.copy_file(home, name)?);
        }
        Ok(count)
    }

    /// Lists a file that was written to its [`place`](Self::place) by somebody else, such as a database's own copy.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn list(&mut self, name: &str) -> Result<(), BackupError> {
        let path = self.place(name)?;
        let mut file = File::open(&path).map_err(at(&path))?;
        let (bytes, digest) = pour(&mut file, &mut io::sink()).map_err(at(&path))?;
        file.sync_all().map_err(at(&path))?;
        let path = name.to_owned();
        let file = CopiedFile { path, bytes, digest };
        self.copied.insert(name.to_owned(), Copied { file, looked: None });
        Ok(())
    }

    /// The same for every file below a folder of the copy.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn list_all(&mut self, folder: &str) -> Result<(), BackupError> {
        let mut names = Vec::new();
        list(&self.folder.join(HOME), folder, 0, &|_| true, &mut names)?;
        names.iter().try_for_each(|name| self.list(name))
    }

    /// Whether the home's file `name` was copied.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        self.copied.contains_key(name)
    }

    /// What was copied so far, for the ledger to note.
    #[must_use]
    pub fn inventory(&self) -> Inventory {
        Inventory::of(self.copied.values().map(|copied| &copied.file))
    }

    /// Writes the manifest: now the backup is whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self, about: About) -> Result<Manifest, BackupError> {
        let copied = std::mem::take(&mut self.copied);
        let files = copied.into_values().map(|copied| copied.file).collect();
        let manifest = Manifest {
            format: FORMAT,
            about,
            files,
        };
        let path = self.folder.join(MANIFEST);
        files::write_private(&path, &canonical_json(&manifest)).map_err(at(&path))?;
        self.is_whole = true;
        Ok(manifest)
    }

    /// Whether it was copied; not where it is as it was, or gone.
    fn copy_file(&mut self, home: &Path, name: String) -> Result<bool, BackupError> {
        let source = home.join(&name);
        let mut from = match File::open(&source) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                self.forget(&name)?;
                return Ok(false);
            }
            opened => opened.map_err(at(&source))?,
        };
        let about = from.metadata().map_err(at(&source))?;
        let looked = (about.len(), about.mtime(), about.mtime_nsec(), about.ino());
        if self
            .copied
            .get(&name)
            .is_some_and(|copied| copied.looked == Some(looked))
        {
            return Ok(false);
        }
        let target = self.place(&name)?;
        let mut to = create(&target)?;
        let (bytes, digest) = pour(&mut from, &mut to).map_err(at(&source))?;
        to.sync_all().map_err(at(&target))?;
        let file = CopiedFile {
            path: name.clone(),
            bytes,
            digest,
        };
        let looked = Some(looked);
        self.copied.insert(name, Copied { file, looked });
        Ok(true)
    }

    fn forget(&mut self, name: &str) -> Result<(), BackupError> {
        if self.copied.remove(name).is_some() {
            let path = self.place(name)?;
            fs::remove_file(&path).map_err(at(&path))?;
        }
        Ok(())
    }
}

impl Drop for Backup {
    fn drop(&mut self) {
        if !self.is_whole {
            empty(&self.folder);
            // It stays where it is a disk's own folder; an empty one is in nobody's way.
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

/// What a disk of its own has in its first folder: root's, and nobody's else.
const OF_THE_DISK: &str = "lost+found";

/// Whether a folder holds nothing but what its disk put there.
fn is_empty(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        if entry?.file_name() != OF_THE_DISK {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes what was written into a folder that was empty before.
fn empty(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name() != OF_THE_DISK {
            let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
        }
    }
}

/// The names of all files below `folder` of `home` that `wants` says yes to.
fn list(
    home: &Path,
    folder: &str,
    depth: usize,
    wants: &dyn Fn(&str) -> bool,
    names: &mut Vec<String>,
) -> Result<(), BackupError> {
    let path = home.join(folder);
    if depth > DEPTH_MAX {
        return Err(BackupError::Name(path));
    }
    let entries = match fs::read_dir(&path) {
        // Gone meanwhile; what was named must be there.
        Err(fault) if fault.kind() == io::ErrorKind::NotFound && depth > 0 => return Ok(()),
        entries => entries.map_err(at(&path))?,
    };
    for entry in entries {
        let entry = entry.map_err(at(&path))?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|_| BackupError::Name(entry.path()))?;
        let name = if folder.is_empty() {
            name
        } else {
            format!("{folder}/{name}")
        };
        if name == OF_THE_DISK {
            continue;
        }
        match fs::metadata(entry.path()) {
            Ok(about) if about.is_dir() && wants(&format!("{name}/")) => list(home, &name, depth + 1, wants, names)?,
            Ok(about) if about.is_file() && wants(&name) => names.push(name),
            // Not wanted; neither sockets nor pipes are kept in a home, and what is gone is gone.
            _ => {}
        }
    }
    Ok(())
}

/// A file that only its owner may read; what stood there is replaced.
fn create(path: &Path) -> Result<File, BackupError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path).map_err(at(path))
}

/// Everything of `from` into `to`: its length and digest.
fn pour(from: &mut File, to: &mut dyn io::Write) -> io::Result<(u64, Sha256Digest)> {
    let (mut digest, mut bytes, mut piece) = (RunningDigest::default(), 0, vec![0; PIECE_BYTES]);
    loop {
        let read = from.read(&mut piece)?;
        if read == 0 {
            return Ok((bytes, digest.finish()));
        }
        to.write_all(&piece[..read])?;
        digest.update(&piece[..read]);
        bytes += read as u64;
    }
}

fn canonical(path: &Path) -> Result<PathBuf, BackupError> {
    fs::canonicalize(path).map_err(at(path))
}

fn at(path: &Path) -> impl Fn(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |source| BackupError::File {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests;
