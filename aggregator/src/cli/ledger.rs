//! `aggregator ledger`: everything that was done, checkable by anyone with the public key.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde_json::json;
use snowball_crypto::VerifyingKey;

use super::{Answer, Refused, read_key};
use crate::home::{Home, read_text};

/// Verify or show the ledger.
#[derive(Subcommand)]
pub enum LedgerVerb {
    /// Check every record, the chain and the signed checkpoint, offline
    Verify(Verify),
    /// Print the records, one a line
    Show(Show),
}

/// Verifies the ledger.
#[derive(Args)]
#[command(
    after_help = "Example:\n  aggregator ledger verify\n  aggregator ledger verify --dir copy/ledger --key ledger.pub"
)]
pub struct Verify {
    /// The ledger's folder, such as a copy; without it, this aggregator's
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The public key: base64, or a file that holds it; without it, this aggregator's
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

/// Shows the ledger.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator ledger show --last 20")]
pub struct Show {
    /// Only the newest records
    #[arg(long, value_name = "COUNT")]
    last: Option<usize>,
}

impl LedgerVerb {
    /// Runs one of them.
    pub fn run(&self, home: &Home) -> Result<Answer> {
        match self {
            Self::Verify(verb) => verb.run(home),
            Self::Show(verb) => verb.run(home),
        }
    }
}

impl Verify {
    /// Exit code 3 where anything does not hold; a copy with a key needs no aggregator's folder.
    fn run(&self, home: &Home) -> Result<Answer> {
        let dir = self.dir.clone().unwrap_or_else(|| home.ledger_dir());
        let key: VerifyingKey = match &self.key {
            Some(key) => read_key(key)?,
            None => read_text(&Home::existing(home.dir())?.public_key_file())?
                .trim()
                .parse()
                .context("ledger.pub holds no key")?,
        };
        match snowball_ledger::verify(&dir, &key) {
            Ok(verified) => {
                let head = &verified.head;
                let text = format!("The ledger holds: {} records, head {}.", verified.entries, head.hash);
                Ok(Answer::new(text, json!({ "holds": true, "head": head })))
            }
            Err(error) => {
                let json = json!({ "holds": false, "found": error.to_string() });
                Ok(Answer::refused(format!("The ledger does NOT hold: {error}"), json))
            }
        }
    }
}

impl Show {
    fn run(&self, home: &Home) -> Result<Answer> {
        let home = Home::existing(home.dir())?;
        let records = snowball_ledger::read(&home.ledger_dir()).map_err(|error| Refused(error.to_string()))?;
        let from = self.last.map_or(0, |last| records.len().saturating_sub(last));
        let records = &records[from..];
        let lines: Vec<String> = records
            .iter()
            .map(|record| {
                let time = jiff::Timestamp::from_second(record.time)
                    .map(|time| time.to_string())
                    .unwrap_or_default();
                format!("{:>6}  {time}  {}", record.index, record.describe())
            })
            .collect();
        Ok(Answer::new(lines.join("\n"), json!({ "records": records })))
    }
}
