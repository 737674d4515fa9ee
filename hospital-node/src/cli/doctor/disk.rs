//! N108: room on every disk that the node writes to. Its folders may be links to other disks, so each is asked.

use std::{
    collections::BTreeMap,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use snowball_service::{
    doctor::{
        Check, Finding,
        disk::{READ_ONLY_REMEDY, Short, UNKNOWN_REMEDY},
    },
    files::{self, Room},
};

use crate::{config::NodeConfig, home::Home};

const CHECK: Check = Check::new("N108", "disk");

/// A disk, with what of the node lies on it.
struct Disk {
    holds: Vec<String>,
    room: Room,
}

pub fn look(home: &Home, config: &NodeConfig) -> Finding {
    let disks = match disks(home) {
        Ok(disks) => disks,
        Err(fault) => {
            return CHECK.bad(format!("it cannot be told: {fault}"), UNKNOWN_REMEDY);
        }
    };
    judge(&disks, config.spool.disk_free_bytes_min)
}

fn judge(disks: &[Disk], floor: u64) -> Finding {
    let words = |disk: &Disk| {
        format!(
            "{} MiB free where {} lies",
            disk.room.bytes_free >> 20,
            disk.holds.join(", ")
        )
    };
    let all = disks.iter().map(words).collect::<Vec<_>>().join("; ");
    let (free_up, limit) = (
        "remove what is not the node's, move a folder to a larger disk (a link may stand in its place), or run hospital-node retention",
        floor >> 20,
    );
    let short = |disk: &Disk| Short::of(&disk.room, floor, floor.saturating_mul(2));
    match disks.iter().map(short).max().unwrap_or(Short::Nothing) {
        Short::Everything => {
            let holds = disks
                .iter()
                .find(|disk| disk.room.is_read_only)
                .map(|disk| &disk.holds[..]);
            CHECK.bad(
                format!(
                    "the disk with {} is mounted read-only",
                    holds.unwrap_or_default().join(", ")
                ),
                READ_ONLY_REMEDY,
            )
        }
        Short::Bytes => CHECK.bad(
            format!("{all}; below {limit} MiB nothing more is taken in (disk_free_bytes_min under [spool])"),
            free_up,
        ),
        Short::Files => CHECK.look(format!("{all}, but room for few more files (inodes; df -i)"), free_up),
        Short::Soon => CHECK.look(
            format!("{all}; nothing more is taken below {limit} MiB, which is near"),
            free_up,
        ),
        Short::Nothing => CHECK.good(format!("{all}; nothing more is taken in below {limit} MiB")),
    }
}

fn disks(home: &Home) -> std::io::Result<Vec<Disk>> {
    let mut found: BTreeMap<u64, Disk> = BTreeMap::new();
    for (name, folder) in folders(home) {
        let device = std::fs::metadata(&folder)?.dev();
        match found.get_mut(&device) {
            Some(disk) => disk.holds.push(name),
            None => {
                let room = files::room(&folder)?;
                found.insert(
                    device,
                    Disk {
                        holds: vec![name],
                        room,
                    },
                );
            }
        }
    }
    let mut disks: Vec<Disk> = found.into_values().collect();
    // Everything lies in the home unless it is said.
    if let [only] = &mut disks[..] {
        only.holds = vec!["the home".to_owned()];
    }
    Ok(disks)
}

/// The home and what is in it already, by names for people.
fn folders(home: &Home) -> Vec<(String, PathBuf)> {
    let inside = [
        ("store", home.store_folder()),
        ("spool", home.root().join("spool")),
        ("datasets", home.datasets()),
        ("models", home.models()),
        ("outbox", home.outbox()),
        ("ledger", home.ledger()),
        (
            "the ledger's archives",
            home.ledger().join(snowball_ledger::ARCHIVE_FOLDER),
        ),
    ];
    let is_there = |(_, path): &(&str, PathBuf)| Path::exists(path);
    let named = |(name, path): (&str, PathBuf)| (name.to_owned(), path);
    std::iter::once(("the home".to_owned(), home.root().to_owned()))
        .chain(inside.into_iter().filter(is_there).map(named))
        .collect()
}

#[cfg(test)]
mod tests {
    use snowball_service::doctor::State;

    use super::*;

    const GIB: u64 = 1 << 30;

    fn disk(holds: &str, bytes_free: u64) -> Disk {
        Disk {
            holds: vec![holds.to_owned()],
            room: Room {
                bytes_free,
                files_free: 1_000_000,
                is_read_only: false,
            },
        }
    }

    #[test]
    fn the_fullest_disk_decides_against_the_configured_limit() {
        let state = |free: u64| judge(&[disk("the home", 100 * GIB), disk("store", free)], 2 * GIB);
        assert_eq!(state(5 * GIB).state, State::Good);
        assert_eq!(state(3 * GIB).state, State::Look);
        let bad = state(GIB);
        assert_eq!(bad.state, State::Bad);
        assert!(bad.says.contains("1024 MiB free where store lies") && bad.says.contains("below 2048 MiB"));
    }

    #[test]
    fn a_disk_without_inodes_or_mounted_read_only_is_said() {
        let mut few = disk("the home", 100 * GIB);
        few.room.files_free = 3;
        assert_eq!(judge(&[few], GIB).state, State::Look);
        let mut fixed = disk("the home", 100 * GIB);
        fixed.room.is_read_only = true;
        assert_eq!(judge(&[fixed], GIB).state, State::Bad);
    }
}
