//! The files that hold the records, in their order: the archives that were closed, and the open file.
//!
//! The first record of every file but the very first is an `archive_closed`, which names the file before it. So it is
//! always clear where a file must begin, whether or not the one before it is at hand.

use std::{
    fs::File,
    io::{self, Seek as _},
    path::{Path, PathBuf},
};

use serde_json::Value;
use snowball_protocol::Sha256Digest;

use crate::{
    Head, VerifyError,
    chain::unreadable,
    files::{archive_checkpoint, archive_folder, archive_records, open_records},
    lines::{Lines, Piece},
    record::parse_link,
};

/// Where a file of records goes on from the one before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Continuation {
    /// Index of its first record: how many records there are before it.
    pub entries: u64,
    /// Hash of the last of them.
    pub hash: Sha256Digest,
    /// Index of the first record of the file before it.
    pub archive: u64,
}

impl Continuation {
    /// Where `file` goes on, and rewinds it. A file whose first line is no sound `archive_closed` goes on from nothing.
    pub fn of(mut file: &File) -> io::Result<Option<Self>> {
        file.rewind()?;
        let found = match Lines::new(file).next()? {
            Piece::Line(line) => Self::read(line),
            _ => None,
        };
        file.rewind()?;
        Ok(found)
    }

    fn read(line: &[u8]) -> Option<Self> {
        let (link, whole) = parse_link(line).ok()?;
        let entry = whole.get("entry")?;
        let number = |name| entry.get(name).and_then(Value::as_u64);
        let archive = number("first")?;
        let holds = entry.get("entry").and_then(Value::as_str) == Some("archive_closed")
            && number("entries") == Some(link.index)
            && archive < link.index;
        holds.then_some(Self {
            entries: link.index,
            hash: link.previous,
            archive,
        })
    }

    /// The head before the file's first record.
    pub fn head(self, owner: &str) -> Head {
        Head {
            owner: owner.to_owned(),
            entries: self.entries,
            hash: self.hash,
        }
    }
}

/// The head before the first record of a file that goes on as `continuation` says.
pub fn start(continuation: Option<Continuation>, owner: &str) -> Head {
    continuation.map_or_else(|| Head::beginning(owner), |continuation| continuation.head(owner))
}

/// An archive that is at hand.
#[derive(Debug)]
pub struct Archive {
    /// Index of its first record.
    pub first: u64,
    /// How many records there are at its end, counted from the beginning of the ledger.
    pub end: u64,
    /// What its first record says of the file before it. Of archive 0: nothing.
    pub continuation: Option<Continuation>,
    /// Its records.
    pub records: PathBuf,
    /// Its signed head.
    pub checkpoint: PathBuf,
}

/// The newest archive that is missing, and with it all that came before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Missing {
    /// Index of its first record.
    pub first: u64,
    /// Where the file after it goes on.
    pub end: Continuation,
}

/// The files of a ledger, as far as they are at hand.
#[derive(Debug)]
pub struct Segments {
    /// The newest archive that is missing.
    pub missing: Option<Missing>,
    /// The archives after it, oldest first.
    pub archives: Vec<Archive>,
    /// The open file.
    pub open: File,
    /// Where it goes on.
    pub continuation: Option<Continuation>,
}

impl Segments {
    /// Finds the files of the ledger in `dir`; archives may also lie in the folders `elsewhere`.
    pub fn find(dir: &Path, elsewhere: &[PathBuf]) -> Result<Self, VerifyError> {
        let open = open_records(dir)?;
        let continuation = Continuation::of(&open).map_err(unreadable)?;
        let own = archive_folder(dir);
        let folders: Vec<&Path> = std::iter::once(own.as_path())
            .chain(elsewhere.iter().map(PathBuf::as_path))
            .collect();
        let (mut archives, mut missing, mut next) = (Vec::new(), None, continuation);
        while let Some(end) = next {
            let Some(archive) = Archive::find(&folders, end)? else {
                missing = Some(Missing {
                    first: end.archive,
                    end,
                });
                break;
            };
            // One that does not begin where its name says breaks the chain of files; the walk says what is wrong.
            next = archive.continuation.filter(|found| found.entries == archive.first);
            archives.push(archive);
        }
        archives.reverse();
        Ok(Self {
            missing,
            archives,
            open,
            continuation,
        })
    }

    /// The head before the first record that is at hand.
    pub fn start(&self, owner: &str) -> Head {
        match self.archives.first() {
            None => start(self.continuation, owner),
            Some(archive) => archive.start(owner),
        }
    }
}

impl Archive {
    fn find(folders: &[&Path], end: Continuation) -> Result<Option<Self>, VerifyError> {
        let first = end.archive;
        for folder in folders {
            let records = archive_records(folder, first);
            match File::open(&records) {
                Ok(file) => {
                    return Ok(Some(Self {
                        first,
                        end: end.entries,
                        continuation: Continuation::of(&file).map_err(unreadable)?,
                        records,
                        checkpoint: archive_checkpoint(folder, first),
                    }));
                }
                Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
                Err(fault) => return Err(unreadable(fault)),
            }
        }
        Ok(None)
    }

    /// The head before its first record. Where its first line does not say, nothing can follow it: the walk stops there.
    fn start(&self, owner: &str) -> Head {
        let start = start(self.continuation, owner);
        if start.entries == self.first {
            return start;
        }
        Head {
            owner: owner.to_owned(),
            entries: self.first,
            hash: Sha256Digest::from_bytes([0; 32]),
        }
    }
}
