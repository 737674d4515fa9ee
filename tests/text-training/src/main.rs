//! Trains, shows and measures the networks of `snowball-text`. A tool of the project's own developers: no node needs it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod adam;
mod background;
mod backward;
mod card;
mod letters;
mod preview;
mod sample;
mod train;
mod words;
mod writing;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};
use snowball_service::{output, say};

use crate::train::{Task, train};

#[derive(Parser)]
#[command(about = "Trains, shows and measures the networks that find and read text in radiographs")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Writes a sheet of training pictures, text marked, for people to look at.
    Preview {
        /// A PNG file.
        out: PathBuf,
        /// Which pictures.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Trains the detector.
    Detector {
        /// Where the weights go.
        out: PathBuf,
        /// Batches of eight pictures.
        #[arg(long, default_value_t = 12_000)]
        steps: usize,
        /// The same seed gives the same weights.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Goes on from these weights.
        #[arg(long)]
        from: Option<PathBuf>,
    },
    /// Trains the proposer, which says where the detector has to look.
    Proposer {
        /// Where the weights go.
        out: PathBuf,
        /// Batches of eight pictures.
        #[arg(long, default_value_t = 4_000)]
        steps: usize,
        /// The same seed gives the same weights.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Measures the built-in weights and writes the card.
    Card {
        /// The card; what stands there on real radiographs is kept.
        out: PathBuf,
        /// Pictures with text, and as many without.
        #[arg(long, default_value_t = 150)]
        count: u32,
        /// Which pictures.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Prints the digests of weights as the manifest holds them.
    Manifest {
        /// Weights of the detector.
        detector: PathBuf,
        /// Weights of the reader.
        reader: PathBuf,
        /// Weights of the proposer.
        proposer: PathBuf,
        /// Weights of the reader of words.
        words: PathBuf,
    },
    /// Prints how far words of the list, words nearly on it and others are from being read: for choosing thresholds.
    Scan {
        /// Weights of the reader of words.
        weights: PathBuf,
        /// Words of each kind.
        #[arg(long, default_value_t = 300)]
        count: usize,
        /// Which words.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Trains the reader of words.
    Words {
        /// Where the weights go.
        out: PathBuf,
        /// Batches of 24 words.
        #[arg(long, default_value_t = 4_000)]
        steps: usize,
        /// The same seed gives the same weights.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Trains the reader of letters that stand alone.
    Reader {
        /// Where the weights go.
        out: PathBuf,
        /// Batches of 64 letters.
        #[arg(long, default_value_t = 4_000)]
        steps: usize,
        /// The same seed gives the same weights.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

fn main() -> ExitCode {
    match perform() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) if output::is_closed(&*fault) => ExitCode::from(output::CLOSED_EXIT_CODE),
        Err(fault) => {
            output::note(format_args!("text-training: {fault:#}"));
            ExitCode::from(1)
        }
    }
}

fn perform() -> Result<()> {
    match Arguments::parse().verb {
        Verb::Preview { out, seed } => preview::sheet(&out, seed),
        Verb::Card { out, count, seed } => card::card(&out, count, seed),
        Verb::Manifest {
            detector,
            reader,
            proposer,
            words,
        } => {
            let files = [
                ("detector", detector),
                ("reader", reader),
                ("proposer", proposer),
                ("words", words),
            ];
            for (name, path) in files {
                say!(
                    "[{name}]\ndigest = \"{}\"",
                    snowball_protocol::Sha256Digest::of(&std::fs::read(path)?)
                )?;
            }
            Ok(())
        }
        Verb::Scan { weights, count, seed } => words::scan(&weights, count, seed),
        Verb::Words { out, steps, seed } => words::reader(steps, seed, &out),
        Verb::Reader { out, steps, seed } => letters::reader(steps, seed, &out),
        Verb::Detector { out, steps, seed, from } => train(Task::Detector, steps, seed, from.as_deref(), &out),
        Verb::Proposer { out, steps, seed } => train(Task::Proposer, steps, seed, None, &out),
    }
}
