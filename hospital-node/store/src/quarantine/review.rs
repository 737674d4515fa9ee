//! What people decided about files that waited, and the search for a patient who withdrew.

use rusqlite::params;
use serde::{Deserialize, Serialize};
use snowball_protocol::{Sha256Digest, ids::UnixSeconds, intake::IntakeReason};

use crate::{Store, StoreError, seen};

/// A person looked at a file and had it taken in again with one reason waived.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Review {
    /// Who looked.
    pub reviewer: String,
    /// Their words; never a patient's value.
    pub reason: String,
    /// Which reason to exclude the file they set aside.
    pub waived: IntakeReason,
    /// When.
    pub when: UnixSeconds,
    /// Why the file did not pass all the same; `None`: it was taken in.
    pub excluded: Option<IntakeReason>,
}

/// What a search of the quarantine found and did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Searched {
    /// Files of the patient, whose copies and rows are gone.
    pub removed: u64,
    /// Files that could not be tied to any patient and still wait.
    pub untied: u64,
}

#[derive(Serialize, Deserialize)]
struct Words {
    reviewer: String,
    reason: String,
}

impl Store {
    /// Writes a review down. Where the file was taken in its copy is removed; where it did not pass, it waits for its new reason.
    ///
    /// # Errors
    /// When no such file waits for the waived reason, or the disk refuses.
    pub fn review(&self, digest: &Sha256Digest, review: &Review) -> Result<(), StoreError> {
        let words = Words {
            reviewer: review.reviewer.clone(),
            reason: review.reason.clone(),
        };
        let words = serde_json::to_vec(&words)
            .map_err(|fault| StoreError::Database(rusqlite::Error::ToSqlConversionFailure(Box::new(fault))))?;
        let words = self.keys.facts.seal(&place(digest), &words)?;
        let (waived, excluded) = (review.waived.code(), review.excluded.map(IntakeReason::code));
        self.change(|connection, _| {
            let changed = match &excluded {
                None => connection.execute(
                    "UPDATE excluded SET state = 'released', copied = 0 WHERE digest = ?1 AND state = 'held'",
                    params![digest.as_bytes()],
                )?,
                Some(code) => connection.execute(
                    "UPDATE OR REPLACE excluded SET reason = ?3 WHERE digest = ?1 AND reason = ?2 AND state = 'held'",
                    params![digest.as_bytes(), waived, code],
                )?,
            };
            if changed == 0 {
                return Err(StoreError::NotHeld { digest: *digest });
            }
            connection.execute(
                "INSERT INTO reviews (digest, time, waived, excluded, words) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![digest.as_bytes(), review.when, waived, excluded, words],
            )?;
            Ok(())
        })?;
        if review.excluded.is_none() {
            self.remove_copy(digest)?;
        }
        Ok(())
    }

    /// The reviews of a file, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read or a review was changed.
    pub fn reviews(&self, digest: &Sha256Digest) -> Result<Vec<Review>, StoreError> {
        self.read(|connection| {
            let mut statement = connection
                .prepare("SELECT time, waived, excluded, words FROM reviews WHERE digest = ?1 ORDER BY time, rowid")?;
            let mut rows = statement.query(params![digest.as_bytes()])?;
            let mut reviews = Vec::new();
            while let Some(row) = rows.next()? {
                let damaged = || StoreError::Damaged {
                    what: "a review is not what was written".to_owned(),
                };
                let content = self
                    .keys
                    .facts
                    .open(&place(digest), row.get(3)?)
                    .map_err(|_| damaged())?;
                let words: Words = serde_json::from_slice(&content).map_err(|_| damaged())?;
                let excluded: Option<String> = row.get(2)?;
                reviews.push(Review {
                    reviewer: words.reviewer,
                    reason: words.reason,
                    waived: seen::reason_from(&row.get::<_, String>(1)?).ok_or_else(damaged)?,
                    when: row.get(0)?,
                    excluded: excluded.and_then(|code| seen::reason_from(&code)),
                });
            }
            Ok(reviews)
        })
    }

    /// Opens every file that waits and removes those of which `is_theirs` says `Some(true)`; `None`: it cannot be told whose
    /// the file is.
    ///
    /// # Errors
    /// When the disk refuses. What was removed until then is gone.
    pub fn withdraw_held(&self, is_theirs: impl Fn(&[u8]) -> Option<bool>) -> Result<Searched, StoreError> {
        let mut searched = Searched::default();
        let mut held = self.held()?;
        held.retain(|file| file.kept);
        held.dedup_by_key(|file| file.digest);
        for file in held {
            // A damaged copy belongs to nobody that could be told.
            match self
                .held_content(&file.digest)
                .ok()
                .and_then(|content| is_theirs(&content))
            {
                None => searched.untied += 1,
                Some(false) => {}
                Some(true) => {
                    self.change(|connection, _| {
                        for table in ["excluded", "reviews"] {
                            let sql = format!("DELETE FROM {table} WHERE digest = ?1");
                            connection.execute(&sql, params![file.digest.as_bytes()])?;
                        }
                        Ok(())
                    })?;
                    self.remove_copy(&file.digest)?;
                    searched.removed += 1;
                }
            }
        }
        Ok(searched)
    }
}

fn place(digest: &Sha256Digest) -> Vec<u8> {
    [b"review 1".as_slice(), digest.as_bytes()].concat()
}
