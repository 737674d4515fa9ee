//! Archives: the chain goes on across them, a crash at every step of closing one loses nothing, and what is not at hand is
//! said and never taken for the whole.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, symlink},
    path::Path,
};

use proptest::prelude::*;
use snowball_crypto::SigningKey;
use snowball_ledger::{
    ARCHIVE_FOLDER, Entry, Expected, Ledger, LedgerError, NEXT_RECORDS_FILE, VerifyError, read, records_at_hand,
    verify, verify_expecting,
};
use tempfile::TempDir;

use crate::support::{NOW, OWNER, Tree, field, fixed_key, folder, forged, ledger, samples};

const FIRST: &str = "archives/00000000000000000000";

/// Three files: records 0 to 3 and 4 to 7 in archives, 8 to 10 in the open one.
pub fn rotated(key: &SigningKey) -> TempDir {
    let folder = ledger(4, key);
    let mut ledger = Ledger::open(folder.path(), OWNER, key.clone()).unwrap();
    for count in [3, 2] {
        assert!(ledger.rotate(NOW).unwrap().is_some());
        ledger.append_all(NOW, samples()[..count].to_vec()).unwrap();
    }
    folder
}

fn file(first: u64, extension: &str) -> String {
    format!("{ARCHIVE_FOLDER}/{first:020}.{extension}")
}

fn goes_on(tree: &Tree, key: &SigningKey, entries: u64) {
    let folder = folder();
    tree.put(folder.path());
    let mut ledger = Ledger::open(folder.path(), OWNER, key.clone()).unwrap();
    assert_eq!(ledger.head().entries, entries);
    assert!(!folder.path().join(NEXT_RECORDS_FILE).exists());
    ledger.append(NOW, samples()[0].clone()).unwrap();
    assert!(ledger.rotate(NOW).unwrap().is_some());
    ledger.append(NOW, samples()[1].clone()).unwrap();
    drop(ledger);
    let verified = verify(folder.path(), &key.verifying_key()).unwrap();
    assert_eq!((verified.entries, verified.unseen), (entries + 3, 0));
    let records = read(folder.path()).unwrap();
    assert!(
        records
            .iter()
            .enumerate()
            .all(|(place, record)| record.index == place as u64)
    );
    assert_eq!(records.len() as u64, verified.entries);
}

#[test]
fn the_chain_goes_on_across_archives() {
    let key = SigningKey::generate().unwrap();
    let folder = rotated(&key);
    let verified = verify(folder.path(), &key.verifying_key()).unwrap();
    assert_eq!((verified.entries, verified.archives, verified.unseen), (11, 2, 0));
    assert_eq!(verified.counts["archive_closed"], 2);
    let records = read(folder.path()).unwrap();
    assert_eq!(records.len(), 11);
    assert_eq!(records[8].entry, Entry::ArchiveClosed { first: 4, entries: 8 });
    let mut ledger = Ledger::open(folder.path(), OWNER, key.clone()).unwrap();
    ledger.rotate(NOW).unwrap().unwrap();
    assert_eq!(ledger.rotate(NOW).unwrap(), None, "nothing to close");
}

#[test]
fn an_empty_ledger_has_nothing_to_close() {
    let key = SigningKey::generate().unwrap();
    let folder = folder();
    let mut ledger = Ledger::open(folder.path(), OWNER, key).unwrap();
    assert_eq!(ledger.rotate(NOW).unwrap(), None);
}

#[test]
fn a_file_that_reached_its_size_is_closed_by_itself() {
    let key = SigningKey::generate().unwrap();
    let folder = folder();
    let open = || {
        Ledger::open_shared(folder.path(), OWNER, key.clone())
            .unwrap()
            .with_archives_of(2000)
    };
    let (mut service, mut command) = (open(), open());
    for turn in 0..40 {
        service.append(NOW, samples()[turn % 5].clone()).unwrap();
        command.append_all(NOW, samples()[..2].to_vec()).unwrap();
    }
    let verified = verify(folder.path(), &key.verifying_key()).unwrap();
    assert!(verified.archives >= 5, "{verified:?}");
    assert_eq!(verified.entries, 120 + verified.archives);
    assert_eq!(service.signed_head().unwrap().head, verified.head);
}

/// Every state of the files between two steps of `rotate`, with the file that is being written at several lengths.
#[test]
fn a_crash_at_every_step_of_closing_an_archive_loses_nothing() {
    let key = fixed_key();
    let before = rotated(&key);
    let old = Tree::of(before.path());
    let mut ledger = Ledger::open(before.path(), OWNER, key.clone()).unwrap();
    ledger.rotate(NOW).unwrap().unwrap();
    drop(ledger);
    let new = Tree::of(before.path());
    let (archive_note, archive) = (file(8, "checkpoint"), file(8, "jsonl"));
    let (note, next_file) = (new.bytes(&archive_note), new.bytes("ledger.jsonl"));

    let mut tree = old.clone();
    for length in cuts(note.len()) {
        goes_on(&tree.with(&archive_note, &note[..length]), &key, 11);
    }
    tree = tree.with(&archive_note, &note);
    for length in cuts(next_file.len()) {
        goes_on(&tree.with(NEXT_RECORDS_FILE, &next_file[..length]), &key, 11);
    }
    tree = tree.with(NEXT_RECORDS_FILE, &next_file);
    let next_note = new.bytes("checkpoint");
    for length in cuts(next_note.len()) {
        let tree = tree.with("checkpoint.next", &next_note[..length]);
        let folder = folder();
        tree.put(folder.path());
        assert_eq!(verify(folder.path(), &key.verifying_key()).unwrap().entries, 11);
        goes_on(&tree, &key, 11);
    }
    // From here on the record that names the archive is whole and signed.
    tree = tree.with("checkpoint.next", &next_note);
    let open = tree.bytes("ledger.jsonl");
    // On another disk the archive is a copy first: until the next file is in its place the ledger is as before.
    for length in cuts(open.len()) {
        goes_on(&tree.with(&file(8, "jsonl.part"), &open[..length]), &key, 11);
    }
    let copied = tree.with(&archive, &open);
    let copy = folder();
    copied.put(copy.path());
    assert_eq!(verify(copy.path(), &key.verifying_key()).unwrap().entries, 11);
    assert_eq!(read(copy.path()).unwrap().len(), 11);
    goes_on(&copied, &key, 11);
    let moved = tree.without("ledger.jsonl").with(&archive, &open);
    let placed = moved.without(NEXT_RECORDS_FILE).with("ledger.jsonl", &next_file);
    let renamed = placed.without("checkpoint.next").with("checkpoint", &next_note);
    for tree in [moved, placed, renamed.clone()] {
        let folder = folder();
        tree.put(folder.path());
        let verified = verify(folder.path(), &key.verifying_key()).unwrap();
        assert_eq!((verified.entries, verified.archives), (12, 3));
        assert_eq!(read(folder.path()).unwrap().len(), 12);
        goes_on(&tree, &key, 12);
    }
    assert_eq!(renamed, new);
}

fn cuts(length: usize) -> impl Iterator<Item = usize> {
    (0..length).step_by(23).chain([length - 1, length])
}

#[test]
fn a_step_that_fails_is_taken_back_and_the_ledger_goes_on() {
    let key = SigningKey::generate().unwrap();
    let folder = ledger(4, &key);
    let path = |name: &str| folder.path().join(name);
    let mut ledger = Ledger::open(folder.path(), OWNER, key.clone()).unwrap();
    // In the way of the archive's signed head, of the next file, of its head, and of the file that moves.
    for name in [
        format!("{FIRST}.checkpoint"),
        NEXT_RECORDS_FILE.to_owned(),
        "checkpoint.next".to_owned(),
        format!("{FIRST}.jsonl"),
    ] {
        fs::create_dir_all(path(&name).join("in the way")).unwrap();
        assert!(matches!(ledger.rotate(NOW), Err(LedgerError::Io { .. })), "{name}");
        fs::remove_dir_all(path(&name)).unwrap();
        ledger.append(NOW, samples()[0].clone()).unwrap();
    }
    assert!(ledger.rotate(NOW).unwrap().is_some());
    ledger.append(NOW, samples()[0].clone()).unwrap();
    drop(ledger);
    let verified = verify(folder.path(), &key.verifying_key()).unwrap();
    assert_eq!((verified.entries, verified.archives), (10, 1));
}

/// Links the ledger's archives to a folder of another file system, where this machine has two.
fn on_another_disk(folder: &TempDir) -> Option<TempDir> {
    let disk = |path: &Path| fs::metadata(path).map(|about| about.dev()).ok();
    let other = TempDir::new_in("/dev/shm").ok()?;
    if disk(other.path()) == disk(folder.path()) {
        return None;
    }
    symlink(other.path(), folder.path().join(ARCHIVE_FOLDER)).unwrap();
    Some(other)
}

#[test]
fn archives_may_lie_on_another_disk() {
    let key = SigningKey::generate().unwrap();
    let folder = folder();
    let Some(other) = on_another_disk(&folder) else {
        println!("skipped: /dev/shm is not here, or on the same file system as temporary files");
        return;
    };
    let open = || {
        Ledger::open_shared(folder.path(), OWNER, key.clone())
            .unwrap()
            .with_archives_of(2000)
    };
    let (mut service, mut command) = (open(), open());
    // In the way of the copy, and of its name: said, taken back, and the ledger goes on.
    service.append(NOW, samples()[0].clone()).unwrap();
    for extension in ["jsonl.part", "jsonl"] {
        let way = other.path().join(format!("{:020}.{extension}", 0));
        fs::create_dir_all(way.join("in the way")).unwrap();
        assert!(
            matches!(service.rotate(NOW), Err(LedgerError::Io { .. })),
            "{extension}"
        );
        fs::remove_dir_all(way).unwrap();
        command.append(NOW, samples()[0].clone()).unwrap();
    }
    for turn in 0..40 {
        service.append(NOW, samples()[turn % 5].clone()).unwrap();
        command.append_all(NOW, samples()[..2].to_vec()).unwrap();
    }
    let verified = verify(folder.path(), &key.verifying_key()).unwrap();
    assert!(verified.archives >= 5, "{verified:?}");
    assert_eq!((verified.entries, verified.unseen), (123 + verified.archives, 0));
    assert_eq!(read(folder.path()).unwrap().len() as u64, verified.entries);
    let names = fs::read_dir(other.path()).unwrap().count() as u64;
    assert_eq!(names, 2 * verified.archives, "nothing half is left");
    let bytes = fs::metadata(folder.path().join("ledger.jsonl")).unwrap().len();
    assert!(bytes < 4000, "the open file holds {bytes} bytes");
}

#[test]
fn an_archive_that_was_moved_away_is_said_and_found_elsewhere() {
    let key = SigningKey::generate().unwrap();
    let folder = rotated(&key);
    let elsewhere = crate::support::folder();
    let whole = verify(folder.path(), &key.verifying_key()).unwrap();
    let away = |first: u64| {
        for extension in ["jsonl", "checkpoint"] {
            let name = format!("{first:020}.{extension}");
            fs::copy(folder.path().join(file(first, extension)), elsewhere.path().join(&name)).unwrap();
            fs::remove_file(folder.path().join(file(first, extension))).unwrap();
        }
    };
    let check = || verify(folder.path(), &key.verifying_key()).unwrap();
    away(0);
    assert_eq!((check().unseen, check().entries, check().archives), (4, 11, 1));
    assert!(matches!(
        read(folder.path()),
        Err(LedgerError::ArchiveMissing { first: 0, end: 4, .. })
    ));
    let (unseen, records) = records_at_hand(folder.path()).unwrap();
    assert_eq!((unseen, records.count()), (4, 7));
    away(4);
    assert_eq!((check().unseen, check().entries, check().archives), (8, 11, 0));
    let expected = Expected {
        archives: vec![elsewhere.path().to_owned()],
        ..Expected::default()
    };
    let verified = verify_expecting(folder.path(), &key.verifying_key(), &expected).unwrap();
    assert_eq!(verified, whole);
    let mut ledger = Ledger::open(folder.path(), OWNER, key.clone()).unwrap();
    ledger.append(NOW, samples()[0].clone()).unwrap();
}

#[test]
fn hands_on_archives_are_named() {
    let key = fixed_key();
    let other = SigningKey::generate().unwrap();
    let tree = Tree::of(rotated(&key).path());
    let verdict = |tree: &Tree| {
        let folder = folder();
        tree.put(folder.path());
        verify(folder.path(), &key.verifying_key()).unwrap_err().code()
    };
    let lines = |name: &str| tree.lines(name);
    let edited = |name: &str, edit: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut lines = lines(name);
        edit(&mut lines);
        verdict(&tree.with(name, &lines.concat()))
    };
    let (zero, four) = (file(0, "jsonl"), file(4, "jsonl"));
    let beyond = forged(4, &field(&lines(&zero)[3], "hash"));
    for (found, code) in [
        (edited(&zero, &|lines| drop(lines.remove(1))), "dropped"),
        (edited(&zero, &|lines| lines.swap(1, 2)), "reordered"),
        (edited(&zero, &|lines| drop(lines.pop())), "truncated"),
        (edited(&zero, &|lines| lines.push(beyond.clone())), "unsigned"),
        (
            edited(&zero, &|lines| lines[3] = forged(3, &field(&lines[2], "hash"))),
            "rewritten",
        ),
        // The record that names the file before is in its place once only.
        (edited(&four, &|lines| drop(lines.remove(0))), "dropped"),
        (edited(&four, &|lines| lines[0] = forged(4, "")), "malformed"),
        (edited("ledger.jsonl", &|lines| drop(lines.remove(0))), "dropped"),
        (edited("ledger.jsonl", &|lines| drop(lines.pop())), "truncated"),
        (edited("ledger.jsonl", &|lines| lines.clear()), "truncated"),
        (verdict(&tree.without(&file(0, "checkpoint"))), "checkpoint_missing"),
        (
            verdict(&tree.with(&file(0, "checkpoint"), &tree.bytes(&file(4, "checkpoint")))),
            "rewritten",
        ),
        (
            verdict(&tree.with(&file(0, "jsonl"), &tree.bytes(&file(4, "jsonl")))),
            "dropped",
        ),
        (
            verdict(&tree.with("ledger.jsonl", &tree.bytes(&file(4, "jsonl")))),
            "truncated",
        ),
        // Moved away with its head left behind, which then must still fit.
        (
            verdict(
                &tree
                    .without(&four)
                    .with(&file(4, "checkpoint"), &tree.bytes(&file(0, "checkpoint"))),
            ),
            "rewritten",
        ),
    ] {
        assert_eq!(found, code);
    }
    let foreign = Tree::of(rotated(&other).path());
    assert_eq!(
        verdict(&tree.with(&file(0, "checkpoint"), &foreign.bytes(&file(0, "checkpoint")))),
        "wrong_key"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// No byte of any file can change unseen, except that a note whose archive is there may not be missing either.
    #[test]
    fn every_changed_byte_of_every_file_is_found(place in 0..100_000_usize, bit in 0..8_u32) {
        let key = fixed_key();
        let folder = rotated(&key);
        let tree = Tree::of(folder.path());
        let names = tree.names();
        let name = &names[place % names.len()];
        let mut bytes = tree.bytes(name);
        let at = (place / names.len()) % bytes.len();
        bytes[at] ^= 1 << bit;
        tree.with(name, &bytes).put(folder.path());
        prop_assert!(verify(folder.path(), &key.verifying_key()).is_err(), "{} byte {}", name, at);
    }
}

#[test]
fn a_missing_archive_never_counts_as_an_empty_one() {
    let key = SigningKey::generate().unwrap();
    let folder = rotated(&key);
    fs::remove_dir_all(folder.path().join(ARCHIVE_FOLDER)).unwrap();
    let fault = read(folder.path()).unwrap_err();
    assert!(matches!(fault, LedgerError::ArchiveMissing { first: 4, end: 8, .. }));
    let words = fault.to_string();
    assert!(
        words.contains("records 4 to 7") && words.contains("00000000000000000004.jsonl"),
        "{words}"
    );
    assert!(matches!(
        verify(folder.path(), &SigningKey::generate().unwrap().verifying_key()),
        Err(VerifyError::WrongKey { .. })
    ));
}
