//! `aggregator audit`: evidence for an auditor, and the auditor's own check.

mod export;
mod verify;

use anyhow::Result;
use clap::Subcommand;

use super::Answer;
use crate::home::Home;

/// Hand evidence to an auditor, or check what all parties handed out.
#[derive(Subcommand)]
pub enum Audit {
    /// Write everything that an auditor needs into a new folder: public keys, digests and counts, nothing of a patient
    Export(export::Export),
    /// Check the evidence of a whole consortium offline, with public keys only
    Verify(verify::Verify),
}

impl Audit {
    /// Runs one of them.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        match self {
            Self::Export(verb) => verb.run(home).await,
            Self::Verify(verb) => verb.run(),
        }
    }
}
