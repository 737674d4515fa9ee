//! Files that did not become radiographs: those that a person should see are kept, the others are counted.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
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

use crate::{FileOutcome, QUARANTINE, Store, StoreError, pack, seen};

/// What a person has decided about a file in the quarantine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldState {
    /// Nothing yet.
    Held,
    /// Take it in again.
    Released,
    /// Let it go: the copy is removed, and the file is not kept again.
    Discarded,
}

/// A file in the quarantine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct HeldFile {
    /// The digest of its bytes, which is also its name there.
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
    /// Where its copy lies; `None` where it could not be read, or was discarded: the hospital's own file is untouched.
    pub path: Option<PathBuf>,
}

impl Store {
    /// Sets a file aside: for a person, with a copy (a hard link where that is possible), or, where its reason says that
    /// nobody can use it, by counting it. A file that cannot be copied is noted and stays where it is. Each call counts
    /// as a file met; `file_key`, if given, makes [`seen`](Self::seen) answer.
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
        self.change(|connection, _| {
            if let Some(file_key) = file_key {
                seen::keep(connection, file_key, FileOutcome::Excluded(excluded.reason))?;
            }
            set_aside(connection, &self.quarantine_folder(), path, excluded, when)
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

    /// A person wants the file taken in again; returns where its copy lies. When it was taken in call
    /// [`settle`](Self::settle); when it was excluded again, [`quarantine`](Self::quarantine) holds it again.
    ///
    /// # Errors
    /// When no such file is held, or it has no copy.
    pub fn release(&self, digest: &Sha256Digest) -> Result<PathBuf, StoreError> {
        let changed = self.change(|connection, _| {
            let sql = "UPDATE excluded SET state = 'released' WHERE digest = ?1 AND state IN ('held', 'released') AND copied = 1";
            Ok(connection.execute(sql, params![digest.as_bytes()])?)
        })?;
        let path = copy_path(&self.quarantine_folder(), digest);
        if changed == 0 || !path.is_file() {
            return Err(StoreError::NotHeld { digest: *digest });
        }
        Ok(path)
    }

    /// A person lets the file go: its copy is removed for good, its row stays as evidence.
    ///
    /// # Errors
    /// When no such file is in the quarantine, or its copy cannot be removed.
    pub fn discard(&self, digest: &Sha256Digest) -> Result<(), StoreError> {
        self.let_go(
            digest,
            "UPDATE excluded SET state = 'discarded', copied = 0 WHERE digest = ?1 AND state <> 'rejected'",
        )
    }

    /// A released file was taken in: its copy and its row are removed.
    ///
    /// # Errors
    /// When no such file was released, or its copy cannot be removed.
    pub fn settle(&self, digest: &Sha256Digest) -> Result<(), StoreError> {
        self.let_go(digest, "DELETE FROM excluded WHERE digest = ?1 AND state = 'released'")
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
                let kept = extension != "partial"
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
        let folder = self.quarantine_folder();
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT digest, reason, state, first_seen, times, bytes, copied FROM excluded
                 WHERE state <> 'rejected' AND {condition} ORDER BY first_seen, digest, reason"
            ))?;
            let read = |row: &Row<'_>| held_from(row, &folder);
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
        let path = copy_path(&self.quarantine_folder(), digest);
        match fs::remove_file(&path) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(StoreError::at(&path)(fault)),
            _ => Ok(()),
        }
    }
}

/// The work of [`Store::quarantine`], inside a transaction.
pub(crate) fn set_aside(
    connection: &Connection,
    folder: &Path,
    path: &Path,
    excluded: &Excluded,
    when: UnixSeconds,
) -> Result<Disposition, StoreError> {
    let disposition = excluded.reason.disposition();
    let digest = excluded.file_digest;
    let code = excluded.reason.code();
    // A file that was released and did not pass again: the new reason takes the old one's place.
    connection
        .prepare_cached("DELETE FROM excluded WHERE digest = ?1 AND reason <> ?2 AND state = 'released'")?
        .execute(params![digest.as_bytes(), code])?;
    let before: Option<String> = connection
        .prepare_cached("SELECT state FROM excluded WHERE digest = ?1 AND reason = ?2")?
        .query_row(params![digest.as_bytes(), code], |row| row.get(0))
        .optional()?;
    let state = match (disposition, before.as_deref()) {
        (Disposition::Quarantined, Some("discarded")) => "discarded",
        (Disposition::Quarantined, _) => "held",
        _ => "rejected",
    };
    // What cannot be read has no digest of its own and nothing to copy.
    let copied = state == "held"
        && excluded.reason != IntakeReason::Unreadable
        && copy(path, &copy_path(folder, &digest)).is_ok();
    let bytes = fs::metadata(path).map_or(0, |metadata| metadata.len());
    connection
        .prepare_cached(
            "INSERT INTO excluded (digest, reason, state, first_seen, times, bytes, copied) VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6)
             ON CONFLICT (digest, reason) DO UPDATE SET state = ?3, times = times + 1, copied = max(copied, ?6)",
        )?
        .execute(params![digest.as_bytes(), code, state, when, bytes as i64, copied])?;
    Ok(disposition)
}

/// Puts the file at `from` under the name `to`, durably: as a hard link, or as a copy across file systems.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let original = fs::metadata(from)?;
    if !original.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    if let Ok(there) = fs::metadata(to) {
        // The very same file, for instance a released one that is met again at its place in the quarantine.
        if (there.dev(), there.ino()) == (original.dev(), original.ino()) {
            return Ok(());
        }
    }
    let partial = to.with_extension("partial");
    let _ = fs::remove_file(&partial);
    // A link to a symbolic link would keep the name and lose the bytes.
    let linked = fs::symlink_metadata(from)?.is_file() && fs::hard_link(from, &partial).is_ok();
    if linked {
        File::open(&partial)?.sync_all()?;
    } else {
        pack::write_durably(&partial, &mut File::open(from)?)?;
    }
    fs::rename(&partial, to)?;
    to.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn copy_path(folder: &Path, digest: &Sha256Digest) -> PathBuf {
    folder.join(format!("{}.dcm", digest.to_string().trim_start_matches("sha256:")))
}

/// `None` for a row of another version.
fn held_from(row: &Row<'_>, folder: &Path) -> rusqlite::Result<Option<HeldFile>> {
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
                path: row.get::<_, bool>(6)?.then(|| copy_path(folder, &digest)),
            })
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Hospital {
        folder: tempfile::TempDir,
        store: Store,
    }

    fn hospital() -> Hospital {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        Hospital { folder, store }
    }

    impl Hospital {
        fn file(&self, name: &str, content: &[u8], reason: IntakeReason) -> (PathBuf, Excluded) {
            let path = self.folder.path().join(name);
            fs::write(&path, content).unwrap();
            (
                path,
                Excluded {
                    reason,
                    file_digest: Sha256Digest::of(content),
                },
            )
        }

        fn set_aside(&self, file: &(PathBuf, Excluded), when: UnixSeconds) -> Disposition {
            self.store.quarantine(&file.0, &file.1, None, when).unwrap()
        }

        fn copies(&self) -> usize {
            fs::read_dir(self.store.quarantine_folder()).unwrap().count()
        }
    }

    #[test]
    fn a_file_is_kept_even_when_the_hospital_deletes_its_own() {
        let hospital = hospital();
        let file = hospital.file("NAME OF A PATIENT.dcm", b"bytes", IntakeReason::DecodeError);
        assert_eq!(hospital.set_aside(&file, 5), Disposition::Quarantined);
        assert_eq!(hospital.set_aside(&file, 6), Disposition::Quarantined);
        fs::remove_file(&file.0).unwrap();
        let held = hospital.store.held().unwrap();
        assert_eq!(held.len(), 1);
        assert_eq!(
            (
                held[0].reason,
                held[0].state,
                held[0].first_seen,
                held[0].times,
                held[0].bytes
            ),
            (IntakeReason::DecodeError, HeldState::Held, 5, 2, 5)
        );
        let path = held[0].path.clone().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"bytes");
        assert!(!path.to_string_lossy().contains("PATIENT"));
        assert_eq!(hospital.store.held_file(&file.1.file_digest).unwrap(), held);
    }

    #[test]
    fn rejected_files_are_counted_only() {
        let hospital = hospital();
        for (number, reason) in [IntakeReason::NotDicom, IntakeReason::NotDicom, IntakeReason::Empty]
            .into_iter()
            .enumerate()
        {
            let file = hospital.file(&number.to_string(), number.to_string().as_bytes(), reason);
            assert_eq!(hospital.set_aside(&file, 0), Disposition::Rejected);
        }
        assert_eq!(
            hospital.store.exclusions().unwrap(),
            [(IntakeReason::NotDicom, 2), (IntakeReason::Empty, 1)].into()
        );
        assert!(hospital.store.held().unwrap().is_empty());
        assert_eq!(hospital.copies(), 0);
    }

    #[test]
    fn what_cannot_be_copied_is_noted_and_never_fatal() {
        let hospital = hospital();
        let missing = (
            hospital.folder.path().join("missing"),
            Excluded {
                reason: IntakeReason::Unreadable,
                file_digest: Sha256Digest::of(b""),
            },
        );
        let folder = (
            hospital.folder.path().to_owned(),
            Excluded {
                reason: IntakeReason::DecodeError,
                file_digest: Sha256Digest::of(b"x"),
            },
        );
        hospital.set_aside(&missing, 0);
        hospital.set_aside(&folder, 0);
        let held = hospital.store.held().unwrap();
        assert_eq!(
            held.iter().map(|file| file.path.is_none()).collect::<Vec<_>>(),
            [true, true]
        );
        assert!(matches!(
            hospital.store.release(&folder.1.file_digest),
            Err(StoreError::NotHeld { .. })
        ));
    }

    #[test]
    fn a_symbolic_link_is_followed() {
        let hospital = hospital();
        let file = hospital.file("real", b"bytes", IntakeReason::DecodeError);
        let link = hospital.folder.path().join("link");
        std::os::unix::fs::symlink(&file.0, &link).unwrap();
        hospital.set_aside(&(link, file.1), 0);
        fs::remove_file(&file.0).unwrap();
        assert_eq!(
            fs::read(hospital.store.held().unwrap()[0].path.clone().unwrap()).unwrap(),
            b"bytes"
        );
    }

    #[test]
    fn a_person_discards_once_and_for_all() {
        let hospital = hospital();
        let file = hospital.file("a", b"bytes", IntakeReason::BurnedInText);
        hospital.set_aside(&file, 0);
        hospital.store.discard(&file.1.file_digest).unwrap();
        assert_eq!(hospital.copies(), 0);
        hospital.set_aside(&file, 1);
        assert_eq!(hospital.copies(), 0);
        assert_eq!(hospital.store.held().unwrap()[0].state, HeldState::Discarded);
        assert!(file.0.exists(), "the hospital's own file is untouched");
        assert!(hospital.store.discard(&Sha256Digest::of(b"never seen")).is_err());
    }

    #[test]
    fn a_released_file_is_settled_or_held_again() {
        let hospital = hospital();
        let file = hospital.file("a", b"bytes", IntakeReason::BurnedInText);
        let digest = file.1.file_digest;
        hospital.set_aside(&file, 0);
        let path = hospital.store.release(&digest).unwrap();
        assert_eq!(hospital.store.held().unwrap()[0].state, HeldState::Released);
        // It does not pass, and is met at its own place in the quarantine.
        hospital.set_aside(
            &(
                path.clone(),
                Excluded {
                    reason: IntakeReason::DecodeError,
                    file_digest: digest,
                },
            ),
            1,
        );
        let held = hospital.store.held().unwrap();
        assert_eq!(
            held.iter().map(|file| (file.reason, file.state)).collect::<Vec<_>>(),
            [(IntakeReason::DecodeError, HeldState::Held)]
        );
        assert_eq!(fs::read(&path).unwrap(), b"bytes");
        assert!(hospital.store.settle(&digest).is_err(), "not released");
        hospital.store.release(&digest).unwrap();
        hospital.store.settle(&digest).unwrap();
        assert!(hospital.store.held().unwrap().is_empty());
        assert_eq!(hospital.copies(), 0);
    }

    #[test]
    fn an_opening_removes_what_a_crash_left_and_nothing_else() {
        let hospital = hospital();
        let file = hospital.file("a", b"bytes", IntakeReason::DecodeError);
        hospital.set_aside(&file, 0);
        let folder = hospital.store.quarantine_folder();
        fs::write(folder.join(format!("{}.partial", "ab".repeat(32))), b"half").unwrap();
        fs::write(
            folder.join(format!("{}.dcm", "cd".repeat(32))),
            b"copied, but its row was never written",
        )
        .unwrap();
        fs::write(folder.join("note.txt"), b"a person's own").unwrap();
        Store::open(hospital.store.folder()).unwrap();
        assert_eq!(hospital.copies(), 2);
        assert!(hospital.store.held().unwrap()[0].path.as_ref().unwrap().exists());
    }
}
