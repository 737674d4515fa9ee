//! `audit`: evidence for an auditor, and the auditor's own check.

mod export;
mod french;
mod verify;

use anyhow::Result;
use clap::Subcommand;

use super::Context;

/// Hand evidence to an auditor, or check what all parties of a consortium handed out.
#[derive(Subcommand)]
pub enum Audit {
    Export(export::Export),
    Verify(verify::Verify),
}

impl Audit {
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Export(verb) => verb.run(context),
            Self::Verify(verb) => verb.run(context),
        }
    }
}
