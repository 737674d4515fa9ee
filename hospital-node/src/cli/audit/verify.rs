//! `audit verify`: the auditor's check. It needs no node.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use snowball_audit::Keys;
use snowball_protocol::limits::JSON_BYTES_MAX;
use snowball_service::files;
use snowball_web::Language;

use super::french;
use crate::cli::{Context, Refused};

/// Check the evidence of a whole consortium offline, with public keys only.
///
/// The keys file holds the public keys as they were written down when the consortium was founded, never taken from the evidence.
#[derive(Args)]
#[command(
    after_help = "Example: hospital-node audit verify evidence/aggregator evidence/north --keys keys.toml --language fr"
)]
pub struct Verify {
    /// The folders that the aggregator and the sites exported.
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    /// The public keys, as docs/auditing.md shows them.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// The language of the answer: en or fr. Notes, and places and details of findings, are in English.
    #[arg(long, default_value_t)]
    language: Language,
}

impl Verify {
    pub fn run(self, context: &Context) -> Result<()> {
        let text = files::read_bounded(&self.keys, JSON_BYTES_MAX)
            .with_context(|| format!("cannot read {}", self.keys.display()))?;
        let keys = Keys::parse(&String::from_utf8_lossy(&text))
            .with_context(|| format!("{} cannot be used", self.keys.display()))?;
        let outcome = snowball_audit::audit(&self.folders, &keys);
        let (lines, refusal) = match self.language {
            Language::English => (outcome.lines(), "the evidence is not sound"),
            Language::French => (french::lines(&outcome), "les preuves ne sont pas en ordre"),
        };
        context.print(&outcome, || lines.join("\n"))?;
        if outcome.sound {
            Ok(())
        } else {
            Err(Refused(refusal.to_owned()).into())
        }
    }
}
