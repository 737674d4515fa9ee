//! Files that did not become radiographs: those that a person should see are kept, the others are counted.
//!
//! A kept file is the hospital's own, identifiers and all. It lies sealed, tied to its digest, under a name that says nothing.

mod review;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use snowball_imaging::Excluded;
use snowball_protocol::{
    Sha256Digest,
    ids::UnixSeconds,
    intake::{Disposition, IntakeReason},
};

pub use review::{Review, Searched};

use crate::{FileOutcome, QUARANTINE, Store, StoreError, pack, seen, writer::Tail};

/// Larger files are noted and not kept; intake refuses them long before.
const COPY_BYTES_MAX: u64 = 1 << 30;

/// What a person has decided about a file in the quarantine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldState {
    /// Nothing yet.
    Held,
    /// It was taken in after a review; the copy is removed.
    Released,
    /// Let it go: the copy is removed, and the file is not kept again.
    Discarded,
}

/// A file in the quarantine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct HeldFile {
    /// The digest of its bytes, which is also the name of its sealed copy.
    pub digest: Sha256Digest,
    /// Why it is here.
    pub reason: IntakeReason,
    /// What was decided.
    pub state: HeldState,
    /// When it was first set aside.
    pub first_seen: UnixSeconds,
    /// How often a file with these bytes was met.
    pub times: u64,
    /// Its size.
    pub bytes: u64,
    /// Whether a sealed copy is kept; not where it could not be read, or was decided on. The hospital's own file is untouched.
    pub kept: bool,
}

impl Store {
    /// Sets a file aside: for a person, with a sealed copy, or, where its reason says that nobody can use it, by
    /// counting it. A file that cannot be copied is noted and stays where it is. Each call counts as a file met; `file_key`, if given, makes [`seen`](Self::seen) answer.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn quarantine(
        &self,
        path: &Path,
        excluded: &Excluded,
        file_key: Option<&Sha256Digest>,
        when: UnixSeconds,
    ) -> Result<Disposition, StoreError> {
        self.change(|connection, tail| {
            if let Some(file_key) = file_key {
                seen::keep(connection, file_key, FileOutcome::Excluded(excluded.reason))?;
            }
            self.set_aside(connection, tail, path, excluded, when)
        })
    }

    /// Every file that was set aside for a person, decided on or not, in the order of arrival.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn held(&self) -> Result<Vec<HeldFile>, StoreError> {
        self.held_where("1 = 1", None)
    }

    /// The files with these bytes in the quarantine: one for each reason that they were set aside for.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn held_file(&self, digest: &Sha256Digest) -> Result<Vec<HeldFile>, StoreError> {
        self.held_where("digest = ?1", Some(digest))
    }

    /// The bytes of a file that waits: a patient's, identifiers and all. They must not leave this process.
    ///
    /// # Errors
    /// When no such file waits, it has no copy, or the copy is not what was written.
    pub fn held_content(&self, digest: &Sha256Digest) -> Result<Vec<u8>, StoreError> {
        let waits = self.read(|connection| {
            let sql = "SELECT 1 FROM excluded WHERE digest = ?1 AND state = 'held' AND copied = 1";
            Ok(connection.prepare_cached(sql)?.exists(params![digest.as_bytes()])?)
        })?;
        if !waits {
            return Err(StoreError::NotHeld { digest: *digest });
        }
        let path = copy_path(&self.quarantine_folder(), digest);
        let sealed = fs::read(&path).map_err(StoreError::at(&path))?;
        let place = copy_place(digest);
        let opened = self.keys.quarantine.open(&place, sealed);
        opened.map_err(|_| StoreError::Damaged {
            what: format!("the quarantine's copy of {digest} is not what was written there"),
        })
    }

    /// A person lets the file go: its copy is removed for good, its row stays as evidence.
    ///
    /// # Errors
    /// When no such file is in the quarantine, or its copy cannot be removed.
    pub fn discard(&self, digest: &Sha256Digest) -> Result<(), StoreError> {
        self.let_go(
            digest,
            "UPDATE excluded SET state = 'discarded', copied = 0 WHERE digest = ?1 AND state = 'held'",
        )
    }

    /// How many files were met for each reason, rejected and quarantined ones.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn exclusions(&self) -> Result<BTreeMap<IntakeReason, u64>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT reason, sum(times) FROM excluded GROUP BY reason")?;
            let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
            let mut counts = BTreeMap::new();
            for row in rows {
                let (code, count) = row?;
                if let Some(reason) = seen::reason_from(&code) {
                    counts.insert(reason, count.unsigned_abs());
                }
            }
            Ok(counts)
        })
    }

    pub(crate) fn quarantine_folder(&self) -> PathBuf {
        self.folder.join(QUARANTINE)
    }

    /// Removes what a crash left: unfinished copies, and copies of files that nobody holds any more.
    pub(crate) fn sweep_quarantine(&self) -> Result<(), StoreError> {
        let folder = self.quarantine_folder();
        let at = StoreError::at(&folder);
        if fs::read_dir(&folder).map_err(&at)?.next().is_none() {
            return Ok(());
        }
        // Inside a transaction, so that no other process is in the middle of copying.
        self.change(|connection, _| {
            for entry in fs::read_dir(&folder).map_err(&at)? {
                let path = entry.map_err(&at)?.path();
                let digest = path
                    .file_stem()
                    .and_then(|stem| format!("sha256:{}", stem.to_str()?).parse::<Sha256Digest>().ok());
                let (Some(digest), Some(extension)) = (digest, path.extension()) else {
                    continue;
                };
                let kept = extension == SEALED
                    && connection
                        .prepare_cached("SELECT 1 FROM excluded WHERE digest = ?1 AND copied = 1")?
                        .exists(params![digest.as_bytes()])?;
                if !kept {
                    fs::remove_file(&path).map_err(StoreError::at(&path))?;
                }
            }
            Ok(())
        })
    }

    fn held_where(&self, condition: &str, digest: Option<&Sha256Digest>) -> Result<Vec<HeldFile>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT digest, reason, state, first_seen, times, bytes, copied FROM excluded
                 WHERE state <> 'rejected' AND {condition} ORDER BY first_seen, digest, reason"
            ))?;
            let read = held_from;
            let rows = match digest {
                Some(digest) => statement
                    .query_map(params![digest.as_bytes()], read)?
                    .collect::<Result<Vec<_>, _>>()?,
                None => statement.query_map([], read)?.collect::<Result<Vec<_>, _>>()?,
            };
            Ok(rows.into_iter().flatten().collect())
        })
    }

    fn let_go(&self, digest: &Sha256Digest, decision: &str) -> Result<(), StoreError> {
        let changed = self.change(|connection, _| Ok(connection.execute(decision, params![digest.as_bytes()])?))?;
        if changed == 0 {
            return Err(StoreError::NotHeld { digest: *digest });
        }
        self.remove_copy(digest)
    }

    fn remove_copy(&self, digest: &Sha256Digest) -> Result<(), StoreError> {
        let path = copy_path(&self.quarantine_folder(), digest);
        match fs::remove_file(&path) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(StoreError::at(&path)(fault)),
            _ => Ok(()),
        }
    }

    /// The work of [`Store::quarantine`], inside a transaction.
    pub(crate) fn set_aside(
        &self,
        connection: &Connection,
        tail: &mut Tail<'_>,
        path: &Path,
        excluded: &Excluded,
        when: UnixSeconds,
    ) -> Result<Disposition, StoreError> {
        let disposition = excluded.reason.disposition();
        let digest = excluded.file_digest;
        let code = excluded.reason.code();
        let before: Option<String> = connection
            .prepare_cached("SELECT state FROM excluded WHERE digest = ?1 AND reason = ?2")?
            .query_row(params![digest.as_bytes(), code], |row| row.get(0))
            .optional()?;
        let state = match (disposition, before.as_deref()) {
            // What a person decided stands when the same file is met again.
            (Disposition::Quarantined, Some("discarded")) => "discarded",
            (Disposition::Quarantined, Some("released")) => "released",
            (Disposition::Quarantined, _) => "held",
            _ => "rejected",
        };
        // What cannot be read has no digest of its own and nothing to copy.
        let copied = state == "held"
            && excluded.reason != IntakeReason::Unreadable
            && self.keep_copy(tail, path, &digest).is_ok();
        let bytes = fs::metadata(path).map_or(0, |metadata| metadata.len());
        connection
            .prepare_cached(
                "INSERT INTO excluded (digest, reason, state, first_seen, times, bytes, copied) VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6)
                 ON CONFLICT (digest, reason) DO UPDATE SET state = ?3, times = times + 1, copied = max(copied, ?6)",
            )?
            .execute(params![digest.as_bytes(), code, state, when, bytes as i64, copied])?;
        Ok(disposition)
    }

    /// Seals a copy of the file at `from`, durable with the transaction, if its bytes are still those of `digest`.
    fn keep_copy(&self, tail: &mut Tail<'_>, from: &Path, digest: &Sha256Digest) -> Result<(), StoreError> {
        let to = copy_path(&self.quarantine_folder(), digest);
        if to.exists() {
            // Perhaps of a transaction that was undone before anything was on disk.
            tail.sync_beside(to);
            return Ok(());
        }
        let at = StoreError::at(&to);
        let source = fs::metadata(from).map_err(&at)?;
        if !source.is_file() || source.len() > COPY_BYTES_MAX {
            return Err(at(io::ErrorKind::InvalidInput.into()));
        }
        let mut content = Vec::new();
        let file = File::open(from).map_err(&at)?;
        file.take(COPY_BYTES_MAX).read_to_end(&mut content).map_err(&at)?;
        if Sha256Digest::of(&content) != *digest {
            return Err(at(io::ErrorKind::InvalidData.into()));
        }
        let sealed = self.keys.quarantine.seal(&copy_place(digest), &content)?;
        let partial = to.with_extension("partial");
        pack::write_private(&partial, &sealed).map_err(&at)?;
        fs::rename(&partial, &to).map_err(&at)?;
        tail.sync_beside(to);
        Ok(())
    }
}

fn copy_path(folder: &Path, digest: &Sha256Digest) -> PathBuf {
    folder.join(format!("{}.{SEALED}", digest.to_string().trim_start_matches("sha256:")))
}

/// What a sealed copy is tied to.
fn copy_place(digest: &Sha256Digest) -> Vec<u8> {
    [b"held 1".as_slice(), digest.as_bytes()].concat()
}

const SEALED: &str = "sealed";

/// `None` for a row of another version.
fn held_from(row: &Row<'_>) -> rusqlite::Result<Option<HeldFile>> {
    let digest = Sha256Digest::from_bytes(row.get(0)?);
    let state = match row.get_ref(2)?.as_str()? {
        "held" => HeldState::Held,
        "released" => HeldState::Released,
        _ => HeldState::Discarded,
    };
    seen::reason_from(row.get_ref(1)?.as_str()?)
        .map(|reason| -> rusqlite::Result<HeldFile> {
            Ok(HeldFile {
                digest,
                reason,
                state,
                first_seen: row.get(3)?,
                times: row.get::<_, i64>(4)?.unsigned_abs(),
                bytes: row.get::<_, i64>(5)?.unsigned_abs(),
                kept: row.get(6)?,
            })
        })
        .transpose()
}
