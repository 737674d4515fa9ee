//! `aggregator release`: what a consortium publishes.

mod create;
mod export;
mod list;
mod verify;

use anyhow::Result;
use clap::Subcommand;

use super::Answer;
use crate::home::Home;

/// Make, list, verify and publish releases.
#[derive(Subcommand)]
pub enum Release {
    /// Write the final model of a study with its card and signed lineage into a new folder
    Create(create::Create),
    /// List what was released, and what each began from
    List(list::List),
    /// Check a release offline with the aggregator's public key
    Verify(verify::Verify),
    /// Write a folder for a web server: releases, a page for each, and a page that lists them
    Export(export::Export),
}

impl Release {
    /// Runs one of them.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        match self {
            Self::Create(verb) => verb.run(home).await,
            Self::List(verb) => verb.run(home).await,
            Self::Verify(verb) => verb.run(),
            Self::Export(verb) => verb.run(),
        }
    }
}
