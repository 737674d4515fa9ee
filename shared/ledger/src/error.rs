//! Why a ledger could not be opened, read or written.

use std::{io, path::PathBuf};

use crate::{LINE_BYTES_MAX, VerifyError};

/// A ledger that could not be opened, read or written. No message holds an entry's content.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Not a name for an owner.
    #[error("a ledger belongs to a site name or to \"aggregator\": 1 to 63 lower-case letters, digits or hyphens")]
    OwnerMalformed,
    /// Another process writes this ledger.
    #[error("the ledger in {} is in use by another process; a ledger has one writer", .folder.display())]
    InUse {
        /// Its folder.
        folder: PathBuf,
    },
    /// The operating system refused.
    #[error("could not {action} {}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// The ledger does not hold what it once held. It is left as it is: keep a copy for the auditor, then restore it
    /// whole (all files of one moment) from a backup or begin another in an empty folder.
    #[error("the ledger in {} does not verify and is left untouched; keep it for the auditor", .folder.display())]
    Broken {
        /// Its folder.
        folder: PathBuf,
        /// What is wrong.
        #[source]
        fault: Box<VerifyError>,
    },
    /// An archive was moved away, and what is asked needs the whole ledger.
    #[error(
        "the archive of records {first} to {} is not in {}; put {first:020}.jsonl back there, whole, or let `archives` be a link to where it lies", .end.saturating_sub(1), .folder.display()
    )]
    ArchiveMissing {
        /// Index of its first record.
        first: u64,
        /// Index of the first record after it.
        end: u64,
        /// Where it should be.
        folder: PathBuf,
    },
    /// An entry of a kind that a newer program wrote.
    #[error("record {index} is of a kind that this version does not know; read it with the version that wrote it")]
    UnknownEntry {
        /// Which record.
        index: u64,
    },
    /// An entry too long for a line.
    #[error("an entry of kind {kind} takes {bytes} bytes; a line has at most {LINE_BYTES_MAX}")]
    TooLong {
        /// The entry's kind.
        kind: &'static str,
        /// How long its line would be.
        bytes: usize,
    },
}

impl LedgerError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
