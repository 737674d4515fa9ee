//! A109: room for the next round of every study, above the configured limit.

use std::path::Path;

use anyhow::Result;
use snowball_layout::Layout;
use snowball_protocol::session::PhaseName;
use snowball_registry::Registry;
use snowball_service::{
    doctor::{
        Check, Finding,
        disk::{READ_ONLY_REMEDY, Short, UNKNOWN_REMEDY},
    },
    files::{self, Room},
};

use super::fault;
use crate::{config::Config, home::Home};

const CHECK: Check = Check::new("A109", "disk");
/// A round keeps the model that it began with and makes the next one.
const MODELS: u64 = 2;

pub async fn look(home: &Home, config: &Config) -> Finding {
    let room = match room(home) {
        Ok(room) => room,
        Err(error) => {
            return CHECK.bad(format!("it cannot be told: {error}"), UNKNOWN_REMEDY);
        }
    };
    match next_rounds(home).await {
        Ok(needed) => judge(&room, config.disk_free_bytes_min(), needed),
        Err(error) => CHECK.of(Err(fault(&error, "see the database (A106)"))),
    }
}

/// The least of what the disks of the folder have; objects and ledger may be links to others.
fn room(home: &Home) -> std::io::Result<Room> {
    let folders = [home.dir().to_owned(), home.objects_dir(), home.ledger_dir()];
    let rooms: Vec<Room> = folders
        .iter()
        .filter(|folder| Path::exists(folder))
        .map(|folder| files::room(folder))
        .collect::<Result<_, _>>()?;
    let least = |of: fn(&Room) -> u64| rooms.iter().map(of).min().unwrap_or(0);
    Ok(Room {
        bytes_free: least(|room| room.bytes_free),
        files_free: least(|room| room.files_free),
        is_read_only: rooms.iter().any(|room| room.is_read_only),
    })
}

/// What the updates of one round of each open study take, where every site sends one.
async fn next_rounds(home: &Home) -> Result<u64> {
    let registry = Registry::open(&home.database_file()).await?;
    let studies = registry.studies().await?;
    registry.close().await;
    let is_open = |phase| !matches!(phase, PhaseName::Released | PhaseName::Abandoned);
    let open = studies.iter().filter(|study| is_open(study.phase.name()));
    Ok(open
        .map(|study| {
            let updates = MODELS + u64::from(study.plan.rounds.updates.max);
            Layout::of(&study.plan).bytes().saturating_mul(updates)
        })
        .fold(0, u64::saturating_add))
}

fn judge(room: &Room, floor: u64, needed: u64) -> Finding {
    let says = format!(
        "{} MiB free; the limit is {} MiB (disk_free_megabytes_min), a round of every open study takes at most {} MiB",
        room.bytes_free >> 20,
        floor >> 20,
        needed >> 20
    );
    let remedy = "remove what is not the aggregator's, or stop serve and move the folder (objects may be a link) to a larger disk";
    match Short::of(room, floor, floor.saturating_add(needed)) {
        Short::Everything => CHECK.bad("the disk is mounted read-only", READ_ONLY_REMEDY),
        Short::Bytes => CHECK.bad(says, remedy),
        Short::Files => CHECK.look(
            format!("{says}, but there is room for few more files (inodes; df -i)"),
            remedy,
        ),
        Short::Soon => CHECK.look(says, remedy),
        Short::Nothing => CHECK.good(says),
    }
}

#[cfg(test)]
mod tests {
    use snowball_service::doctor::State;

    use super::*;

    #[test]
    fn the_limit_and_the_next_round_decide() {
        const GIB: u64 = 1 << 30;
        let room = |bytes_free, files_free, is_read_only| Room {
            bytes_free,
            files_free,
            is_read_only,
        };
        let state = |room: Room, needed| judge(&room, 2 * GIB, needed).state;
        assert_eq!(state(room(10 * GIB, 1 << 20, false), GIB), State::Good);
        assert_eq!(state(room(10 * GIB, 1 << 20, false), 9 * GIB), State::Look);
        assert_eq!(state(room(10 * GIB, 9, false), 0), State::Look);
        assert_eq!(state(room(GIB, 1 << 20, false), 0), State::Bad);
        assert_eq!(state(room(10 * GIB, 1 << 20, true), 0), State::Bad);
    }
}
