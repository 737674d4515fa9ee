//! Every state of the files that a crash can leave, byte by byte: opening goes on from the acknowledged records.

use std::{fs, path::Path};

use snowball_crypto::SigningKey;
use snowball_ledger::{CHECKPOINT_FILE, Ledger, LedgerError, NEXT_CHECKPOINT_FILE, Repair, VerifyError, read, verify};

use crate::support::{Files, NOW, OWNER, folder, ledger, samples};

struct Write {
    key: SigningKey,
    before: Files,
    after: Files,
    folder: tempfile::TempDir,
}

/// A ledger of two records and a write of three more.
fn write() -> Write {
    let key = SigningKey::generate().unwrap();
    let folder = ledger(2, &key);
    let before = Files::of(folder.path());
    let mut open = Ledger::open(folder.path(), OWNER, key.clone()).unwrap();
    open.append_all(NOW, samples()[2..5].to_vec()).unwrap();
    drop(open);
    let after = Files::of(folder.path());
    Write {
        key,
        before,
        after,
        folder,
    }
}

impl Write {
    /// Opens the ledger as a crash left it, and goes on: `entries` records are there, one more fits, all verifies.
    fn goes_on(&self, files: &Files, entries: u64) -> Option<Repair> {
        let path = self.folder.path();
        files.put(path);
        let mut ledger = Ledger::open(path, OWNER, self.key.clone()).unwrap();
        let repaired = ledger.repaired();
        assert_eq!(ledger.head().entries, entries);
        assert!(!path.join(NEXT_CHECKPOINT_FILE).exists());
        assert_eq!(ledger.append(NOW, samples()[0].clone()).unwrap().index, entries);
        drop(ledger);
        assert_eq!(verify(path, &self.key.verifying_key()).unwrap().entries, entries + 1);
        assert!(
            Files::of(path)
                .records
                .unwrap()
                .starts_with(self.before.records.as_ref().unwrap())
        );
        repaired
    }

    fn is_refused(&self, files: &Files) -> VerifyError {
        files.put(self.folder.path());
        let opened = Ledger::open(self.folder.path(), OWNER, self.key.clone());
        let Err(LedgerError::Broken { fault, .. }) = opened else {
            panic!("opened")
        };
        assert_eq!(Files::of(self.folder.path()), *files, "untouched");
        *fault
    }
}

#[test]
fn while_the_next_checkpoint_is_written() {
    let write = write();
    let note = write.after.checkpoint.clone().unwrap();
    for length in (0..note.len()).step_by(7).chain([note.len()]) {
        let files = Files {
            next: Some(note[..length].to_vec()),
            ..write.before.clone()
        };
        files.put(write.folder.path());
        assert!(
            verify(write.folder.path(), &write.key.verifying_key()).is_ok(),
            "nothing is missing, nothing is extra"
        );
        assert_eq!(write.goes_on(&files, 2), None);
    }
}

#[test]
fn while_the_records_are_written_at_every_byte() {
    let write = write();
    let (old, new) = (
        write.before.records.clone().unwrap(),
        write.after.records.clone().unwrap(),
    );
    for length in old.len()..=new.len() {
        let files = Files {
            records: Some(new[..length].to_vec()),
            checkpoint: write.before.checkpoint.clone(),
            next: write.after.checkpoint.clone(),
        };
        let removed_bytes = (length - old.len()) as u64;
        files.put(write.folder.path());
        let verdict = verify(write.folder.path(), &write.key.verifying_key());
        if length == new.len() {
            assert_eq!(verdict.unwrap().entries, 5);
            assert_eq!(
                write.goes_on(&files, 5),
                Some(Repair {
                    removed_bytes: 0,
                    kept_records: 3
                })
            );
        } else if length == old.len() {
            assert_eq!(verdict.unwrap().entries, 2);
            assert_eq!(write.goes_on(&files, 2), None);
        } else {
            assert!(matches!(verdict, Err(VerifyError::Unfinished { index: 2 })));
            assert_eq!(
                write.goes_on(&files, 2),
                Some(Repair {
                    removed_bytes,
                    kept_records: 0
                })
            );
        }
    }
}

/// After a power cut the file may have its new length and zeros in place of any of its blocks.
#[test]
fn while_the_records_are_written_in_any_order_of_blocks() {
    let write = write();
    let (old, new) = (
        write.before.records.clone().unwrap(),
        write.after.records.clone().unwrap(),
    );
    for block in [16, 64, 100] {
        for start in (old.len()..new.len()).step_by(block) {
            let mut records = new.clone();
            let end = (start + block).min(new.len());
            records[start..end].fill(0);
            let files = Files {
                records: Some(records),
                checkpoint: write.before.checkpoint.clone(),
                next: write.after.checkpoint.clone(),
            };
            assert_eq!(write.goes_on(&files, 2).unwrap().kept_records, 0);
        }
    }
}

#[test]
fn after_the_rename() {
    let write = write();
    assert_eq!(write.goes_on(&write.after.clone(), 5), None);
}

/// From then on every byte is acknowledged, and a cut is a cut.
#[test]
fn a_cut_after_the_rename_is_no_crash() {
    let write = write();
    let new = write.after.records.clone().unwrap();
    for length in 0..new.len() {
        let files = Files {
            records: Some(new[..length].to_vec()),
            ..write.after.clone()
        };
        let whole = new[..length].iter().filter(|byte| **byte == b'\n').count() as u64;
        let fault = write.is_refused(&files);
        assert!(
            matches!(fault, VerifyError::Truncated { expected: 5, found } if found == whole),
            "{fault}"
        );
    }
}

/// Records beyond the checkpoint that no signed next checkpoint explains are a hand's work, except a last line that
/// has no end.
#[test]
fn records_without_their_checkpoint_are_no_crash_unless_torn() {
    let write = write();
    let (old, new) = (
        write.before.records.clone().unwrap(),
        write.after.records.clone().unwrap(),
    );
    let first_end = old.len() + new[old.len()..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for length in old.len() + 1..=new.len() {
        let files = Files {
            records: Some(new[..length].to_vec()),
            ..write.before.clone()
        };
        if length < first_end {
            let removed_bytes = (length - old.len()) as u64;
            assert_eq!(
                write.goes_on(&files, 2),
                Some(Repair {
                    removed_bytes,
                    kept_records: 0
                })
            );
        } else {
            assert!(matches!(write.is_refused(&files), VerifyError::Unsigned { index: 2 }));
        }
    }
}

#[test]
fn while_the_ledger_is_begun() {
    let key = SigningKey::generate().unwrap();
    let empty = Files::of(ledger(0, &key).path());
    let note = empty.checkpoint.clone();
    let states = [
        Files::default(),
        Files {
            records: Some(Vec::new()),
            ..Files::default()
        },
        Files {
            records: Some(Vec::new()),
            next: Some(b"snow".to_vec()),
            checkpoint: None,
        },
        Files {
            records: Some(Vec::new()),
            next: note.clone(),
            checkpoint: None,
        },
        Files {
            records: None,
            next: None,
            checkpoint: note,
        },
        empty,
    ];
    for files in states {
        let folder = folder();
        files.put(folder.path());
        let mut ledger = Ledger::open(&folder.path().join("."), OWNER, key.clone()).unwrap();
        assert_eq!(ledger.repaired(), None);
        ledger.append(NOW, samples()[0].clone()).unwrap();
        drop(ledger);
        assert_eq!(verify(folder.path(), &key.verifying_key()).unwrap().entries, 1);
    }
}

#[test]
fn a_folder_is_made_with_all_that_lead_to_it() {
    let key = SigningKey::generate().unwrap();
    let folder = folder();
    let deep = folder.path().join("a/b/ledger");
    Ledger::open(&deep, OWNER, key.clone()).unwrap();
    assert_eq!(verify(&deep, &key.verifying_key()).unwrap().entries, 0);
}

/// A disk that refuses for a while: what failed is not in the ledger, and what comes later is.
#[test]
fn a_write_that_fails_is_taken_back_by_the_next() {
    let key = SigningKey::generate().unwrap();
    let folder = ledger(2, &key);
    let path = |name: &str| folder.path().join(name);
    let mut ledger = Ledger::open(folder.path(), OWNER, key.clone()).unwrap();
    let head = ledger.head();

    blocked(&path(NEXT_CHECKPOINT_FILE), || {
        assert!(matches!(
            ledger.append(NOW, samples()[3].clone()),
            Err(LedgerError::Io { .. })
        ));
    });
    assert_eq!(ledger.head(), head);

    let checkpoint = fs::read(path(CHECKPOINT_FILE)).unwrap();
    fs::remove_file(path(CHECKPOINT_FILE)).unwrap();
    blocked(&path(CHECKPOINT_FILE), || {
        assert!(matches!(
            ledger.append(NOW, samples()[3].clone()),
            Err(LedgerError::Io { .. })
        ));
    });
    fs::write(path(CHECKPOINT_FILE), checkpoint).unwrap();
    assert_eq!(ledger.head(), head);
    assert_eq!(
        read(folder.path()).unwrap().len(),
        3,
        "the records were written before the rename failed"
    );

    assert_eq!(ledger.append(NOW, samples()[5].clone()).unwrap().index, 2);
    drop(ledger);
    assert_eq!(verify(folder.path(), &key.verifying_key()).unwrap().entries, 3);
    assert_eq!(read(folder.path()).unwrap()[2].entry, samples()[5]);
}

/// Puts a folder that is not empty where a file should go.
fn blocked(path: &Path, act: impl FnOnce()) {
    fs::create_dir_all(path.join("in the way")).unwrap();
    act();
    fs::remove_dir_all(path).unwrap();
}
