//! Imports: once each, many at once, through crashes and kills.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::OnceLock,
};

use proptest::prelude::*;
use rayon::prelude::*;
use snowball_worker::shard::Part;

use super::*;
use crate::{
    Settings,
    sample::{Sample, cohort},
};

#[test]
fn pixels_come_back_in_full_depth() {
    let folder = tempfile::tempdir().unwrap();
    let radiograph = Sample::new(1, 1).radiograph();
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    assert_eq!(store.add(&radiograph).unwrap(), Added::New);
    drop(store);
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    let master = store.master(radiograph.id()).unwrap().unwrap();
    assert_eq!((master.rows, master.columns), (24, 20));
    assert_eq!(master.pixels, radiograph.pixels());
    assert!(master.pixels.iter().any(|value| *value > 255), "more than eight bits");
    assert_eq!(store.damaged().unwrap(), 0);
}

#[test]
fn a_large_picture_is_kept_smaller() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_with(folder.path(), crate::sample::keys(), Settings { master_side_max: 64 }).unwrap();
    let radiograph = Sample {
        rows: 200,
        columns: 100,
        ..Sample::new(1, 1)
    }
    .radiograph();
    store.add(&radiograph).unwrap();
    let master = store.master(radiograph.id()).unwrap().unwrap();
    assert_eq!((master.rows, master.columns), (64, 32));
}

#[test]
fn the_same_again_is_a_duplicate_and_another_content_a_conflict() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    let first = Sample::new(1, 1).radiograph();
    let other = Sample {
        salt: 9,
        ..Sample::new(1, 1)
    }
    .radiograph();
    assert_eq!(
        store.add_all(&[first, Sample::new(1, 1).radiograph(), other]).unwrap(),
        [Added::New, Added::Duplicate, Added::Conflict]
    );
    let kept = store.master(Sample::new(1, 1).radiograph().id()).unwrap().unwrap();
    assert_eq!(kept.pixels, Sample::new(1, 1).radiograph().pixels());
    assert_eq!(store.count().unwrap(), 1);
}

#[test]
fn what_was_not_flushed_is_done_again_and_what_was_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let radiographs = cohort(6);
    let key = |number: usize| Sha256Digest::of(&[number as u8]);
    {
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        let importer = store.importer();
        for (number, radiograph) in radiographs.iter().enumerate() {
            assert_eq!(importer.add(radiograph, &key(number)).unwrap(), Added::New);
            if number == 3 {
                importer.flush().unwrap();
            }
        }
        // As a crash would: nobody flushes.
        std::mem::forget(importer);
    }
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    assert_eq!(store.count().unwrap(), 4);
    for (number, radiograph) in radiographs.iter().enumerate() {
        assert_eq!(
            store.seen(&key(number)).unwrap(),
            (number <= 3).then_some(FileOutcome::Accepted)
        );
        let added = store.importer().add(radiograph, &key(number)).unwrap();
        assert_eq!(added, if number <= 3 { Added::Duplicate } else { Added::New });
    }
    assert_eq!((store.count().unwrap(), store.damaged().unwrap()), (6, 0));
}

#[test]
fn a_patient_stays_in_the_part_that_was_decided_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    let first = Sample::new(1, 1).radiograph();
    store.add(&first).unwrap();
    let decided = crate::part_of(first.patient());
    let other = if decided == Part::Testing {
        Part::Training
    } else {
        Part::Testing
    };
    // As an older version with other shares might have decided.
    store
        .change(
            |connection, _| Ok(connection.execute("UPDATE patients SET part = ?1", params![split::code_of(other)])?),
        )
        .unwrap();
    drop(store);
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    let second = Sample::new(1, 2).radiograph();
    store.add(&second).unwrap();
    let facts = store.facts().unwrap();
    assert_eq!(facts.iter().map(|fact| fact.part).collect::<Vec<_>>(), [other, other]);
}

#[test]
fn threads_may_add_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    let radiographs = cohort(90);
    let importer = store.importer();
    let new = (0..180usize)
        .into_par_iter()
        .map(|turn| {
            importer
                .add(&radiographs[turn % 90], &Sha256Digest::of(&[(turn % 90) as u8]))
                .unwrap()
        })
        .filter(|added| *added == Added::New)
        .count();
    importer.flush().unwrap();
    assert_eq!((new, store.count().unwrap(), store.damaged().unwrap()), (90, 90, 0));
}

#[test]
fn two_stores_over_one_folder_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let (left, right) = (
        Store::open(folder.path(), crate::sample::keys()).unwrap(),
        Store::open(folder.path(), crate::sample::keys()).unwrap(),
    );
    for (number, radiograph) in cohort(10).iter().enumerate() {
        let store = if number % 2 == 0 { &left } else { &right };
        assert_eq!(store.add(radiograph).unwrap(), Added::New);
    }
    assert_eq!(
        (left.count().unwrap(), left.damaged().unwrap(), right.damaged().unwrap()),
        (10, 0, 0)
    );
}

const CHILD: &str = "SNOWBALL_STORE_TEST_CHILD";

/// The child of the test below: imports without end and says what is acknowledged.
#[test]
fn child_that_imports_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let store = Store::open(std::path::Path::new(&dir), crate::sample::keys()).unwrap();
    let importer = store.importer();
    for number in 0..100_000u32 {
        importer
            .add(
                &Sample::new(number, number).radiograph(),
                &Sha256Digest::of(&number.to_le_bytes()),
            )
            .unwrap();
        if number % 5 == 4 {
            importer.flush().unwrap();
            println!("\nacknowledged {}", number + 1);
        }
    }
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "import::tests::child_that_imports_until_it_is_killed",
            "--nocapture",
        ])
        .env(CHILD, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let acknowledged = lines
        .filter_map(|line| line.strip_prefix("acknowledged ")?.parse::<u64>().ok())
        .find(|count| *count >= 40);
    child.kill().unwrap();
    child.wait().unwrap();
    let acknowledged = acknowledged.unwrap();

    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    assert!(store.count().unwrap() >= acknowledged);
    assert_eq!(store.damaged().unwrap(), 0);
    for number in 0..acknowledged as u32 {
        assert_eq!(
            store.seen(&Sha256Digest::of(&number.to_le_bytes())).unwrap(),
            Some(FileOutcome::Accepted)
        );
    }
    assert_eq!(store.add(&Sample::new(0, 0).radiograph()).unwrap(), Added::Duplicate);
}

/// Three patients with two radiographs each, and of each radiograph two contents.
fn pool() -> &'static [(u32, u32, u32, Radiograph)] {
    static POOL: OnceLock<Vec<(u32, u32, u32, Radiograph)>> = OnceLock::new();
    POOL.get_or_init(|| {
        (0..12)
            .map(|number| (number / 4, number / 2, number % 2))
            .map(|(patient, instance, salt)| {
                (
                    patient,
                    instance,
                    salt,
                    Sample {
                        salt,
                        ..Sample::new(patient, instance)
                    }
                    .radiograph(),
                )
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_history_ends_as_a_simple_model_says(turns in proptest::collection::vec((0usize..12, 0u8..10), 1..25)) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        let mut kept: std::collections::BTreeMap<u32, u32> = std::collections::BTreeMap::new();
        let mut gone = std::collections::BTreeSet::new();
        for (choice, turn) in turns {
            let (patient, instance, salt, radiograph) = &pool()[choice];
            match turn {
                0 => {
                    drop(store);
                    store = Store::open(folder.path(), crate::sample::keys()).unwrap();
                }
                1 => {
                    let before = kept.len();
                    kept.retain(|instance, _| instance / 2 != *patient);
                    gone.insert(*patient);
                    prop_assert_eq!(store.withdraw(radiograph.patient()).unwrap().radiographs as usize, before - kept.len());
                }
                _ => {
                    let expected = match kept.get(instance) {
                        _ if gone.contains(patient) => Added::Withdrawn,
                        None => Added::New,
                        Some(content) if content == salt => Added::Duplicate,
                        Some(_) => Added::Conflict,
                    };
                    prop_assert_eq!(store.add(radiograph).unwrap(), expected);
                    if expected == Added::New {
                        kept.insert(*instance, *salt);
                    }
                }
            }
        }
        prop_assert_eq!(store.count().unwrap() as usize, kept.len());
        for (_, instance, salt, radiograph) in pool() {
            if kept.get(instance) == Some(salt) {
                prop_assert_eq!(store.master(radiograph.id()).unwrap().unwrap().pixels, radiograph.pixels());
            }
        }
    }
}
