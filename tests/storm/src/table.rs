//! What came of the runs: a line each, and the verdict.

use std::sync::atomic::Ordering;

use serde::Serialize;
use serde_json::{Value, json};

use crate::{checks, ground::Ground, line::Line, weather::Weather};

const HEAD: &str = "   seed   seconds   rounds   with all   left out   cuts   stalls   gone   aggregator killed   nodes killed     MiB   verdict";

/// One run.
#[derive(Serialize)]
pub struct Row {
    seed: u64,
    seconds: f64,
    rounds: usize,
    /// Rounds to which every site contributed.
    whole: usize,
    /// Contributions that did not come in time, over all rounds.
    left_out: usize,
    /// Of these, by the site of the long outage.
    left_out_away: usize,
    cuts: u32,
    stalls: u32,
    gone: u32,
    aggregator_kills: u32,
    node_kills: u32,
    bytes: u64,
    faults: Vec<String>,
}

impl Row {
    #[expect(clippy::too_many_arguments, reason = "a row is made of what a run has, in one place")]
    pub fn of(
        seed: u64,
        seconds: f64,
        status: &Value,
        ground: &Ground,
        weather: &Weather,
        (aggregator_kills, node_kills): (u32, u32),
        lines: &[Line],
        away: usize,
        faults: Vec<String>,
    ) -> Self {
        let contributors = checks::contributors(ground, status).unwrap_or_default();
        let sites = ground.consortium.sites.len();
        let count = |number: &std::sync::atomic::AtomicU32| number.load(Ordering::Relaxed);
        Self {
            seed,
            seconds,
            rounds: contributors.len(),
            whole: contributors.iter().filter(|present| present.len() == sites).count(),
            left_out: contributors.iter().map(|present| sites - present.len()).sum(),
            left_out_away: contributors.iter().filter(|present| !present.contains(&away)).count(),
            cuts: count(&weather.cuts),
            stalls: count(&weather.stalls),
            gone: count(&weather.refusals),
            aggregator_kills,
            node_kills,
            bytes: lines.iter().map(Line::bytes).sum(),
            faults,
        }
    }

    /// Whether every check held.
    pub const fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// The row for people.
    pub fn line(&self) -> String {
        let verdict = if self.is_sound() {
            "sound".to_owned()
        } else {
            format!("FAILED: {}", self.faults.join("; "))
        };
        format!(
            "{:>7} {:>9.1} {:>8} {:>10} {:>10} {:>6} {:>8} {:>6} {:>19} {:>14} {:>7.1}   {verdict}",
            self.seed,
            self.seconds,
            self.rounds,
            self.whole,
            self.left_out,
            self.cuts,
            self.stalls,
            self.gone,
            self.aggregator_kills,
            self.node_kills,
            self.bytes as f64 / 1_048_576.0,
        )
    }
}

/// Prints all rows and the verdict over them.
pub fn print(rows: &[Row], as_json: bool) {
    let sound = rows.iter().filter(|row| row.is_sound()).count();
    let text = if as_json {
        json!({ "runs": rows, "sound": sound }).to_string()
    } else {
        let lines: Vec<String> = rows.iter().map(Row::line).collect();
        format!("{HEAD}\n{}\n{sound} of {} runs are sound", lines.join("\n"), rows.len())
    };
    use std::io::Write as _;
    // Where nobody reads on there is nobody to tell.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
