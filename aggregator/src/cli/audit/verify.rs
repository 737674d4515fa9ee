//! `aggregator audit verify`: the auditor's check. It needs no aggregator's folder.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use snowball_audit::Keys;

use crate::{cli::Answer, home::read_text};

/// Checks the evidence of a whole consortium.
#[derive(Args)]
#[command(
    after_help = "Example:\n  aggregator audit verify evidence/aggregator evidence/north --keys keys.toml\n\n\
    keys.toml holds the public keys as they were written down when the sites joined, never taken from the evidence:\n\n  \
    aggregator = \"BASE64\"\n  ca = [\"sha256:...\"]\n\n  [sites.north]\n  ledger = \"BASE64\"\n  ethics = [\"BASE64\"]"
)]
pub struct Verify {
    /// The folders that the aggregator and the sites exported
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    /// The public keys
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
}

impl Verify {
    /// Exit code 3 where anything does not hold.
    pub fn run(&self) -> Result<Answer> {
        let keys =
            Keys::parse(&read_text(&self.keys)?).with_context(|| format!("{} cannot be used", self.keys.display()))?;
        let outcome = snowball_audit::audit(&self.folders, &keys);
        let (text, json) = (outcome.lines().join("\n"), serde_json::to_value(&outcome)?);
        Ok(if outcome.sound {
            Answer::new(text, json)
        } else {
            Answer::refused(text, json)
        })
    }
}
