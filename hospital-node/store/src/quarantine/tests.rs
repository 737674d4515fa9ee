//! Files set aside, decided on, and found again.

use super::*;

struct Hospital {
    folder: tempfile::TempDir,
    store: Store,
}

fn hospital() -> Hospital {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store"), crate::sample::keys()).unwrap();
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
    assert_eq!(hospital.store.held_content(&file.1.file_digest).unwrap(), b"bytes");
    for entry in fs::read_dir(hospital.store.quarantine_folder()).unwrap() {
        let path = entry.unwrap().path();
        assert!(!path.to_string_lossy().contains("PATIENT"));
        assert!(
            !fs::read(&path).unwrap().windows(5).any(|window| window == b"bytes"),
            "sealed"
        );
    }
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
    assert_eq!(held.iter().map(|file| file.kept).collect::<Vec<_>>(), [false, false]);
    assert!(matches!(
        hospital.store.held_content(&folder.1.file_digest),
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
        hospital.store.held_content(&Sha256Digest::of(b"bytes")).unwrap(),
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

fn review(excluded: Option<IntakeReason>) -> Review {
    Review {
        reviewer: "Dr Rontgen".to_owned(),
        reason: "a side marker, no name".to_owned(),
        waived: IntakeReason::BurnedInText,
        when: 7,
        excluded,
    }
}

#[test]
fn a_reviewed_file_is_taken_in_or_waits_for_its_new_reason() {
    let hospital = hospital();
    let file = hospital.file("a", b"bytes", IntakeReason::BurnedInText);
    let digest = file.1.file_digest;
    hospital.set_aside(&file, 0);
    let states = || {
        let held = hospital.store.held().unwrap();
        held.iter().map(|file| (file.reason, file.state)).collect::<Vec<_>>()
    };
    hospital
        .store
        .review(&digest, &review(Some(IntakeReason::DecodeError)))
        .unwrap();
    assert_eq!(states(), [(IntakeReason::DecodeError, HeldState::Held)]);
    assert!(
        hospital
            .store
            .review(&digest, &review(Some(IntakeReason::UidConflict)))
            .is_err(),
        "another reason"
    );
    assert_eq!(hospital.store.held_content(&digest).unwrap(), b"bytes");

    hospital.store.review(&digest, &review(None)).unwrap();
    assert_eq!(states(), [(IntakeReason::DecodeError, HeldState::Released)]);
    assert_eq!(hospital.copies(), 0);
    assert!(hospital.store.held_content(&digest).is_err());
    assert_eq!(
        hospital.store.reviews(&digest).unwrap(),
        [review(Some(IntakeReason::DecodeError)), review(None)]
    );
    // Met again for what was decided, it does not wait again.
    hospital.set_aside(
        &(
            file.0,
            Excluded {
                reason: IntakeReason::DecodeError,
                file_digest: digest,
            },
        ),
        9,
    );
    assert_eq!(states(), [(IntakeReason::DecodeError, HeldState::Released)]);
}

#[test]
fn words_of_a_review_are_sealed() {
    let hospital = hospital();
    let file = hospital.file("a", b"bytes", IntakeReason::BurnedInText);
    hospital.set_aside(&file, 0);
    hospital.store.review(&file.1.file_digest, &review(None)).unwrap();
    for name in ["store.sqlite", "store.sqlite-wal"] {
        let bytes = fs::read(hospital.store.folder().join(name)).unwrap_or_default();
        assert!(
            !bytes
                .windows(8)
                .any(|window| window == b"Dr Rontg" || window == b"a side m")
        );
    }
}

#[test]
fn a_withdrawal_takes_what_is_the_patients_and_counts_what_nobody_can_tell() {
    let hospital = hospital();
    for content in [b"of one patient".as_slice(), b"of one patient too", b"of another", b"?"] {
        let name = format!("{}", content.len());
        hospital.set_aside(&hospital.file(&name, content, IntakeReason::BurnedInText), 0);
    }
    let is_theirs = |content: &[u8]| (content != b"?").then(|| content.starts_with(b"of one"));
    assert_eq!(
        hospital.store.withdraw_held(is_theirs).unwrap(),
        Searched { removed: 2, untied: 1 }
    );
    assert_eq!((hospital.copies(), hospital.store.held().unwrap().len()), (2, 2));
}

#[test]
fn a_copy_of_another_file_or_a_changed_one_is_damage() {
    let hospital = hospital();
    let files = [b"one".as_slice(), b"two"].map(|content| {
        let file = hospital.file(&String::from_utf8_lossy(content), content, IntakeReason::BurnedInText);
        hospital.set_aside(&file, 0);
        file.1.file_digest
    });
    let path = |digest| copy_path(&hospital.store.quarantine_folder(), digest);
    fs::copy(path(&files[0]), path(&files[1])).unwrap();
    assert!(matches!(
        hospital.store.held_content(&files[1]),
        Err(StoreError::Damaged { .. })
    ));
    assert_eq!(hospital.store.held_content(&files[0]).unwrap(), b"one");
}

#[test]
fn an_opening_removes_what_a_crash_left_and_nothing_else() {
    let hospital = hospital();
    let file = hospital.file("a", b"bytes", IntakeReason::DecodeError);
    hospital.set_aside(&file, 0);
    let folder = hospital.store.quarantine_folder();
    fs::write(folder.join(format!("{}.partial", "ab".repeat(32))), b"half").unwrap();
    fs::write(
        folder.join(format!("{}.sealed", "cd".repeat(32))),
        b"copied, but its row was never written",
    )
    .unwrap();
    fs::write(folder.join("note.txt"), b"a person's own").unwrap();
    Store::open(hospital.store.folder(), crate::sample::keys()).unwrap();
    assert_eq!(hospital.copies(), 2);
    assert_eq!(hospital.store.held_content(&file.1.file_digest).unwrap(), b"bytes");
}
