//! `snowball-benchmark`: how fast this machine de-identifies and takes in, beside other programs; how a node bears a large
//! archive; how fast a round of federated averaging is, and what each encoding of updates costs in quality; how many pictures a second
//! the recipes make and the trainer learns from, beside PyTorch; whether looking for pairs teaches anything; and whether learning together
//! helps. What it prints was measured in that run; the one table of other days' figures
//! says so.
//!
//! It runs `hospital-node` and its peers as people do, by their command lines, over the same files on the same processors. It
//! must never be pointed at a node's real home: it makes homes of its own and removes them.
//!
//! Start at [`deidentification`], [`large`], [`rounds`], [`transfers`], [`recipes`], [`training`], [`pairs`] and [`knees`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod corpus;
mod deidentification;
mod floors;
mod header;
mod home;
mod knees;
mod large;
mod ours;
mod pairs;
mod peers;
mod pictures;
mod recipes;
mod rounds;
mod table;
mod training;
mod transfers;
mod watched;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use snowball_tests::Programs;

/// Measures de-identification beside other programs, the intake of a large archive, and rounds of federated averaging.
#[derive(Parser)]
#[command(
    name = "snowball-benchmark",
    version,
    after_help = "Example: snowball-benchmark deidentification --python /tmp/peers-venv/bin/python"
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Deidentification(deidentification::Deidentification),
    Large(large::Large),
    Rounds(rounds::Rounds),
    Idle(rounds::Idle),
    Transfers(transfers::Transfers),
    Recipes(recipes::Recipes),
    Training(training::Training),
    Knees(knees::Knees),
    Pairs(pairs::Pairs),
    #[command(hide = true)]
    Floor(floors::Floor),
    #[command(hide = true)]
    Header(header::Header),
    #[command(hide = true)]
    Sites(rounds::Sites),
}

/// What all benchmarks take.
#[derive(clap::Args, Clone)]
pub struct Common {
    /// Where the programs lie, already built; absent: they are built first.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// Where to work; made, and emptied of what this run made. Absent: a temporary folder.
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Processors that each program may use.
    #[arg(long, default_value_t = 2)]
    cores: usize,
    /// JSON on standard output.
    #[arg(long)]
    json: bool,
}

impl Common {
    /// Where `hospital-node` lies.
    fn node(&self) -> Result<PathBuf> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(Programs::prepare(self.programs.as_deref()))?.node)
    }

    /// A folder that is gone when the answer is dropped.
    fn folder(&self) -> Result<tempfile::TempDir> {
        let root = self.work.clone().unwrap_or_else(std::env::temp_dir);
        std::fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
        let folder = tempfile::Builder::new().prefix("snowball-benchmark-").tempdir_in(&root);
        folder.with_context(|| format!("cannot work in {}", root.display()))
    }
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().verb {
        Verb::Deidentification(verb) => verb.run(),
        Verb::Large(verb) => verb.run(),
        Verb::Rounds(verb) => verb.run(),
        Verb::Idle(verb) => verb.run(),
        Verb::Transfers(verb) => verb.run(),
        Verb::Recipes(verb) => verb.run(),
        Verb::Training(verb) => verb.run(),
        Verb::Knees(verb) => verb.run(),
        Verb::Pairs(verb) => verb.run(),
        Verb::Floor(verb) => verb.run().map(|()| true),
        Verb::Header(verb) => verb.run().map(|()| true),
        Verb::Sites(verb) => verb.run().map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(fault) => {
            eprintln!("snowball-benchmark: {fault:#}");
            ExitCode::from(1)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_command_in_the_documents_and_the_help_is_one_that_this_program_takes() {
        let documents = [
            include_str!("../../../hospital-node/docs/speed.md"),
            include_str!("../../../aggregator/docs/speed.md"),
            include_str!("../../../aggregator/docs/transfers.md"),
            include_str!("../../../aggregator/docs/recipes.md"),
            include_str!("../../../aggregator/docs/evidence.md"),
        ];
        let start = "    cargo run --bin snowball-benchmark -- ";
        let mut samples: Vec<String> = documents
            .iter()
            .flat_map(|document| document.lines())
            .filter_map(|line| Some(format!("snowball-benchmark {}", line.strip_prefix(start)?)))
            .collect();
        for command in Arguments::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples = help.strip_prefix("Example: ").or(help.strip_prefix("Examples:\n"));
            samples.extend(
                examples
                    .into_iter()
                    .flat_map(str::lines)
                    .map(|line| line.trim().to_owned()),
            );
        }
        assert!(samples.len() >= 10, "{samples:?}");
        for sample in &samples {
            let parsed = Arguments::try_parse_from(sample.split_whitespace());
            assert!(parsed.is_ok(), "{sample}: {:?}", parsed.err());
        }
    }
}
