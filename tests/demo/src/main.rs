//! `cargo demo`: a whole consortium on this machine, with separate processes and real mutual TLS.
//!
//! It makes four hospitals with their own homes, keys, policies and ledgers, one aggregator, and radiographs (phantoms, or the
//! files of a folder), runs a study from invitation to signed release, and shows what came of it. It uses the programs as a
//! person would, through their command lines; it links neither of them.
//!
//! Start at [`story`]: it reads as the demo runs.

mod hospitals;
mod live;
mod plan;
mod report;
mod results;
mod story;
mod table;
mod verdict;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use snowball_protocol::plan::UpdateEncoding;
use snowball_service::{exit, output};

/// Four hospitals and one aggregator on this machine, from invitation to signed release.
#[derive(Parser)]
#[command(name = "cargo demo --", version, after_help = "Example: cargo demo -- --quick")]
pub struct Arguments {
    /// A smaller run, under a minute on two cores.
    #[arg(long)]
    quick: bool,
    /// Real files instead of phantoms: one sub-folder a hospital.
    #[arg(long, value_name = "DIR")]
    dicom: Option<PathBuf>,
    /// Where everything goes; must not exist yet. Absent: demo/ and a number.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Another number of rounds.
    #[arg(long)]
    rounds: Option<u32>,
    /// The seed of phantoms and study.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// How updates travel, as a plan writes it: "bf16", "int8" or { top_k = { share = 0.01 } }. Absent: exact.
    #[arg(long, value_name = "TOML", value_parser = plan::encoding)]
    encoding: Option<UpdateEncoding>,
    /// Where the three programs lie, already built; absent: they are built first.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
}

fn main() -> ExitCode {
    // `cargo demo --quick` and `cargo demo -- --quick` mean the same.
    let words: Vec<_> = std::env::args_os().collect();
    let is_separator = words.get(1).is_some_and(|word| word == "--");
    let arguments = Arguments::parse_from(
        words
            .into_iter()
            .enumerate()
            .filter(|(position, _)| *position != 1 || !is_separator)
            .map(|(_, word)| word),
    );
    match perform(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(fault) if output::is_closed(&*fault) => ExitCode::from(exit::UNHEARD),
        Err(fault) => {
            output::note(format_args!("\ndemo: {fault:#}"));
            ExitCode::from(1)
        }
    }
}

fn perform(arguments: &Arguments) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        tokio::select! {
            // Dropping the story drops its children, and a dropped child is ended and waited for.
            outcome = story::tell(arguments) => outcome,
            () = snowball_service::shutdown::requested() => anyhow::bail!("stopped; all its programs were ended"),
        }
    })
}
