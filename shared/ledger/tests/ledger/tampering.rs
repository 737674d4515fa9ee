//! Everything that somebody without the owner's key can do to the files, and what the check says of it.

use std::fs;

use proptest::prelude::*;
use snowball_crypto::{SigningKey, VerifyingKey};
use snowball_ledger::{
    Expected, Ledger, LedgerError, NEXT_CHECKPOINT_FILE, RECORDS_FILE, VerifyError, read, verify, verify_expecting,
};
use snowball_protocol::Sha256Digest;

use crate::{
    hands::{hands, lay},
    support::{Files, NOW, OWNER, field, fixed_key, folder, forged, ledger, samples},
};

fn check(files: &Files, key: VerifyingKey) -> Result<(), VerifyError> {
    let folder = folder();
    files.put(folder.path());
    verify(folder.path(), &key).map(drop)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Twelve records, the folder's files and the key.
fn victim() -> (Files, SigningKey) {
    let key = SigningKey::generate().unwrap();
    (Files::of(ledger(12, &key).path()), key)
}

#[test]
fn every_kind_of_tampering_is_named_with_its_place() {
    let (files, key) = victim();
    let lines = files.lines();
    let key = key.verifying_key();
    let fault = |lines: &[Vec<u8>]| check(&files.with_lines(lines), key).unwrap_err();
    let edited = |edit: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut lines = lines.clone();
        edit(&mut lines);
        fault(&lines)
    };
    let hash = |place: usize| field(&lines[place], "hash");

    assert!(matches!(
        edited(&|lines| drop(lines.remove(4))),
        VerifyError::Dropped { index: 4, found: 5 }
    ));
    assert!(matches!(
        edited(&|lines| drop(lines.drain(0..3))),
        VerifyError::Dropped { index: 0, found: 3 }
    ));
    assert!(matches!(
        edited(&|lines| lines.swap(4, 5)),
        VerifyError::Reordered { index: 4, found: 5 }
    ));
    assert!(matches!(
        edited(&|lines| lines.reverse()),
        VerifyError::Reordered { index: 0, found: 11 }
    ));
    assert!(matches!(
        edited(&|lines| lines.insert(6, lines[2].clone())),
        VerifyError::Inserted { index: 6, found: 2 }
    ));
    let inserted = edited(&|lines| lines.insert(6, forged(6, &hash(5))));
    assert!(matches!(inserted, VerifyError::Inserted { index: 7, found: 6 }));
    let replaced = edited(&|lines| lines[6] = forged(6, &hash(5)));
    assert!(matches!(replaced, VerifyError::Replaced { index: 7 }));
    let rewritten = edited(&|lines| lines[11] = forged(11, &hash(10)));
    assert!(matches!(rewritten, VerifyError::Rewritten { entries: 12 }));
    let added = edited(&|lines| lines.push(forged(12, &hash(11))));
    assert!(matches!(added, VerifyError::Unsigned { index: 12 }));
    let torn = edited(&|lines| lines.push(forged(12, &hash(11))[..40].to_vec()));
    assert!(matches!(torn, VerifyError::Unfinished { index: 12 }));
    for kept in 0..12 {
        let cut = edited(&|lines| lines.truncate(kept));
        assert!(matches!(cut, VerifyError::Truncated { expected: 12, found } if found == kept as u64));
    }
    let altered = edited(&|lines| lines[3] = text(&lines[3]).replacen("18446744073709551615", "1", 1).into_bytes());
    assert!(matches!(altered, VerifyError::Altered { index: 3 }));
    assert!(matches!(
        edited(&|lines| lines[9] = b"{}\n".to_vec()),
        VerifyError::Malformed { index: 9 }
    ));
    assert!(matches!(
        edited(&|lines| lines.insert(0, b"\n".to_vec())),
        VerifyError::Malformed { index: 0 }
    ));
    assert!(matches!(
        edited(&|lines| lines[2] = vec![b'x'; 1 << 20]),
        VerifyError::TooLong { index: 2 }
    ));
}

#[test]
fn another_number_in_a_record_is_altered_content() {
    let key = SigningKey::generate().unwrap();
    let files = Files::of(ledger(samples().len(), &key).path());
    let whole = text(files.records.as_ref().unwrap());
    let place = whole.lines().position(|line| line.contains("\"version\":2"));
    let changed = Files {
        records: Some(whole.replacen("\"version\":2", "\"version\":3", 1).into_bytes()),
        ..files
    };
    let found = check(&changed, key.verifying_key());
    let Err(VerifyError::Altered { index }) = found else {
        panic!("{found:?}")
    };
    assert_eq!(Some(index), place.map(|place| place as u64));
}

#[test]
fn another_spelling_of_the_same_record_is_found() {
    let (files, key) = victim();
    let whole = text(files.records.as_ref().unwrap());
    let upper = whole.replacen(
        &field(&files.lines()[5], "hash"),
        &field(&files.lines()[5], "hash").to_uppercase(),
        1,
    );
    let spaced = whole.replacen(",\"hash\"", ", \"hash\"", 1);
    let doubled = whole.replacen("\"index\":0", "\"index\":0,\"index\":0", 1);
    let fraction = whole.replacen("\"index\":0", "\"index\":0.0", 1);
    let windows = whole.replacen('\n', "\r\n", 1);
    for changed in [upper, spaced, doubled, fraction, windows] {
        assert_ne!(changed, whole);
        let changed = Files {
            records: Some(changed.into_bytes()),
            ..files.clone()
        };
        assert!(matches!(
            check(&changed, key.verifying_key()),
            Err(VerifyError::Malformed { .. })
        ));
    }
}

#[test]
fn the_checkpoint_is_as_safe_as_the_records() {
    let (files, key) = victim();
    let other = SigningKey::generate().unwrap();
    assert!(matches!(
        check(&files, other.verifying_key()),
        Err(VerifyError::WrongKey { .. })
    ));
    let key = key.verifying_key();

    let none = Files {
        checkpoint: None,
        ..files.clone()
    };
    assert!(matches!(check(&none, key), Err(VerifyError::CheckpointMissing)));
    let empty = Files {
        checkpoint: Some(Vec::new()),
        ..files.clone()
    };
    assert!(matches!(
        check(&empty, key),
        Err(VerifyError::CheckpointMalformed { .. })
    ));
    let whole = text(files.checkpoint.as_ref().unwrap());
    let fewer = Files {
        checkpoint: Some(whole.replace("\n12\n", "\n11\n").into_bytes()),
        ..files.clone()
    };
    assert!(matches!(
        check(&fewer.with_lines(&files.lines()[..11]), key),
        Err(VerifyError::SignatureInvalid { .. })
    ));
    let foreign = Files {
        checkpoint: Some(whole.replace("north", "south").into_bytes()),
        ..files.clone()
    };
    assert!(matches!(
        check(&foreign, key),
        Err(VerifyError::WrongKey { .. } | VerifyError::SignatureInvalid { .. })
    ));
    let gone = Files { records: None, ..files };
    assert!(matches!(check(&gone, key), Err(VerifyError::RecordsMissing)));
    assert!(matches!(
        check(&Files::default(), key),
        Err(VerifyError::RecordsMissing)
    ));
}

/// One key in two ledgers, as after a site was renamed: neither's records pass under the other's checkpoint.
#[test]
fn records_of_another_owner_are_found() {
    let key = SigningKey::generate().unwrap();
    let (north, south) = (ledger(3, &key), folder());
    Ledger::open(south.path(), "south", key.clone())
        .unwrap()
        .append_all(NOW, samples()[..3].to_vec())
        .unwrap();
    let mixed = Files {
        records: Files::of(north.path()).records,
        ..Files::of(south.path())
    };
    assert!(
        matches!(check(&mixed, key.verifying_key()), Err(VerifyError::ForeignRecords { owner }) if owner == "south")
    );
    let expected = Expected {
        owner: Some("north".to_owned()),
        ..Expected::default()
    };
    let fault = verify_expecting(south.path(), &key.verifying_key(), &expected).unwrap_err();
    assert!(matches!(fault, VerifyError::WrongOwner { found, expected } if found == "south" && expected == "north"));
    assert!(verify_expecting(north.path(), &key.verifying_key(), &expected).is_ok());
}

/// The one thing that the files alone cannot show: all of them put back to an earlier moment. A kept head does.
#[test]
fn an_older_state_of_all_files_is_found_by_a_kept_head() {
    let key = SigningKey::generate().unwrap();
    let folder = ledger(5, &key);
    let older = Files::of(folder.path());
    let mut open = Ledger::open(folder.path(), OWNER, key.clone()).unwrap();
    let early = open.head().hash;
    let kept = open.append(NOW, samples()[0].clone()).unwrap().hash;
    drop(open);
    let expected = Expected {
        heads: vec![early, kept],
        ..Expected::default()
    };
    assert!(verify_expecting(folder.path(), &key.verifying_key(), &expected).is_ok());
    older.put(folder.path());
    assert!(verify(folder.path(), &key.verifying_key()).is_ok());
    let fault = verify_expecting(folder.path(), &key.verifying_key(), &expected).unwrap_err();
    assert!(matches!(fault, VerifyError::HeadUnknown { head } if head == kept));
}

#[test]
fn a_tampered_ledger_is_not_opened_and_not_touched() {
    let (files, key) = victim();
    let lines = files.lines();
    let forged_tail = [lines.clone(), vec![forged(12, &field(&lines[11], "hash"))]].concat();
    let dropped = [&lines[..4], &lines[5..]].concat();
    for files in [
        files.with_lines(&forged_tail),
        files.with_lines(&dropped),
        files.with_lines(&lines[..11]),
        Files {
            checkpoint: None,
            ..files.clone()
        },
        Files {
            checkpoint: Some(b"x".to_vec()),
            ..files.clone()
        },
        Files {
            records: Some(Vec::new()),
            ..files.clone()
        },
    ] {
        let folder = folder();
        files.put(folder.path());
        let opened = Ledger::open(folder.path(), OWNER, key.clone());
        assert!(matches!(opened, Err(LedgerError::Broken { .. })));
        assert_eq!(Files::of(folder.path()), files);
    }
    let folder = folder();
    files.put(folder.path());
    let other = SigningKey::generate().unwrap();
    for opened in [
        Ledger::open(folder.path(), OWNER, other),
        Ledger::open(folder.path(), "south", key),
    ] {
        assert!(matches!(opened, Err(LedgerError::Broken { .. })));
    }
}

/// A next checkpoint only speaks for the records that its signature names.
#[test]
fn a_forged_or_stale_next_checkpoint_opens_no_door() {
    let (files, key) = victim();
    let lines = files.lines();
    let forged_tail = [lines.clone(), vec![forged(12, &field(&lines[11], "hash"))]].concat();
    let stale = Files::of(ledger(12, &key).path()).checkpoint;
    let foreign = Files::of(ledger(13, &SigningKey::generate().unwrap()).path()).checkpoint;
    for next in [stale, foreign, Some(b"x".to_vec())] {
        let files = Files {
            next,
            ..files.with_lines(&forged_tail)
        };
        assert!(matches!(
            check(&files, key.verifying_key()),
            Err(VerifyError::Unsigned { index: 12 })
        ));
    }
}

#[test]
fn entries_of_a_newer_program_verify_and_are_not_read_as_something_else() {
    let key = SigningKey::generate().unwrap();
    let folder = ledger(2, &key);
    let files = Files::of(folder.path());
    let line = forged(2, &field(&files.lines()[1], "hash"));
    let newer = String::from_utf8(line)
        .unwrap()
        .replace("program_started", "from_the_future");
    let content = newer.replacen(&format!("\"hash\":\"{}\",", field(newer.as_bytes(), "hash")), "", 1);
    let hash = Sha256Digest::of(format!("snowball ledger record v1\n{}", content.trim_end()).as_bytes());
    let newer = newer.replace(&field(newer.as_bytes(), "hash"), &hash.to_string());
    let lines = [files.lines(), vec![newer.into_bytes()]].concat();
    let note = note("north", 3, hash, &key);
    Files {
        checkpoint: Some(note),
        ..files.with_lines(&lines)
    }
    .put(folder.path());
    let verified = verify(folder.path(), &key.verifying_key()).unwrap();
    assert_eq!(verified.counts.get("unknown"), Some(&1));
    assert!(matches!(
        read(folder.path()),
        Err(LedgerError::UnknownEntry { index: 2 })
    ));
    let mut ledger = Ledger::open(folder.path(), OWNER, key).unwrap();
    assert_eq!(ledger.append(NOW, samples()[0].clone()).unwrap().index, 3);
    assert!(!folder.path().join(NEXT_CHECKPOINT_FILE).exists());
}

/// A checkpoint written from `FORMAT.md` alone.
fn note(owner: &str, entries: u64, hash: Sha256Digest, key: &SigningKey) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let name = format!("snowball/ledger/{owner}");
    let text = format!("{name}\n{entries}\n{}\n", STANDARD.encode(hash.as_bytes()));
    let id = Sha256Digest::of(&[name.as_bytes(), b"\n\x01", key.verifying_key().as_bytes()].concat());
    let signed = [&id.as_bytes()[..4], key.sign(text.as_bytes()).as_bytes()].concat();
    format!("{text}\n\u{2014} {name} {}\n", STANDARD.encode(signed)).into_bytes()
}

#[test]
fn every_flipped_bit_of_the_records_is_found() {
    let key = SigningKey::generate().unwrap();
    let folder = ledger(2, &key);
    let records = Files::of(folder.path()).records.unwrap();
    for bit in 0..records.len() * 8 {
        let mut changed = records.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        fs::write(folder.path().join(RECORDS_FILE), &changed).unwrap();
        assert!(verify(folder.path(), &key.verifying_key()).is_err(), "bit {bit}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_hands_do_is_found(hands in hands()) {
        let key = fixed_key();
        let folder = ledger(8, &key);
        let sound = Files::of(folder.path());
        let touched = hands.iter().fold(sound.clone(), |files, hand| lay(hand, &files));
        touched.put(folder.path());
        let verdict = verify(folder.path(), &key.verifying_key());
        prop_assert_eq!(verdict.is_ok(), touched == sound, "{:?}", verdict);
        // Opening may drop bytes after the last line, never a line; and it never panics.
        if Ledger::open(folder.path(), OWNER, key.clone()).is_ok() {
            prop_assert_eq!(Files::of(folder.path()), sound);
        }
    }
}

#[test]
fn a_message_names_the_place_and_never_the_content() {
    let (files, key) = victim();
    let mut lines = files.lines();
    lines[7] = b"MILLER^ANNA 1970\n".to_vec();
    let fault = check(&files.with_lines(&lines), key.verifying_key()).unwrap_err();
    assert!(fault.to_string().contains("record 7") && !format!("{fault:?} {fault}").contains("MILLER"));
}
