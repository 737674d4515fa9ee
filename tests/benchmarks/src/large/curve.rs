//! A run of `ingest`, watched: how many radiographs are stored and how much memory is resident, over time.

use std::{
    fs::File,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;

use crate::watched::memory_bytes;

const LOOK: Duration = Duration::from_millis(100);

/// One look at the program.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Point {
    pub seconds: f64,
    /// Radiographs whose rows are committed.
    pub stored: u64,
    pub memory_bytes: u64,
}

/// A process from its start to its end.
#[derive(Default, Serialize)]
pub struct Curve {
    #[serde(skip)]
    pub points: Vec<Point>,
    pub seconds: f64,
    pub was_killed: bool,
    pub stored_before: u64,
    pub stored_after: u64,
    pub memory_bytes_max: u64,
    pub quarters: Vec<Quarter>,
    /// Growth of resident memory over the last three quarters, per 100,000 radiographs, by least squares.
    pub memory_slope_bytes_per_100_000: f64,
}

/// A quarter of what one process stored.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Quarter {
    pub radiographs_per_second: f64,
    pub memory_bytes_max: u64,
}

/// Runs `command`, which fills the store whose database is `database`; kills it with SIGKILL when `kill_at` are stored.
///
/// # Errors
/// When it cannot be started, or ends otherwise than well without having been killed.
pub fn run(mut command: Command, database: &Path, log: &Path, kill_at: Option<u64>) -> Result<Curve> {
    let said = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(said.try_clone()?)
        .stderr(said)
        .spawn()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let mut curve = Curve {
        stored_before: stored(database),
        ..Curve::default()
    };
    let mut high = 0;
    let status: ExitStatus = loop {
        let point = Point {
            seconds: begun.elapsed().as_secs_f64(),
            stored: stored(database),
            memory_bytes: memory_bytes(child.id(), "VmRSS:").unwrap_or(0),
        };
        high = high.max(memory_bytes(child.id(), "VmHWM:").unwrap_or(0));
        curve.points.push(point);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if kill_at.is_some_and(|kill_at| point.stored >= kill_at) {
            child.kill()?;
            curve.was_killed = true;
            break child.wait()?;
        }
        std::thread::sleep(LOOK);
    };
    curve.seconds = begun.elapsed().as_secs_f64();
    curve.stored_after = stored(database);
    anyhow::ensure!(
        curve.was_killed || status.success(),
        "ingest ended with {status}: {}",
        crate::watched::last_words(log)
    );
    curve.memory_bytes_max = high;
    // The last look at a process that ends sees no memory.
    curve.points.retain(|point| point.memory_bytes > 0);
    curve.quarters = quarters(&curve.points);
    curve.memory_slope_bytes_per_100_000 = slope(&curve.points) * 1e5;
    Ok(curve)
}

/// How many radiographs the database holds: none was deleted, so the last row's number is the count.
fn stored(database: &Path) -> u64 {
    let count = || -> rusqlite::Result<u64> {
        let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.query_row("SELECT coalesce(max(rowid), 0) FROM radiographs", [], |row| row.get(0))
    };
    // Before the program made it there is no database.
    count().unwrap_or(0)
}

/// Speed and memory over each quarter of what was stored, from the first commit on: what came before it is also start, and
/// looking at what is known already.
fn quarters(points: &[Point]) -> Vec<Quarter> {
    let mut commits = points.to_vec();
    commits.dedup_by_key(|point| point.stored);
    let [_, commits @ ..] = &commits[..] else {
        return Vec::new();
    };
    let (Some(first), Some(last)) = (commits.first(), commits.last()) else {
        return Vec::new();
    };
    let total = last.stored - first.stored;
    if total < 4 {
        return Vec::new();
    }
    let when = |stored: u64| {
        let after = commits.iter().find(|point| point.stored >= stored).unwrap_or(last);
        let before = commits.iter().rfind(|point| point.stored < stored).unwrap_or(first);
        let share = (stored - before.stored) as f64 / (after.stored - before.stored).max(1) as f64;
        before.seconds + share * (after.seconds - before.seconds)
    };
    let quarter = |number: u64| {
        let bounds = [number, number + 1].map(|number| first.stored + total * number / 4);
        let [from, to] = bounds.map(when);
        let within = |point: &&Point| (from..=to).contains(&point.seconds);
        let memory = points.iter().filter(within).map(|point| point.memory_bytes).max();
        Quarter {
            radiographs_per_second: (bounds[1] - bounds[0]) as f64 / (to - from).max(1e-9),
            memory_bytes_max: memory.unwrap_or(0),
        }
    };
    (0..4).map(quarter).collect()
}

/// Bytes a radiograph, over the last three quarters.
fn slope(points: &[Point]) -> f64 {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return 0.0;
    };
    let warm = first.stored + (last.stored - first.stored) / 4;
    let warm: Vec<&Point> = points.iter().filter(|point| point.stored >= warm).collect();
    let count = warm.len() as f64;
    let mean = |figure: fn(&Point) -> f64| warm.iter().map(|point| figure(point)).sum::<f64>() / count;
    let (x, y) = (
        mean(|point| point.stored as f64),
        mean(|point| point.memory_bytes as f64),
    );
    let (mut above, mut below) = (0.0, 0.0);
    for point in warm {
        let across = point.stored as f64 - x;
        above += across * (point.memory_bytes as f64 - y);
        below += across * across;
    }
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarters_and_slope_are_those_of_the_line() {
        // 10 radiographs a second after a second of start, 5 a second from the 200th on; 100 bytes more with each. Every
        // commit is looked at twice.
        let mut points = vec![Point {
            seconds: 0.0,
            stored: 0,
            memory_bytes: 1000,
        }];
        for stored in (0..=400_u64).step_by(10) {
            let seconds = 1.0 + stored.min(200) as f64 / 10.0 + stored.saturating_sub(200) as f64 / 5.0;
            let memory_bytes = 1000 + stored * 100;
            for seconds in [seconds, seconds + 0.5] {
                points.push(Point {
                    seconds,
                    stored,
                    memory_bytes,
                });
            }
        }
        let quarters = quarters(&points);
        let rate = |quarter: usize| quarters[quarter].radiographs_per_second;
        assert!(
            (rate(0) - 10.0).abs() < 1e-6 && (rate(3) - 5.0).abs() < 1e-6,
            "{quarters:?}"
        );
        assert!((9.0..10.0).contains(&rate(1)), "the bend lies in it: {quarters:?}");
        assert_eq!(quarters[3].memory_bytes_max, 41_000);
        assert!((slope(&points) - 100.0).abs() < 1e-6);
        assert!(super::quarters(&points[..1]).is_empty());
    }
}
