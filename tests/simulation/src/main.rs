//! `snowball-simulation`: runs the federation from thousands of seeds, or one seed again.
#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::{
    collections::BTreeMap,
    io::Write as _,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use snowball_simulation::{Outcome, run, trace::Trace};

/// Simulates the whole federation from seeds: lost and repeated messages, crashes, partitions, wrong clocks, full disks,
/// revocation. Exit code 1 where an invariant does not hold.
#[derive(Parser)]
#[command(
    name = "snowball-simulation",
    version,
    after_help = "Examples:\n  snowball-simulation --seeds 10000\n  snowball-simulation --seed 42 --trace"
)]
struct Arguments {
    /// How many seeds
    #[arg(long, default_value_t = 1_000, value_name = "COUNT")]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    from: u64,
    /// This seed alone
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Every step of it
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Threads; absent: one for each processor
    #[arg(long)]
    threads: Option<usize>,
    /// JSON on standard output
    #[arg(long)]
    json: bool,
}

/// What came of all seeds.
#[derive(Serialize)]
struct Summary {
    seeds: u64,
    steps: u64,
    late: u64,
    virtual_seconds: i64,
    seconds: f64,
    endings: BTreeMap<String, u64>,
    failed: Vec<Outcome>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.seed {
        Some(seed) => one(seed, &arguments),
        None => many(&arguments),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(fault) => {
            eprintln!("snowball-simulation: {fault:#}");
            ExitCode::from(2)
        }
    }
}

fn one(seed: u64, arguments: &Arguments) -> Result<bool> {
    let trace = if arguments.trace {
        Trace::kept()
    } else {
        Trace::default()
    };
    let outcome = run(seed, None, trace)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else {
        let lines = outcome.trace.iter().cloned().chain([words(&outcome)]);
        let mut out = std::io::stdout().lock();
        for line in lines {
            // Whoever reads may have read enough.
            if writeln!(out, "{line}").is_err() {
                break;
            }
        }
    }
    Ok(outcome.violation.is_none())
}

fn many(arguments: &Arguments) -> Result<bool> {
    let begun = Instant::now();
    let threads = arguments
        .threads
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from))
        .max(1);
    let bar = ProgressBar::new(arguments.seeds)
        .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {eta} left")?);
    let next = AtomicU64::new(0);
    let work = || -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            if place >= arguments.seeds {
                return Ok(outcomes);
            }
            outcomes.push(run(arguments.from.saturating_add(place), None, Trace::default())?);
            bar.inc(1);
        }
    };
    let parts = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join()).collect::<Vec<_>>()
    });
    bar.finish_and_clear();
    let mut outcomes = Vec::new();
    for part in parts {
        outcomes.extend(part.ok().context("a thread of the simulation broke off")??);
    }
    outcomes.sort_by_key(|outcome| outcome.seed);
    let summary = Summary::of(outcomes, begun.elapsed().as_secs_f64());
    summary.print(arguments.json)?;
    Ok(summary.failed.is_empty())
}

impl Summary {
    fn of(outcomes: Vec<Outcome>, seconds: f64) -> Self {
        let mut endings = BTreeMap::new();
        for ending in outcomes.iter().filter_map(|outcome| outcome.ending) {
            *endings.entry(format!("{ending:?}")).or_default() += 1;
        }
        Self {
            seeds: outcomes.len() as u64,
            steps: outcomes.iter().map(|outcome| outcome.steps).sum(),
            late: outcomes.iter().map(|outcome| outcome.late).sum(),
            virtual_seconds: outcomes.iter().map(|outcome| outcome.seconds).sum(),
            seconds,
            endings,
            failed: outcomes
                .into_iter()
                .filter(|outcome| outcome.violation.is_some())
                .collect(),
        }
    }

    fn print(&self, json: bool) -> Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        self.failed.iter().for_each(|outcome| println!("{}", words(outcome)));
        let endings: Vec<_> = self
            .endings
            .iter()
            .map(|(ending, count)| format!("{count} {ending}"))
            .collect();
        println!(
            "{} seeds, {} steps, {} late updates counted, {:.1} virtual days in {:.1} s: {}; {} failed",
            self.seeds,
            self.steps,
            self.late,
            self.virtual_seconds as f64 / 86_400.0,
            self.seconds,
            endings.join(", "),
            self.failed.len()
        );
        Ok(())
    }
}

fn words(outcome: &Outcome) -> String {
    let Outcome {
        seed, steps, seconds, ..
    } = outcome;
    match (&outcome.violation, outcome.ending) {
        (Some(violation), _) => format!(
            "seed {seed}: it does not hold that {}: {} (step {steps}, after {seconds} s). Again: snowball-simulation --seed {seed} --trace",
            violation.invariant, violation.reason
        ),
        (None, Some(ending)) => format!("seed {seed}: {ending:?} after {seconds} s, {steps} steps"),
        (None, None) => format!("seed {seed}: no ending"),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_command_in_the_help_and_the_documents_is_one_that_this_program_takes() {
        let help = Arguments::command()
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let samples = help
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with("snowball-simulation "));
        let start = "//! cargo run --bin snowball-simulation -- ";
        let documents = include_str!("lib.rs")
            .lines()
            .filter_map(|line| line.strip_prefix(start));
        let documents =
            documents.map(|line| format!("snowball-simulation {}", line.split('#').next().unwrap_or_default()));
        let samples: Vec<String> = samples.map(str::to_owned).chain(documents).collect();
        assert_eq!(samples.len(), 4, "{samples:?}");
        for sample in &samples {
            let parsed = Arguments::try_parse_from(sample.split_whitespace());
            assert!(parsed.is_ok(), "{sample}: {:?}", parsed.err());
        }
    }
}
