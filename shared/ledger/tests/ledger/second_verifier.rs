//! The second verifier, in another language and written from `FORMAT.md`, gives the same verdict on every ledger.

use std::{path::Path, process::Command};

use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};
use serde_json::Value;
use snowball_crypto::{SigningKey, VerifyingKey};
use snowball_ledger::{Entry, Expected, Ledger, Verified, VerifyError, kept_heads, verify_expecting};
use tempfile::TempDir;

use crate::{
    hands::{hands, lay},
    rotation::rotated,
    support::{Files, NOW, OWNER, Tree, field, fixed_key, folder, forged, ledger, samples},
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/verify_ledger.py");
const RANDOM_CASES: usize = 150;

#[test]
fn both_verifiers_agree_on_every_ledger() {
    let key = fixed_key();
    let folders: Vec<TempDir> = cases(&key).iter().map(laid).collect();
    let paths: Vec<&Path> = folders.iter().map(TempDir::path).collect();
    let Some(verdicts) = second(&paths, &key.verifying_key(), &Expected::default()) else {
        return;
    };
    assert_eq!(verdicts.len(), folders.len());
    for (folder, verdict) in paths.iter().zip(&verdicts) {
        agree(folder, &key.verifying_key(), &Expected::default(), verdict);
    }
    let sound = verdicts.iter().filter(|verdict| verdict["verdict"] == "sound").count();
    assert!(
        sound >= 6 && verdicts.len() - sound > RANDOM_CASES / 2,
        "{sound} of {} are sound",
        verdicts.len()
    );
}

#[test]
fn both_verifiers_agree_on_keys_owners_and_kept_heads() {
    let (key, other) = (fixed_key(), SigningKey::generate().unwrap());
    let folder = ledger(4, &key);
    let head = Ledger::open(folder.path(), OWNER, key.clone()).unwrap().head().hash;
    let unknown = snowball_protocol::Sha256Digest::of(b"unknown");
    let owner = |name: &str| Expected {
        owner: Some(name.to_owned()),
        ..Expected::default()
    };
    for (key, expected) in [
        (&key, owner(OWNER)),
        (&key, owner("south")),
        (
            &key,
            Expected {
                heads: vec![head],
                ..Expected::default()
            },
        ),
        (
            &key,
            Expected {
                heads: vec![head, unknown],
                ..Expected::default()
            },
        ),
        (&other, Expected::default()),
    ] {
        let Some(verdicts) = second(&[folder.path()], &key.verifying_key(), &expected) else {
            return;
        };
        agree(folder.path(), &key.verifying_key(), &expected, &verdicts[0]);
    }
}

#[test]
fn both_verifiers_agree_while_a_ledger_is_written() {
    let key = fixed_key();
    let folder = folder();
    let mut open = Ledger::open(folder.path(), OWNER, key.clone()).unwrap();
    open.append_all(NOW, samples()).unwrap();
    let Some(verdicts) = second(&[folder.path()], &key.verifying_key(), &Expected::default()) else {
        return;
    };
    assert_eq!(verdicts[0]["being_written"], true);
    agree(folder.path(), &key.verifying_key(), &Expected::default(), &verdicts[0]);
}

#[test]
fn both_verifiers_agree_on_archives_at_every_step_of_closing_one_and_after_every_hand() {
    let key = fixed_key();
    let folder = rotated(&key);
    let before = Tree::of(folder.path());
    let mut ledger = Ledger::open(folder.path(), OWNER, key.clone()).unwrap();
    ledger.rotate(NOW).unwrap().unwrap();
    drop(ledger);
    let after = Tree::of(folder.path());
    let steps = [
        before.with("ledger.jsonl.next", &after.bytes("ledger.jsonl")),
        before
            .with("ledger.jsonl.next", &after.bytes("ledger.jsonl"))
            .with("checkpoint.next", &after.bytes("checkpoint")),
        after
            .without("ledger.jsonl")
            .with("ledger.jsonl.next", &after.bytes("ledger.jsonl"))
            .with("checkpoint", &before.bytes("checkpoint"))
            .with("checkpoint.next", &after.bytes("checkpoint")),
        after
            .with("checkpoint", &before.bytes("checkpoint"))
            .with("checkpoint.next", &after.bytes("checkpoint")),
    ];
    let mut cases = vec![before.clone(), after.clone()];
    cases.extend(steps);
    for name in after.names() {
        cases.push(after.without(&name));
        let bytes = after.bytes(&name);
        cases.push(after.with(&name, &bytes[..bytes.len() / 2]));
        cases.push(after.with(&name, &[&bytes[..], b"{}\n"].concat()));
        for other in after.names() {
            cases.push(after.with(&name, &after.bytes(&other)));
        }
        let lines = after.lines(&name);
        for place in 0..lines.len() {
            let mut lines = lines.clone();
            lines.remove(place);
            cases.push(after.with(&name, &lines.concat()));
        }
    }
    let folders: Vec<TempDir> = cases
        .iter()
        .map(|tree| {
            let folder = crate::support::folder();
            tree.put(folder.path());
            folder
        })
        .collect();
    let paths: Vec<&Path> = folders.iter().map(TempDir::path).collect();
    let Some(verdicts) = second(&paths, &key.verifying_key(), &Expected::default()) else {
        return;
    };
    let sound = verdicts.iter().filter(|verdict| verdict["verdict"] == "sound").count();
    assert!(
        sound >= 6 && verdicts.len() - sound > 40,
        "{sound} of {}",
        verdicts.len()
    );
    for (folder, verdict) in paths.iter().zip(&verdicts) {
        agree(folder, &key.verifying_key(), &Expected::default(), verdict);
    }
}

#[test]
fn both_verifiers_agree_on_what_others_kept() {
    let (key, aggregator) = (fixed_key(), SigningKey::generate().unwrap());
    let folder = rotated(&key);
    let fork = Tree::of(folder.path());
    let kept = |entry: Entry| {
        let mut ledger = Ledger::open(folder.path(), OWNER, key.clone()).unwrap();
        ledger.append(NOW, entry).unwrap();
        ledger.signed_head().unwrap()
    };
    let one = kept(samples()[5].clone());
    fork.put(folder.path());
    let cut = Tree::of(folder.path());
    let two = kept(samples()[6].clone());
    let theirs = crate::support::folder();
    let mut ledger = Ledger::open(theirs.path(), "aggregator", aggregator.clone()).unwrap();
    let mut entries = samples();
    entries.push(Entry::SiteHeadKept {
        site: OWNER.parse().unwrap(),
        head: two.cosigned("aggregator", &aggregator, NOW).note,
    });
    ledger.append_all(NOW, entries).unwrap();
    drop(ledger);
    let notes = crate::support::folder();
    let note = |name: &str, text: &str| {
        let path = notes.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (ones, twos) = (note("one.note", &one.note), note("two.txt", &two.note));
    let invented = note("invented.txt", &two.note.replacen("\n12\n", "\n13\n", 1));
    let untouched = Tree::of(folder.path());
    let mut words = Vec::new();
    for (tree, heads) in [
        (&untouched, vec![twos.as_path()]),
        (&untouched, vec![twos.as_path(), ones.as_path()]),
        (&untouched, vec![notes.path()]),
        (&untouched, vec![theirs.path()]),
        (&untouched, vec![invented.as_path()]),
        (&cut, vec![twos.as_path()]),
        (&cut, vec![theirs.path()]),
    ] {
        tree.put(folder.path());
        let mut expected = Expected::default();
        let mut fault = None;
        for path in &heads {
            match kept_heads(path, OWNER, &key.verifying_key()) {
                Ok(kept) => {
                    expected.kept.extend(kept.heads());
                    expected.heads.extend(kept.hashes);
                }
                Err(found) => fault = Some(found),
            }
        }
        let none = Expected::default();
        let Some(verdicts) = second_with(&[folder.path()], &key.verifying_key(), &none, &heads) else {
            return;
        };
        words.push(verdicts[0]["verdict"].as_str().unwrap().to_owned());
        match fault {
            Some(fault) => assert_eq!(verdicts[0]["verdict"], fault.code()),
            None => agree(folder.path(), &key.verifying_key(), &expected, &verdicts[0]),
        }
    }
    // The samples in the aggregator's ledger hold a hash that this ledger never had.
    assert_eq!(
        words,
        [
            "sound",
            "forked",
            "forked",
            "head_unknown",
            "head_invalid",
            "tail_cut",
            "tail_cut"
        ]
    );
}

fn agree(folder: &Path, key: &VerifyingKey, expected: &Expected, verdict: &Value) {
    let ours = verify_expecting(folder, key, expected);
    let unchecked = matches!(ours, Err(VerifyError::SignatureInvalid { .. }));
    if unchecked && verdict["verdict"] == "sound" {
        eprintln!("skipped: a signature, which the second verifier could not check without its package");
        return;
    }
    match ours {
        Ok(Verified {
            owner,
            entries,
            head,
            counts,
            being_written,
            unseen,
            archives,
            heads_found,
            heads_unseen,
            ..
        }) => {
            assert_eq!(verdict["verdict"], "sound", "{verdict}");
            assert_eq!(verdict["owner"], owner.as_str());
            assert_eq!(verdict["entries"], entries);
            assert_eq!(verdict["head"], head.hash.to_string());
            assert_eq!(verdict["being_written"], being_written);
            assert_eq!(verdict["counts"], serde_json::to_value(counts).unwrap());
            assert_eq!(
                (&verdict["unseen"], &verdict["archives"]),
                (&unseen.into(), &archives.into())
            );
            assert_eq!(
                (&verdict["heads_found"], &verdict["heads_unseen"]),
                (&heads_found.into(), &heads_unseen.into())
            );
        }
        Err(fault) => {
            assert_eq!(verdict["verdict"], fault.code(), "{fault}: {verdict}");
            if let Some(index) = verdict["index"].as_u64() {
                let words = fault.to_string();
                assert!(words.contains(&index.to_string()), "{words}: {verdict}");
            }
        }
    }
}

/// The second verifier's verdicts; nothing where there is no Python.
fn second(folders: &[&Path], key: &VerifyingKey, expected: &Expected) -> Option<Vec<Value>> {
    second_with(folders, key, expected, &[])
}

/// The same, with what others kept.
fn second_with(folders: &[&Path], key: &VerifyingKey, expected: &Expected, heads: &[&Path]) -> Option<Vec<Value>> {
    let mut command = Command::new("python3");
    command.arg(SCRIPT).arg("--key").arg(key.to_string());
    if let Some(owner) = &expected.owner {
        command.args(["--owner", owner]);
    }
    for head in &expected.heads {
        command.args(["--head", &head.to_string()]);
    }
    for archive in &expected.archives {
        command.arg("--archive").arg(archive);
    }
    command.args(heads.iter().flat_map(|path| [Path::new("--heads"), path]));
    let Ok(output) = command.args(folders).output() else {
        eprintln!("skipped: python3 is not installed, so there is no second verifier to agree with");
        return None;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let verdicts: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let faults = verdicts.iter().any(|verdict| verdict["verdict"] != "sound");
    let unchecked = verdicts
        .iter()
        .any(|verdict| verdict["signatures"].as_str().is_some_and(|text| text != "checked"));
    let code = if faults {
        1
    } else if unchecked {
        3
    } else {
        0
    };
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(verdicts)
}

fn laid(files: &Files) -> TempDir {
    let folder = folder();
    files.put(folder.path());
    folder
}

/// Sound ledgers, every state of a crash in short, every kind of tampering, and hands at random.
fn cases(key: &SigningKey) -> Vec<Files> {
    let mut cases: Vec<Files> = [0, 1, samples().len(), 70]
        .map(|entries| Files::of(ledger(entries, key).path()))
        .into();
    let folder = ledger(8, key);
    let before = Files::of(folder.path());
    Ledger::open(folder.path(), OWNER, key.clone())
        .unwrap()
        .append_all(NOW, samples()[..3].to_vec())
        .unwrap();
    let after = Files::of(folder.path());
    let (old, new) = (before.records.clone().unwrap(), after.records.clone().unwrap());
    for length in (old.len()..new.len()).step_by(40).chain([new.len() - 1, new.len()]) {
        let records = Some(new[..length].to_vec());
        cases.push(Files {
            records: records.clone(),
            next: after.checkpoint.clone(),
            ..before.clone()
        });
        cases.push(Files {
            records: records.clone(),
            ..before.clone()
        });
        cases.push(Files {
            records,
            ..after.clone()
        });
    }

    let lines = after.lines();
    let previous = field(&lines[10], "hash");
    let edited = |edit: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut lines = lines.clone();
        edit(&mut lines);
        after.with_lines(&lines)
    };
    cases.push(edited(&|lines| drop(lines.remove(4))));
    cases.push(edited(&|lines| lines.swap(2, 7)));
    cases.push(edited(&|lines| lines.insert(5, lines[1].clone())));
    cases.push(edited(&|lines| lines[6] = forged(6, &field(&lines[5], "hash"))));
    cases.push(edited(&|lines| lines[0] = forged(0, &previous)));
    cases.push(edited(&|lines| lines[10] = forged(10, &field(&lines[9], "hash"))));
    cases.push(edited(&|lines| lines.push(forged(11, &previous))));
    cases.push(edited(&|lines| lines[3] = vec![b'['; 70_000]));
    cases.push(edited(&|lines| lines.push(vec![b'x'; 70_000])));
    for (from, to) in SPELLINGS {
        let text = String::from_utf8(new.clone()).unwrap().replacen(from, to, 1);
        assert_ne!(text.as_bytes(), new, "{from}");
        cases.push(Files {
            records: Some(text.into_bytes()),
            ..after.clone()
        });
    }

    let note = String::from_utf8(after.checkpoint.clone().unwrap()).unwrap();
    for (from, to) in [
        ("\n11\n", "\n12\n"),
        ("\n11\n", "\n011\n"),
        ("north", "south"),
        ("\u{2014}", "-"),
        ("=\n", "\n"),
        ("\n\n", "\n"),
    ] {
        cases.push(Files {
            checkpoint: Some(note.replace(from, to).into_bytes()),
            ..after.clone()
        });
    }
    for checkpoint in [
        None,
        Some(Vec::new()),
        Some(vec![0xff; 9]),
        Some([note.as_bytes(), b"\n"].concat()),
    ] {
        cases.push(Files {
            checkpoint,
            ..after.clone()
        });
    }
    cases.push(Files {
        records: None,
        ..after.clone()
    });
    cases.push(Files::default());

    let mut runner = TestRunner::deterministic();
    for _ in 0..RANDOM_CASES {
        let hands = hands().new_tree(&mut runner).unwrap().current();
        cases.push(hands.iter().fold(after.clone(), |files, hand| lay(hand, &files)));
    }
    cases
}

/// The same values spelled otherwise, and values that no record has.
const SPELLINGS: [(&str, &str); 16] = [
    ("\"index\":0", "\"index\":0.0"),
    ("\"index\":0", "\"index\":-0"),
    ("\"index\":0", "\"index\":0e0"),
    ("\"index\":0", "\"index\":false"),
    ("\"index\":0", "\"index\":NaN"),
    ("\"index\":0", "\"index\":99999999999999999999999"),
    ("\"index\":0", "\"index\":0,\"index\":0"),
    (
        "\"index\":0",
        "\"index\":0,\"note\":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]",
    ),
    ("\"index\":0", "\"index\": 0"),
    ("\u{e9}", "\\u00e9"),
    ("\u{e9}", "\\ud800"),
    ("\\n", "\\u000a"),
    ("\u{e9}", "\u{7f}"),
    ("\n", "\r\n"),
    ("\n", "\n\n"),
    ("{", "\u{feff}{"),
];
