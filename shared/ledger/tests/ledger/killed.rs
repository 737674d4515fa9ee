//! A process that writes as fast as it can and is killed: every record that it had been told is durable is there.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use snowball_crypto::SigningKey;
use snowball_ledger::{Ledger, read, verify};

use crate::support::{NOW, OWNER, samples};

const FOLDER: &str = "SNOWBALL_LEDGER_TEST_FOLDER";
const KEY_FILE: &str = "key.pem";

/// Not a test by itself: the child process of the one below.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let folder = Path::new(&folder);
    let key = SigningKey::from_pem(&std::fs::read_to_string(folder.join(KEY_FILE)).unwrap()).unwrap();
    // Archives so small that the kill often comes while one is closed.
    let ledger = Ledger::open(&folder.join("ledger"), OWNER, key).unwrap();
    let mut ledger = ledger.with_archives_of(2000);
    let mut out = std::io::stdout();
    // Bounded, so that an orphan ends by itself.
    for round in 0..100_000 {
        let records = ledger.append_all(NOW, samples()[..1 + round % 4].to_vec()).unwrap();
        let last = records.last().unwrap();
        writeln!(out, "acknowledged {} {}", last.index, last.hash).unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_writer_is_killed() {
    // On the disk, where a sync is a sync.
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap();
    std::fs::write(folder.path().join(KEY_FILE), key.to_pem().as_bytes()).unwrap();
    let ledger = folder.path().join("ledger");
    let mut acknowledged = Vec::new();
    for life in 0..6 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "killed::child_that_writes_until_it_is_killed", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = 0;
        // After the kill the pipe still holds what was told before it.
        while let Some(Ok(line)) = lines.next() {
            if let Some((_, words)) = line.split_once("acknowledged ") {
                acknowledged.push(words.to_owned());
                told += 1;
            }
            if told == 20 + 7 * life {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(told >= 20 + 7 * life);
    }
    drop(Ledger::open(&ledger, OWNER, key.clone()).unwrap());
    let records = read(&ledger).unwrap();
    let verified = verify(&ledger, &key.verifying_key()).unwrap();
    assert_eq!(verified.entries, records.len() as u64);
    assert!(verified.archives >= 10, "{verified:?}");
    for words in &acknowledged {
        let (index, hash) = words.split_once(' ').unwrap();
        assert_eq!(records[index.parse::<usize>().unwrap()].hash.to_string(), hash);
    }
    assert!(acknowledged.len() >= 200);
}
