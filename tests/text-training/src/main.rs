//! Trains, shows and measures the networks of `snowball-text`. A tool of the project's own developers: no node needs it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod adam;
mod background;
mod backward;
mod card;
mod course;
mod judging;
mod letters;
mod misses;
mod preview;
mod sample;
mod train;
mod words;
mod writing;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use clap::{Parser, Subcommand};
use snowball_service::{exit, output, say};
use snowball_text::{Searcher, markers::Markers};

use crate::{
    course::{Course, train},
    judging::Judging,
    letters::Letters,
    train::{Pictures, Task},
    words::Words,
    writing::Fonts,
};

#[derive(Parser)]
#[command(about = "Trains, shows and measures the networks that find and read text in radiographs")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    /// A folder of fonts, laid out as Debian does.
    #[arg(long, global = true, default_value = writing::ROOT)]
    fonts: PathBuf,
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
    /// Trains the detector, on batches of 16 pictures.
    Detector(Course),
    /// Trains the proposer, which says where the detector has to look, on batches of 16 pictures.
    Proposer(Course),
    /// Trains the judge of what the detector found, on batches of 16 pictures.
    Judge(Course),
    /// Trains the reader of words, on batches of 24 words.
    Words(Course),
    /// Trains the reader of letters that stand alone, on batches of 64 letters.
    Reader(Course),
    /// Measures weights and writes the card.
    Card {
        /// The card; what stands there on real radiographs is kept.
        out: PathBuf,
        /// Pictures with text, and as many without.
        #[arg(long, default_value_t = 150)]
        count: u32,
        /// Which pictures.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// A folder of weights to measure instead of the built-in ones.
        #[arg(long)]
        weights: Option<PathBuf>,
    },
    /// Prints what the search leaves and what it takes for writing, and draws it for people to look at.
    Misses {
        /// A PNG file.
        out: PathBuf,
        /// Single lines, and pictures with and without text.
        #[arg(long, default_value_t = 400)]
        count: u32,
        /// Which.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// A folder of weights to measure instead of the built-in ones.
        #[arg(long)]
        weights: Option<PathBuf>,
    },
    /// Prints the digests of weights as the manifest holds them.
    Manifest {
        /// Weights of the detector.
        detector: PathBuf,
        /// Weights of the judge.
        judge: PathBuf,
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
}

fn main() -> ExitCode {
    match perform() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) if output::is_closed(&*fault) => ExitCode::from(exit::UNHEARD),
        Err(fault) => {
            output::note(format_args!("text-training: {fault:#}"));
            ExitCode::from(1)
        }
    }
}

fn perform() -> Result<()> {
    let Arguments { verb, fonts } = Arguments::parse();
    if let Verb::Manifest {
        detector,
        judge,
        reader,
        proposer,
        words,
    } = &verb
    {
        return digests([
            ("detector", detector),
            ("judge", judge),
            ("reader", reader),
            ("proposer", proposer),
            ("words", words),
        ]);
    }
    let fonts = &Fonts::read(&fonts)?;
    let pictures = |task| Pictures { task, fonts };
    match verb {
        Verb::Preview { out, seed } => preview::sheet(fonts, &out, seed),
        Verb::Card {
            out,
            count,
            seed,
            weights,
        } => card::card(&searcher(weights.as_deref())?, fonts, &out, count, seed),
        Verb::Misses {
            out,
            count,
            seed,
            weights,
        } => misses::misses(&searcher(weights.as_deref())?, fonts, &out, count, seed),
        Verb::Scan { weights, count, seed } => words::scan(fonts, &weights, count, seed),
        Verb::Detector(course) => train(&pictures(Task::Detector), &course),
        Verb::Proposer(course) => train(&pictures(Task::Proposer), &course),
        Verb::Reader(course) => train(&Letters { fonts }, &course),
        Verb::Judge(course) => {
            let searcher = Searcher::new(Markers::standard());
            train(&Judging { fonts, searcher }, &course)
        }
        Verb::Words(course) => {
            let listed = Markers::standard();
            train(&Words { fonts, listed }, &course)
        }
        Verb::Manifest { .. } => Ok(()),
    }
}

/// The search with the weights of a folder, or with those that are built in.
fn searcher(weights: Option<&Path>) -> Result<Searcher> {
    Ok(match weights {
        Some(folder) => Searcher::with(course::networks(folder)?, Markers::standard()),
        None => Searcher::new(Markers::standard()),
    })
}

fn digests(files: [(&str, &PathBuf); 5]) -> Result<()> {
    for (name, path) in files {
        let digest = snowball_protocol::Sha256Digest::of(&std::fs::read(path)?);
        say!("[{name}]\ndigest = \"{digest}\"")?;
    }
    Ok(())
}
