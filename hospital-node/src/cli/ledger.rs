//! `ledger`: what this node did, checked and told.

use std::{collections::VecDeque, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use snowball_crypto::VerifyingKey;
use snowball_ledger::{Entry, Expected, Filter, Record, Verified, VerifyError};
use snowball_protocol::{StudyName, ids::UnixSeconds};
use snowball_service::{clock, files, output};
use snowball_web::Language;

use super::{Context, Refused};

/// What this node did: check that nobody changed it, or read it.
#[derive(Subcommand)]
pub enum Ledger {
    /// Check every record, the chain and the signatures. Needs public keys only.
    #[command(after_help = "Example: hospital-node ledger verify")]
    Verify(Verify),
    /// Tell it line by line.
    #[command(after_help = "Example: hospital-node ledger show --since 2026-11-01 --study body-parts")]
    Show(Show),
    /// Close the open file: it becomes an archive with a signed head of its own.
    #[command(after_help = "Example: hospital-node ledger rotate")]
    Rotate,
    /// Write the aggregator's signed heads that this node kept as notes, for whoever compares them with others'.
    #[command(after_help = "Example: hospital-node ledger heads --out heads-of-the-aggregator")]
    Heads {
        /// A folder that does not exist yet.
        #[arg(long)]
        out: PathBuf,
    },
}

#[derive(Args)]
pub struct Verify {
    /// A ledger's folder; absent: this node's.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// The public key of its owner, base64; absent: this node's.
    #[arg(long)]
    key: Option<VerifyingKey>,
    /// Heads that others kept of it: a file of signed notes, a folder of `*.note`, or the other side's ledger. Again for more.
    #[arg(long, value_name = "PATH")]
    heads: Vec<PathBuf>,
    /// A folder where archives lie that were moved out of the ledger's own. Again for more.
    #[arg(long, value_name = "FOLDER")]
    archive: Vec<PathBuf>,
}

#[derive(Args)]
pub struct Show {
    /// Only so many, the newest; absent: all.
    #[arg(long, value_name = "COUNT")]
    last: Option<usize>,
    /// Only from this day (2026-11-01, as UTC has it) or moment (2026-11-01T08:00:00Z) on.
    #[arg(long, value_parser = moment)]
    since: Option<UnixSeconds>,
    /// Only this kind, such as `update_approved`. Again for more.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(Entry::KINDS), hide_possible_values = true)]
    kind: Vec<String>,
    /// Only what is about this study.
    #[arg(long)]
    study: Option<StudyName>,
    /// The language of the lines: en or fr.
    #[arg(long, default_value_t)]
    language: Language,
}

impl Ledger {
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Verify(verify) => verify.run(context),
            Self::Show(show) => show.run(context),
            Self::Rotate => rotate(context),
            Self::Heads { out } => heads(context, &out),
        }
    }
}

impl Verify {
    fn run(self, context: &Context) -> Result<()> {
        let folder = match self.folder {
            Some(folder) => folder,
            None => context.home()?.ledger(),
        };
        let key = match self.key {
            Some(key) => key,
            None => {
                let home = context.home()?;
                home.read_text(&home.ledger_public_key())?
                    .trim()
                    .parse()
                    .context("the ledger's public key does not parse")?
            }
        };
        let refused = |fault: VerifyError| {
            let code = fault.code();
            Refused(format!(
                "the ledger in {} does not verify: {fault} ({code})",
                folder.display()
            ))
        };
        let mut expected = Expected {
            archives: self.archive,
            ..Expected::default()
        };
        expected.keep(&folder, &key, &self.heads).map_err(&refused)?;
        let verified = snowball_ledger::verify_expecting(&folder, &key, &expected).map_err(refused)?;
        context.print(&document(&verified), || words(&verified))
    }
}

fn document(verified: &Verified) -> serde_json::Value {
    serde_json::json!({
        "verified": true, "owner": verified.head.owner, "entries": verified.entries, "head": verified.head.hash,
        "kinds": verified.counts, "archives": verified.archives, "unseen": verified.unseen,
        "heads_found": verified.heads_found, "heads_unseen": verified.heads_unseen,
    })
}

fn words(verified: &Verified) -> String {
    let mut words = format!(
        "sound: {} entries of {}, head {}",
        verified.entries, verified.head.owner, verified.head.hash
    );
    if verified.unseen > 0 {
        words += &format!(
            "\nnot seen: the first {} entries lie in archives that are not here; name their folder with --archive",
            verified.unseen
        );
    }
    if verified.heads_found + verified.heads_unseen > 0 {
        words += &format!("\n{} heads that others kept are in it", verified.heads_found);
    }
    if verified.heads_unseen > 0 {
        words += &format!("; {} may be in the archives that are not here", verified.heads_unseen);
    }
    words
}

impl Show {
    fn run(self, context: &Context) -> Result<()> {
        let filter = Filter {
            since: self.since,
            kinds: self.kind,
            study: self.study,
        };
        let folder = context.home()?.ledger();
        let (unseen, records) = snowball_ledger::records_at_hand(&folder).context("cannot read the ledger")?;
        if unseen > 0 {
            output::note(format_args!(
                "the first {unseen} entries lie in archives that are not here"
            ));
        }
        // The newest so far, where only these are wanted; a long ledger is never held whole.
        let mut newest = VecDeque::new();
        for record in records {
            let record = record.context("cannot read the ledger")?;
            if !filter.takes(&record) {
                continue;
            }
            let Some(last) = self.last else {
                tell(context, &record, self.language)?;
                continue;
            };
            newest.push_back(record);
            if newest.len() > last {
                newest.pop_front();
            }
        }
        newest
            .iter()
            .try_for_each(|record| tell(context, record, self.language))
    }
}

fn tell(context: &Context, record: &Record, language: Language) -> Result<()> {
    if context.json {
        output::line(serde_json::to_string(record)?)?;
        return Ok(());
    }
    let time =
        jiff::Timestamp::from_second(record.time).map_or_else(|_| record.time.to_string(), |time| time.to_string());
    let words = match language {
        Language::English => record.describe(),
        Language::French => record.describe_in_french(),
    };
    snowball_service::say!("{:>6}  {time}  {words}", record.index)?;
    Ok(())
}

fn rotate(context: &Context) -> Result<()> {
    let home = context.home()?;
    let ledger = home.open_ledger(&home.config()?)?;
    let closed = ledger
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .rotate(clock::now())
        .context("cannot close the ledger's open file")?;
    let document = serde_json::json!({ "closed": closed.is_some(), "head": closed });
    context.print(&document, || match &closed {
        Some(head) => format!(
            "closed: the archive ends with entry {}, head {}",
            head.entries - 1,
            head.hash
        ),
        None => "nothing to close: the open file holds no entry of its own".to_owned(),
    })
}

fn heads(context: &Context, out: &std::path::Path) -> Result<()> {
    let home = context.home()?;
    let key = home.aggregator()?.aggregator_key;
    let kept = snowball_ledger::kept_heads(&home.ledger(), snowball_ledger::AGGREGATOR, &key)
        .context("cannot read the heads that this ledger keeps")?;
    anyhow::ensure!(!out.exists(), "{} exists already; name a new folder", out.display());
    files::create_home(out)?;
    for (place, signed) in kept.signed.iter().enumerate() {
        files::write_private(&out.join(format!("{place:06}.note")), signed.note.as_bytes())?;
    }
    context.print(&serde_json::json!({ "heads": kept.signed.len() }), || {
        format!(
            "{} heads of the aggregator's ledger are in {}",
            kept.signed.len(),
            out.display()
        )
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_and_a_moment_is_taken_as_it_is() {
        assert_eq!(moment("2026-11-01"), Ok(1_793_491_200));
        assert_eq!(moment("2026-11-01T00:00:01Z"), Ok(1_793_491_201));
        assert!(moment("yesterday").is_err());
    }
}
