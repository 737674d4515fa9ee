//! Which input files were dealt with already, so that a second import of a large folder takes minutes, not days.
//!
//! A file is known by a key that the caller makes, for instance from its path, size and time of change under the site's
//! secret: the store never learns a name.

use rusqlite::{Connection, OptionalExtension, params};
use snowball_protocol::{Sha256Digest, intake::IntakeReason};

use crate::{Store, StoreError};

/// Where an input file ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileOutcome {
    /// It became a radiograph.
    Accepted,
    /// It did not.
    Excluded(IntakeReason),
    /// It belongs to a patient who has withdrawn.
    Withdrawn,
}

const WITHDRAWN: &str = "withdrawn";

impl Store {
    /// Where the file behind `file_key` ended; `None` where it was never dealt with.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn seen(&self, file_key: &Sha256Digest) -> Result<Option<FileOutcome>, StoreError> {
        self.read(|connection| find(connection, file_key))
    }

    /// Remembers where the file behind `file_key` ended; the last word counts.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn remember(&self, file_key: &Sha256Digest, outcome: FileOutcome) -> Result<(), StoreError> {
        self.change(|connection, _| keep(connection, file_key, outcome))
    }
}

fn find(connection: &Connection, file_key: &Sha256Digest) -> Result<Option<FileOutcome>, StoreError> {
    let reason: Option<Option<String>> = connection
        .prepare_cached("SELECT reason FROM files WHERE key = ?1")?
        .query_row(params![file_key.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(match reason {
        None => None,
        Some(None) => Some(FileOutcome::Accepted),
        Some(Some(code)) if code == WITHDRAWN => Some(FileOutcome::Withdrawn),
        // A reason of another version: the file is dealt with anew.
        Some(Some(code)) => reason_from(&code).map(FileOutcome::Excluded),
    })
}

pub(crate) fn keep(connection: &Connection, file_key: &Sha256Digest, outcome: FileOutcome) -> Result<(), StoreError> {
    let reason = match outcome {
        FileOutcome::Accepted => None,
        FileOutcome::Excluded(reason) => Some(reason.code()),
        FileOutcome::Withdrawn => Some(WITHDRAWN.to_owned()),
    };
    connection
        .prepare_cached("INSERT OR REPLACE INTO files (key, reason) VALUES (?1, ?2)")?
        .execute(params![file_key.as_bytes(), reason])?;
    Ok(())
}

/// The reason that `code` names.
pub(crate) fn reason_from(code: &str) -> Option<IntakeReason> {
    serde_json::from_value(serde_json::Value::String(code.to_owned())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_remembered_across_openings() {
        let folder = tempfile::tempdir().unwrap();
        let key = |number: u8| Sha256Digest::of(&[number]);
        let outcomes = [
            FileOutcome::Accepted,
            FileOutcome::Excluded(IntakeReason::SizeBomb),
            FileOutcome::Withdrawn,
        ];
        {
            let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
            for (number, outcome) in (0..).zip(outcomes) {
                assert_eq!(store.seen(&key(number)).unwrap(), None);
                store.remember(&key(number), outcome).unwrap();
            }
            store
                .remember(&key(0), FileOutcome::Excluded(IntakeReason::Truncated))
                .unwrap();
            store.remember(&key(0), outcomes[0]).unwrap();
        }
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        for (number, outcome) in (0..).zip(outcomes) {
            assert_eq!(store.seen(&key(number)).unwrap(), Some(outcome));
        }
    }
}
