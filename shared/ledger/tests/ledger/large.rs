//! A ledger of a million records: `cargo test -p snowball-ledger -- --ignored --nocapture large` says how long it takes and how
//! much memory.

use std::{fs, time::Instant};

use snowball_crypto::SigningKey;
use snowball_ledger::{Entry, Ledger, records, verify};
use snowball_protocol::{Attempt, RoundNumber, Sha256Digest};

use crate::support::{NOW, OWNER};

const ENTRIES: u32 = 1_000_000;
const BATCH: u32 = 1_000;
/// Far below what a million records take on disk: the check reads line by line.
const KILOBYTES_MAX: u64 = 100_000;

#[test]
#[ignore = "writes half a gigabyte and takes minutes"]
fn a_million_records_are_written_checked_and_read_in_the_same_memory() {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap();
    let digest = Sha256Digest::of(b"update");
    let approved = |round: u32| Entry::UpdateApproved {
        study: "body-parts".parse().unwrap(),
        round: RoundNumber(round),
        attempt: Attempt(1),
        update_digest: digest,
        bytes: 44_000_000,
        clause: "release.allowed".to_owned(),
        policy_digest: digest,
    };
    let timed = |what: &str, act: &mut dyn FnMut()| {
        let begin = Instant::now();
        act();
        eprintln!("{what}: {:.1} s", begin.elapsed().as_secs_f64());
    };
    let mut ledger = Ledger::open(folder.path(), OWNER, key.clone()).unwrap();
    timed("written", &mut || {
        for batch in 0..ENTRIES / BATCH {
            let entries = (0..BATCH).map(|place| approved(batch * BATCH + place)).collect();
            ledger.append_all(NOW, entries).unwrap();
        }
    });
    drop(ledger);
    timed("checked", &mut || {
        let verified = verify(folder.path(), &key.verifying_key()).unwrap();
        eprintln!(
            "{} records in {} archives and the open file",
            verified.entries, verified.archives
        );
        assert_eq!(verified.entries - verified.archives, u64::from(ENTRIES));
    });
    timed("read", &mut || {
        let count = records(folder.path()).unwrap().filter(|record| record.is_ok()).count();
        assert!(count >= ENTRIES as usize);
    });
    timed("opened", &mut || {
        drop(Ledger::open(folder.path(), OWNER, key.clone()).unwrap())
    });
    let Some(kilobytes) = peak_kilobytes() else {
        eprintln!("skipped: this system does not say how much memory was used");
        return;
    };
    eprintln!("peak memory: {} MB", kilobytes / 1024);
    assert!(kilobytes < KILOBYTES_MAX);
}

fn peak_kilobytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
