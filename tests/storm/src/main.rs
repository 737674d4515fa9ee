//! `snowball-storm`: hospital weather over the real programs, from a seed.
//!
//! A real aggregator and real nodes over mutual TLS run a small study while their lines are cut, stalled and refused, one site is
//! away for longer than a round waits, and either side is killed. In the end the study must be released, every round's model must
//! be the one that the sites in its record make, bit for bit, and every ledger and receipt must verify.
//!
//! Start at [`run`]; [`weather`] is what happens to the lines, [`misfortune`] who is killed, [`checks`] what must hold; [`trainer`]
//! is what the nodes start instead of their trainer.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod chance;
mod checks;
mod ground;
mod line;
mod misfortune;
mod plan;
mod run;
mod table;
mod trainer;
mod weather;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use snowball_tests::Programs;

use crate::{ground::Ground, table::Row};

/// Hospital weather over the real programs.
#[derive(Parser)]
#[command(after_help = "Example: snowball-storm --sites 8 --rounds 20 --seed 1 --runs 10")]
struct Arguments {
    /// Hospitals.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=64))]
    sites: u32,
    /// Rounds of the study.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=200))]
    rounds: u32,
    /// Where chance begins; run `n` has this seed and `n` more.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many runs, one after the other.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Where the programs lie; absent: they are built.
    #[arg(long)]
    programs: Option<PathBuf>,
    /// Where everything is kept while it runs, and afterwards if a check failed; absent: a temporary folder.
    #[arg(long)]
    work: Option<PathBuf>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(trainer::VERB) {
        return trainer::work();
    }
    let arguments = Arguments::parse();
    match storm(&arguments) {
        Ok(rows) => {
            table::print(&rows, arguments.json);
            if rows.iter().all(Row::is_sound) {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(3)
            }
        }
        Err(fault) => {
            eprintln!("snowball-storm: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

fn storm(arguments: &Arguments) -> Result<Vec<Row>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let programs = Programs::prepare(arguments.programs.as_deref()).await?;
        let ground = Ground::prepare(programs, arguments.sites, arguments.rounds, arguments.work.as_deref()).await?;
        let mut rows = Vec::new();
        for number in 0..u64::from(arguments.runs) {
            let row = run::run(&ground, arguments.seed + number).await?;
            eprintln!("{}", row.line());
            rows.push(row);
        }
        if rows.iter().all(Row::is_sound) {
            ground.clear();
        } else {
            eprintln!("the last run is kept in {}", ground.root().display());
        }
        Ok(rows)
    })
}
