//! `selftest`: made-up radiographs with planted identifiers through both ways, scored by the checks of MIDI-B.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use indicatif::ProgressBar;
use snowball_confidentiality::Profile;
use snowball_ledger::Entry;
use snowball_protocol::{Sha256Digest, limits::POLICY_BYTES_MAX};
use snowball_service::{clock, files, progress};

use super::{Context, Refused};
use crate::{
    home::Home,
    page, policy,
    selftest::{self, Outcome, Progress, Wish},
};

/// Test de-identification and intake on made-up radiographs with planted identifiers. No patient's file is read. Exit code 3
/// where a removal or consistency check does not hold.
#[derive(Args)]
#[command(after_help = "Example: hospital-node selftest --files 600 --seed 7 --report selftest.html")]
pub struct Selftest {
    /// About how many files to make; 48 at least.
    #[arg(long, default_value_t = 240, value_parser = clap::value_parser!(u64).range(selftest::FILES_MIN..=1_000_000))]
    files: u64,
    /// Which files: the same seed makes the same ones.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// The rules of this policy file, signed or not; absent: of the policy in force, or where there is none the strictest.
    #[arg(long)]
    policy: Option<PathBuf>,
    /// Also write a page to print or to hand to the board.
    #[arg(long)]
    report: Option<PathBuf>,
}

impl Selftest {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = Home::at(&context.root);
        let (profile, digest) = self.profile(&home)?;
        let wish = Wish {
            seed: self.seed,
            files: self.files,
            profile,
            policy: digest,
        };
        let folder = tempfile::tempdir().context("cannot make a folder to test in")?;
        let outcome = selftest::run(&wish, folder.path(), &Progress(&step_bar), clock::now())?;
        // The last one is kept for the board's report.
        if home.config_file().exists() {
            keep(&home, &outcome)?;
        }
        if let Some(path) = &self.report {
            let page = page::selftest(&outcome)?;
            files::write_durable(path, page.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
        }
        context.print(&outcome, || table(&outcome))?;
        if outcome.passed {
            Ok(())
        } else {
            let fault = "the self-test failed: somebody would stay known, or what belongs together would part; do not hand \
                         anything out under these rules";
            Err(Refused(fault.to_owned()).into())
        }
    }

    fn profile(&self, home: &Home) -> Result<(Profile, Option<Sha256Digest>)> {
        if let Some(path) = &self.policy {
            let bytes = files::read_bounded(path, POLICY_BYTES_MAX)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let text = str::from_utf8(&bytes).context("the policy is not UTF-8 text")?;
            let policy = snowball_policy::parse(text).with_context(|| format!("{} is no policy", path.display()))?;
            return Ok((policy.confidentiality(), Some(Sha256Digest::of(&bytes))));
        }
        Ok(policy::in_force(home).map_or_else(
            |_| (Profile::default(), None),
            |signed| (signed.policy.confidentiality(), Some(signed.digest)),
        ))
    }
}

fn keep(home: &Home, outcome: &Outcome) -> Result<()> {
    let config = home.config()?;
    let ledger = home.open_ledger(&config)?;
    files::create_home(&home.evidence())?;
    files::write_private(&home.last_selftest(), &serde_json::to_vec(outcome)?)?;
    let entry = Entry::SelftestFinished {
        seed: outcome.seed,
        files: outcome.files,
        policy_digest: outcome.policy_digest,
        passed: outcome.passed,
    };
    ledger
        .lock()
        .map_err(|_| anyhow::anyhow!("the ledger is in use"))?
        .append(clock::now(), entry)?;
    Ok(())
}

/// A bar over the files of one step of a self-test.
pub(super) fn step_bar(step: &'static str, count: u64) -> ProgressBar {
    progress::bar("files", count).with_message(step)
}

fn table(outcome: &Outcome) -> String {
    let scores = &outcome.scores;
    let under = outcome.policy_digest.map_or_else(
        || "the strictest profile".to_owned(),
        |digest| format!("policy {}", digest.short()),
    );
    let mut lines = vec![
        format!(
            "{} made-up files of seed {}, PS3.15 {} under {under} ({})\n",
            outcome.files,
            outcome.seed,
            outcome.edition,
            if outcome.options.is_empty() {
                "no option".to_owned()
            } else {
                outcome.options.join(", ")
            }
        ),
        format!(
            "{:<9} {:<18} {:>8} {:>8} {:>9}  interval (95 %)",
            "way", "check", "expected", "right", "share"
        ),
    ];
    for row in &scores.rows {
        lines.push(format!(
            "{:<9} {:<18} {:>8} {:>8} {:>8.3}%  {:.3} to {:.3}%{}",
            row.way,
            row.check.text(),
            row.expected,
            row.right,
            row.share * 100.0,
            row.low * 100.0,
            row.high * 100.0,
            if row.must_hold && row.right < row.expected {
                "  FAILED"
            } else {
                ""
            }
        ));
        lines.extend(
            row.failures
                .iter()
                .map(|(place, count)| format!("{:>28}  {count} at {place}", "")),
        );
    }
    lines.push(format!(
        "\nexpected actions in all: {} of {} right, {:.3}%",
        scores.right,
        scores.expected,
        scores.share * 100.0
    ));
    lines.push(format!(
        "known identifiers in a full re-read of {} files ({} bytes, {} texts searched for): {}",
        outcome.reread.files,
        outcome.reread.bytes,
        outcome.reread.texts,
        outcome.reread.found.values().sum::<u64>()
    ));
    lines.extend(
        outcome
            .reread
            .found
            .iter()
            .map(|(place, count)| format!("{count:>8}  {place}")),
    );
    lines.push(format!(
        "sound files that a person must see: {} as DICOM, {} for training, of {}",
        scores.sound_not_written, scores.sound_not_taken_in, scores.sound
    ));
    lines.push(format!(
        "unfit files that came through: {} as DICOM, {} for training, of {}",
        scores.unfit_written, scores.unfit_taken_in, scores.unfit
    ));
    lines.push(format!(
        "\n{} in {:.1} s",
        if outcome.passed { "passed" } else { "FAILED" },
        outcome.seconds
    ));
    lines.join("\n")
}
