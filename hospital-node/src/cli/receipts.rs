//! `receipts`: what the aggregator signed about this site's updates.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use snowball_crypto::VerifyingKey;
use snowball_protocol::{RoundNumber, Sha256Digest, StudyName};
use snowball_service::files;

use super::{Context, Refused};
use crate::receipts::{self, Kept, PROOF_BYTES_MAX, Proof};

/// What the aggregator signed about this site's updates.
#[derive(Subcommand)]
pub enum Receipts {
    List(List),
    Show(Show),
    Verify(Verify),
}

/// One line for each update that was taken in.
#[derive(Args)]
#[command(after_help = "Example: hospital-node receipts list")]
pub struct List {
    /// Of this study alone.
    #[arg(long)]
    study: Option<StudyName>,
}

/// One receipt in full, beside what this site alone knows of the round.
#[derive(Args)]
#[command(after_help = "Example: hospital-node receipts show body-parts 3 --export receipt.json")]
pub struct Show {
    /// The study.
    study: StudyName,
    /// The round.
    round: u32,
    /// Also write what the aggregator signed, and nothing of the site's own numbers, for anybody to verify.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
}

/// Check receipts offline, by the aggregator's public key: those in this node's ledger, or one file.
#[derive(Args)]
#[command(after_help = "Example: hospital-node receipts verify receipt.json")]
pub struct Verify {
    /// A file that `receipts show --export` wrote; absent: every receipt of this node.
    file: Option<PathBuf>,
    /// The aggregator's public key, base64; absent: the one of this node's enrolment.
    #[arg(long)]
    key: Option<VerifyingKey>,
}

impl Receipts {
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::List(verb) => verb.run(context),
            Self::Show(verb) => verb.run(context),
            Self::Verify(verb) => verb.run(context),
        }
    }
}

impl List {
    fn run(self, context: &Context) -> Result<()> {
        let mut all = kept(context)?;
        all.retain(|kept| {
            self.study
                .as_ref()
                .is_none_or(|study| kept.receipt.receipt.study == *study)
        });
        context.print(&all, || {
            if all.is_empty() {
                return "no update of this site was taken in yet".to_owned();
            }
            let mut lines = vec![format!(
                "{:<24} {:>5}  {:<20} {:>10} {:>8}  {:<8}    {:<8}",
                "study", "round", "received", "bytes", "counted", "model", "became"
            )];
            lines.extend(all.iter().map(line));
            lines.join("\n")
        })
    }
}

impl Show {
    fn run(self, context: &Context) -> Result<()> {
        let found = kept(context)?
            .into_iter()
            .rfind(|kept| kept.is_of(&self.study, RoundNumber(self.round)));
        let Some(kept) = found else {
            bail!(
                "there is no receipt for round {} of {}; receipts list shows those that there are",
                self.round,
                self.study
            );
        };
        if let Some(path) = &self.export {
            let mut bytes = serde_json::to_vec_pretty(&kept.proof())?;
            bytes.push(b'\n');
            files::write_durable(path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let key = enrolled(context).ok();
        context.print(&kept, || told(&kept, key.as_ref()))
    }
}

impl Verify {
    fn run(self, context: &Context) -> Result<()> {
        let key = match self.key {
            Some(key) => key,
            None => enrolled(context).context("name the aggregator's public key with --key")?,
        };
        match &self.file {
            Some(path) => one(context, path, &key),
            None => all(context, &key),
        }
    }
}

fn one(context: &Context, path: &Path, key: &VerifyingKey) -> Result<()> {
    let bytes =
        files::read_bounded(path, PROOF_BYTES_MAX).with_context(|| format!("cannot read {}", path.display()))?;
    let proof = Proof::read(&bytes).and_then(|proof| proof.verify(key).map(|()| proof));
    let proof = proof.map_err(|fault| Refused(format!("{} does not verify: {fault}", path.display())))?;
    let document = serde_json::json!({
        "verified": true, "receipt": proof.receipt.receipt, "outcome": proof.outcome.as_ref().map(|signed| &signed.outcome),
    });
    context.print(&document, || {
        format!("sound: signed by {key}\n{}", lines_of(&proof).join("\n"))
    })
}

fn all(context: &Context, key: &VerifyingKey) -> Result<()> {
    let site = context.home()?.config()?.site;
    let all = kept(context)?;
    let mut faults = Vec::new();
    for kept in &all {
        let receipt = &kept.receipt.receipt;
        let mut fault = |reason: String| faults.push(format!("{} round {}: {reason}", receipt.study, receipt.round));
        if let Err(reason) = kept.proof().verify(key) {
            fault(reason.to_string());
        }
        if receipt.site != site {
            fault(format!("it is for the site {}", receipt.site));
        }
        if !kept.own.is_the_named_entry {
            fault(
                "this ledger has no entry that approved this update under the head that the receipt names".to_owned(),
            );
        }
    }
    if !faults.is_empty() {
        return Err(Refused(format!("not every receipt verifies: {}", faults.join("; "))).into());
    }
    let outcomes = all.iter().filter(|kept| kept.outcome.is_some()).count();
    let document = serde_json::json!({ "verified": true, "receipts": all.len(), "outcomes": outcomes });
    context.print(&document, || {
        format!(
            "sound: {} receipts, {outcomes} of them with what came of the round; each is signed by {key} and names the entry of \
             this ledger that let the update leave",
            all.len()
        )
    })
}

fn kept(context: &Context) -> Result<Vec<Kept>> {
    let records = snowball_ledger::read(&context.home()?.ledger()).context("cannot read the ledger")?;
    Ok(receipts::of(&records))
}

fn enrolled(context: &Context) -> Result<VerifyingKey> {
    Ok(context.home()?.aggregator()?.aggregator_key)
}

fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

fn line(kept: &Kept) -> String {
    let receipt = &kept.receipt.receipt;
    let out = kept.outcome.as_ref();
    format!(
        "{:<24} {:>5}  {:<20} {:>10} {:>8}  {:<8} -> {:<8}",
        receipt.study.to_string(),
        receipt.round.0,
        time(receipt.received),
        receipt.update_bytes,
        receipt.examples,
        receipt.model_in.short(),
        out.map_or_else(|| "not told".to_owned(), |signed| signed.outcome.model_out.short())
    )
}

/// What is signed, line by line.
fn lines_of(proof: &Proof) -> Vec<String> {
    let receipt = &proof.receipt.receipt;
    let row = |name: &str, value: String| format!("  {name:<16} {value}");
    let digest = |name: &str, digest: &Sha256Digest| row(name, digest.to_string());
    let mut lines = vec![
        row("study, round", format!("{}, {}", receipt.study, receipt.round)),
        row("site, attempt", format!("{}, {}", receipt.site, receipt.attempt.0)),
        row("received", time(receipt.received)),
        digest("plan", &receipt.plan_digest),
        digest("policy", &receipt.policy_digest),
        digest("update", &receipt.update_digest),
        row("its size", format!("{} bytes", receipt.update_bytes)),
        row("counted as", format!("{} radiographs", receipt.examples)),
        digest("site's ledger", &receipt.ledger_head),
        digest("model in", &receipt.model_in),
    ];
    match &proof.outcome {
        Some(signed) => {
            lines.push(digest("model out", &signed.outcome.model_out));
            let count = signed.outcome.contributions;
            lines.push(row(
                "made of",
                format!("{count} updates, {}", time(signed.outcome.closed)),
            ));
        }
        None => lines.push(row("model out", "not told: the round had not ended".to_owned())),
    }
    lines
}

fn told(kept: &Kept, key: Option<&VerifyingKey>) -> String {
    let own = &kept.own;
    let proof = kept.proof();
    let verdict = match key.map(|key| (key, proof.verify(key))) {
        Some((key, Ok(()))) => format!("signed by the aggregator, whose key is {key}"),
        Some((_, Err(fault))) => format!("DOES NOT VERIFY: {fault}"),
        None => "not checked: this node knows no aggregator's key".to_owned(),
    };
    let mut lines = vec![format!("receipt, {verdict}")];
    lines.extend(lines_of(&proof));
    let reasons: Vec<String> = own
        .excluded
        .iter()
        .map(|(reason, count)| format!("{} {count}", reason.code().replace('_', " ")))
        .collect();
    let excluded = if reasons.is_empty() {
        "none".to_owned()
    } else {
        reasons.join(", ")
    };
    let row = |name: &str, value: String| format!("  {name:<16} {value}");
    lines.extend([
        "\nthis site's own numbers, which are in no receipt and were not sent with it".to_owned(),
        row(
            "permitted by",
            match (&own.clause, own.approved_at) {
                (Some(clause), Some(index)) => format!("{clause}, entry {index} of the ledger"),
                _ => "no entry of this ledger".to_owned(),
            },
        ),
        row(
            "dataset",
            own.dataset_digest
                .map_or_else(|| "not in this ledger".to_owned(), |digest| digest.to_string()),
        ),
        row(
            "radiographs",
            format!(
                "{} to train, {} to validate, {} to test; {} were trained on",
                own.training,
                own.validation,
                own.testing,
                own.trained_on
                    .map_or_else(|| "an unknown number".to_owned(), |count| count.to_string())
            ),
        ),
        row("taken in", format!("{} files until then", own.accepted)),
        row("excluded", excluded),
        row("released", format!("{} of them, after a person looked", own.released)),
        row("withdrawn", format!("{} radiographs", own.withdrawn)),
        row("measurements", format!("{} bytes went along", own.metrics_bytes)),
        row(
            "privacy loss",
            "not counted: no noise is added in this version".to_owned(),
        ),
    ]);
    lines.join("\n")
}
