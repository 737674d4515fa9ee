//! Every kind of entry: its name, its words, its way through the file.

use snowball_crypto::SigningKey;
use snowball_ledger::{Entry, LINE_BYTES_MAX, Ledger, LedgerError, read, verify};

use crate::support::{Files, NOW, OWNER, fixed_key, folder, ledger, samples};

#[test]
fn the_samples_hold_every_kind_and_each_is_written_as_it_says() {
    let kinds: Vec<&str> = samples().iter().map(Entry::kind).collect();
    assert_eq!(kinds, Entry::KINDS);
    for entry in samples() {
        let json = serde_json::to_value(&entry).unwrap();
        assert_eq!(json["entry"], entry.kind());
        assert_eq!(serde_json::from_value::<Entry>(json).unwrap(), entry);
    }
}

#[test]
fn every_kind_has_a_line_of_its_own_for_people() {
    let mut lines: Vec<String> = samples().iter().map(Entry::describe).collect();
    for (line, entry) in lines.iter().zip(samples()) {
        assert!(!line.chars().any(char::is_control) && line.len() < 1000, "{line}");
        assert_ne!(*line, entry.kind().replace('_', " "), "no words for this kind");
    }
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), Entry::KINDS.len());
}

#[test]
fn every_kind_has_a_line_in_french_that_tells_the_same_numbers() {
    let digits = |line: &str| -> Vec<String> {
        let mut found: Vec<String> = line
            .split(|letter: char| !letter.is_ascii_alphanumeric())
            .filter(|word| word.chars().any(|letter| letter.is_ascii_digit()))
            .map(str::to_owned)
            .collect();
        found.sort();
        found
    };
    let mut lines = Vec::new();
    for entry in samples() {
        let (english, french) = (entry.describe(), entry.describe_in_french());
        assert!(!french.chars().any(char::is_control) && french.len() < 1000, "{french}");
        assert_ne!(french, entry.kind().replace('_', " "), "no words for this kind");
        assert_ne!(french, english);
        assert_eq!(digits(&french), digits(&english), "{french} | {english}");
        lines.push(french);
    }
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), Entry::KINDS.len());
}

#[test]
fn words_of_people_cannot_paint_over_a_terminal() {
    let site = OWNER.parse().unwrap();
    let reason = format!("\u{1b}[2J\u{202e}{}", "x".repeat(10_000));
    let line = Entry::SiteRevoked { site, reason }.describe();
    assert!(!line.contains(['\u{1b}', '\u{202e}']) && line.len() < 300, "{line}");
}

#[test]
fn every_kind_goes_through_the_file() {
    let key = SigningKey::generate().unwrap();
    let folder = ledger(Entry::KINDS.len(), &key);
    let records = read(folder.path()).unwrap();
    assert_eq!(
        records.iter().map(|record| record.entry.clone()).collect::<Vec<_>>(),
        samples()
    );
    assert!(
        records
            .iter()
            .enumerate()
            .all(|(place, record)| record.index == place as u64 && record.time == NOW)
    );
    let verified = verify(folder.path(), &key.verifying_key()).unwrap();
    assert_eq!(verified.entries, records.len() as u64);
    assert_eq!(verified.head.hash, records.last().unwrap().hash);
    assert!(verified.counts.len() == records.len() && verified.counts.values().all(|count| *count == 1));
    assert_eq!(
        (verified.first_time, verified.last_time, verified.being_written),
        (Some(NOW), Some(NOW), false)
    );
}

#[test]
fn an_entry_too_long_for_a_line_is_refused_and_the_ledger_goes_on() {
    let key = SigningKey::generate().unwrap();
    let folder = folder();
    let mut ledger = Ledger::open(folder.path(), OWNER, key.clone()).unwrap();
    let long = Entry::ProgramStarted {
        program_version: "x".repeat(LINE_BYTES_MAX),
    };
    assert!(matches!(
        ledger.append(NOW, long),
        Err(LedgerError::TooLong {
            kind: "program_started",
            ..
        })
    ));
    assert_eq!(ledger.append_all(NOW, Vec::new()).unwrap(), []);
    ledger.append(NOW, samples()[0].clone()).unwrap();
    drop(ledger);
    assert_eq!(verify(folder.path(), &key.verifying_key()).unwrap().entries, 1);
}

#[test]
fn an_owner_is_a_site_name_and_a_ledger_has_one_writer() {
    let key = SigningKey::generate().unwrap();
    let folder = folder();
    for owner in ["", "North", "a/b", "..", "a\nb"] {
        assert!(matches!(
            Ledger::open(folder.path(), owner, key.clone()),
            Err(LedgerError::OwnerMalformed)
        ));
    }
    let first = Ledger::open(folder.path(), OWNER, key.clone()).unwrap();
    assert!(matches!(
        Ledger::open(folder.path(), OWNER, key.clone()),
        Err(LedgerError::InUse { .. })
    ));
    drop(first);
    assert!(Ledger::open(folder.path(), OWNER, key).is_ok());
}

#[test]
fn a_ledger_is_checked_and_read_while_it_is_written() {
    let key = SigningKey::generate().unwrap();
    let folder = folder();
    let mut ledger = Ledger::open(folder.path(), OWNER, key.clone()).unwrap();
    for index in 0..20 {
        ledger.append(NOW + index, samples()[0].clone()).unwrap();
        let verified = verify(folder.path(), &key.verifying_key()).unwrap();
        assert!(verified.being_written);
        assert_eq!(verified.head, ledger.head());
        assert_eq!(read(folder.path()).unwrap().len() as u64, verified.entries);
    }
}

/// The ledger that `FORMAT.md` shows, for people who write their own verifier.
#[test]
fn the_example_of_the_format_verifies() {
    let format = include_str!("../../FORMAT.md");
    let shown: Vec<&str> = format.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    let (records, note): (Vec<&str>, Vec<&str>) = shown.into_iter().partition(|line| line.starts_with('{'));
    let (text, signature) = note.split_at(3);
    let folder = folder();
    Files {
        records: Some(format!("{}\n", records.concat()).into_bytes()),
        checkpoint: Some(format!("{}\n\n{}\n", text.join("\n"), signature.concat()).into_bytes()),
        next: None,
    }
    .put(folder.path());
    let key = fixed_key();
    assert!(format.contains(&format!("`{}`", key.verifying_key())));
    let verified = verify(folder.path(), &key.verifying_key()).unwrap();
    assert_eq!((verified.owner.as_str(), verified.entries), (OWNER, 1));
}
