//! A backup in one digest, as the ledger notes it. The ledger itself is left out of it: it is copied last, with the note in it.

use snowball_ledger::Entry;
use snowball_protocol::{Sha256Digest, plan::canonical_json};

use super::{CopiedFile, Manifest};

/// The folders of the ledger: its records, and what waits to become some.
const OF_THE_LEDGER: [&str; 2] = ["ledger/", "ledger-outbox/"];

/// What was copied beside the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inventory {
    /// SHA-256 of the list in canonical JSON.
    pub digest: Sha256Digest,
    /// How many files.
    pub files: u64,
    /// Their size together.
    pub bytes: u64,
}

impl Inventory {
    pub(super) fn of<'a>(files: impl Iterator<Item = &'a CopiedFile>) -> Self {
        let is_of_ledger = |file: &CopiedFile| OF_THE_LEDGER.iter().any(|folder| file.path.starts_with(folder));
        let listed: Vec<&CopiedFile> = files.filter(|file| !is_of_ledger(file)).collect();
        Self {
            digest: Sha256Digest::of(&canonical_json(&listed)),
            files: listed.len() as u64,
            bytes: listed.iter().map(|file| file.bytes).sum(),
        }
    }

    /// The entry that notes it; no name of a file is in it.
    #[must_use]
    pub const fn entry(self, keys: bool, vault_key: bool, account: String) -> Entry {
        Entry::BackupMade {
            files_digest: self.digest,
            files: self.files,
            bytes: self.bytes,
            keys,
            vault_key,
            account,
        }
    }
}

impl Manifest {
    /// The same of a backup that is whole.
    #[must_use]
    pub fn inventory(&self) -> Inventory {
        Inventory::of(self.files.iter())
    }
}
