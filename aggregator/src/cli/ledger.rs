//! `aggregator ledger`: everything that was done, checkable by anyone with the public key.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use serde_json::json;
use snowball_crypto::VerifyingKey;
use snowball_ledger::{Entry, Expected, Filter, Record, Verified, VerifyError};
use snowball_protocol::{StudyName, ids::UnixSeconds};
use snowball_service::clock;
use snowball_web::Language;

use super::{Answer, Refused, read_key};
use crate::{
    home::{Home, read_text},
    journal,
};

/// Verify or show the ledger, or close its open file.
#[derive(Subcommand)]
pub enum LedgerVerb {
    /// Check every record, the chain and the signed checkpoints, offline
    Verify(Verify),
    /// Print the records, one a line
    Show(Show),
    /// Close the open file: it becomes an archive with a signed head of its own
    Rotate(Rotate),
}

/// Verifies the ledger.
#[derive(Args)]
#[command(
    after_help = "Example:\n  aggregator ledger verify\n  aggregator ledger verify --dir copy/ledger --key ledger.pub\n  aggregator ledger verify --heads north/ledger --heads south-heads"
)]
pub struct Verify {
    /// The ledger's folder, such as a copy; without it, this aggregator's
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The public key: base64, or a file that holds it; without it, this aggregator's
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Heads that others kept of it: a file of signed notes, a folder of `*.note`, or a site's ledger; again for more
    #[arg(long, value_name = "PATH")]
    heads: Vec<PathBuf>,
    /// A folder where archives lie that were moved out of the ledger's own; again for more
    #[arg(long, value_name = "DIR")]
    archive: Vec<PathBuf>,
}

/// Shows the ledger.
#[derive(Args)]
#[command(
    after_help = "Example:\n  aggregator ledger show --last 20\n  aggregator ledger show --since 2026-11-01 --kind update_admitted --study body-parts"
)]
pub struct Show {
    /// Only the newest of them
    #[arg(long, value_name = "COUNT")]
    last: Option<usize>,
    /// Only from this day (as UTC has it) or moment on
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<UnixSeconds>,
    /// Only this kind, such as update_admitted; again for more
    #[arg(long, value_parser = PossibleValuesParser::new(Entry::KINDS), hide_possible_values = true)]
    kind: Vec<String>,
    /// Only what is about this study
    #[arg(long)]
    study: Option<StudyName>,
    /// The language of the lines: en or fr
    #[arg(long, default_value_t)]
    language: Language,
}

/// Closes the open file.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator ledger rotate")]
pub struct Rotate {}

impl LedgerVerb {
    /// Runs one of them.
    pub fn run(&self, home: &Home) -> Result<Answer> {
        match self {
            Self::Verify(verb) => verb.run(home),
            Self::Show(verb) => verb.run(home),
            Self::Rotate(verb) => verb.run(home),
        }
    }
}

impl Verify {
    /// Exit code 3 where anything does not hold; a copy with a key needs no aggregator's folder.
    fn run(&self, home: &Home) -> Result<Answer> {
        let dir = self.dir.clone().unwrap_or_else(|| home.ledger_dir());
        let key: VerifyingKey = match &self.key {
            Some(key) => read_key(key)?,
            None => read_text(&home.existing()?.public_key_file())?
                .trim()
                .parse()
                .context("ledger.pub holds no key")?,
        };
        let mut expected = Expected {
            archives: self.archive.clone(),
            ..Expected::default()
        };
        let verdict = expected
            .keep(&dir, &key, &self.heads)
            .and_then(|_| snowball_ledger::verify_expecting(&dir, &key, &expected));
        Ok(match verdict {
            Ok(verified) => holds(&verified),
            Err(fault) => holds_not(&fault),
        })
    }
}

fn holds(verified: &Verified) -> Answer {
    let head = &verified.head;
    let mut text = format!("The ledger holds: {} records, head {}.", verified.entries, head.hash);
    if verified.unseen > 0 {
        text += &format!(
            "\nNot seen: the first {} records lie in archives that are not here; name their folder with --archive.",
            verified.unseen
        );
    }
    if verified.heads_found + verified.heads_unseen > 0 {
        text += &format!("\n{} heads that others kept are in it", verified.heads_found);
        text += &match verified.heads_unseen {
            0 => ".".to_owned(),
            open => format!("; {open} may be in the archives that are not here."),
        };
    }
    let json = json!({
        "holds": true, "head": head, "archives": verified.archives, "unseen": verified.unseen,
        "heads_found": verified.heads_found, "heads_unseen": verified.heads_unseen,
    });
    Answer::new(text, json)
}

fn holds_not(fault: &VerifyError) -> Answer {
    let json = json!({ "holds": false, "found": fault.to_string(), "code": fault.code() });
    Answer::refused(format!("The ledger does NOT hold: {fault} ({})", fault.code()), json)
}

impl Show {
    fn run(&self, home: &Home) -> Result<Answer> {
        let home = home.existing()?;
        let filter = Filter {
            since: self.since,
            kinds: self.kind.clone(),
            study: self.study.clone(),
        };
        let refused = |fault: snowball_ledger::LedgerError| Refused(fault.to_string());
        let (unseen, records) = snowball_ledger::records_at_hand(&home.ledger_dir()).map_err(refused)?;
        let taken = records.filter(|record| record.as_ref().map_or(true, |record| filter.takes(record)));
        let mut records: Vec<Record> = taken.collect::<Result<_, _>>().map_err(refused)?;
        if let Some(last) = self.last {
            records.drain(..records.len().saturating_sub(last));
        }
        let mut lines = Vec::with_capacity(records.len() + 1);
        if unseen > 0 {
            lines.push(format!("The first {unseen} records lie in archives that are not here."));
        }
        lines.extend(records.iter().map(|record| {
            let time = jiff::Timestamp::from_second(record.time)
                .map(|time| time.to_string())
                .unwrap_or_default();
            let words = match self.language {
                Language::English => record.describe(),
                Language::French => record.describe_in_french(),
            };
            format!("{:>6}  {time}  {words}", record.index)
        }));
        Ok(Answer::new(
            lines.join("\n"),
            json!({ "records": records, "unseen": unseen }),
        ))
    }
}

impl Rotate {
    fn run(&self, home: &Home) -> Result<Answer> {
        let home = home.existing()?;
        Ok(match journal::rotate(&home, clock::now())? {
            journal::Rotation::Asked => Answer::new("serve closes the file within a second.", json!({ "asked": true })),
            journal::Rotation::Closed(head) => Answer::new(
                format!(
                    "Closed: the archive ends with record {}.",
                    head.entries.saturating_sub(1)
                ),
                json!({ "closed": true, "head": head }),
            ),
            journal::Rotation::Nothing => Answer::new(
                "Nothing to close: the open file holds no record of its own.",
                json!({ "closed": false }),
            ),
        })
    }
}

/// A day as UTC has it, or a moment.
fn moment(text: &str) -> Result<UnixSeconds, String> {
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Ok(moment.as_second());
    }
    text.parse::<jiff::civil::Date>()
        .and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC))
        .map(|start| start.timestamp().as_second())
        .map_err(|_| "neither a day (2026-11-01) nor a moment (2026-11-01T08:00:00Z)".to_owned())
}
