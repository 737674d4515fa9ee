//! The command line: one file a verb. Exit codes: `snowball_service::exit`, with a page in `docs/exit-codes.md`.

mod alone;
mod audit;
mod backup;
pub(crate) mod batch;
mod census;
mod compare;
mod completions;
mod contact_sheet;
mod dashboard;
pub(crate) mod decoding;
pub(crate) mod deidentify;
mod doctor;
mod ears;
mod enroll;
mod evaluate;
mod export;
mod finetune;
pub(crate) mod ingest;
pub(crate) mod init;
mod kept_model;
mod keys;
mod labels;
mod ledger;
mod levels;
mod linkage;
mod man;
mod masks;
mod phantoms;
mod policy;
mod predict;
mod pretrain;
mod pull;
mod quarantine;
mod receipts;
mod receive;
mod recipes;
mod reconstruct;
mod renew;
mod report;
mod restore;
mod retention;
mod retrieve;
pub(crate) mod review;
mod run;
mod segment;
mod selftest;
mod spooled;
mod stop;
mod study;
mod watch;
mod withdraw;
pub(crate) mod words;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{CommandFactory as _, Parser, Subcommand};
use snowball_service::{exit, keys::PassphraseSource, output};

use crate::home::Home;

/// How this program is called.
const PROGRAM: &str = "hospital-node";

/// A hospital's node: takes in radiographs, de-identifies them, keeps them on site, trains on them and lets out what the
/// site's policy names.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 done, 1 fault, 2 wrong usage, 3 refused or not verified, 141 nobody reads on.\n\n\
                  Example: hospital-node --home /var/lib/snowball ingest /mnt/radiographs"
)]
struct Arguments {
    /// The node's folder.
    #[arg(
        long,
        global = true,
        env = "SNOWBALL_NODE_HOME",
        default_value = "hospital-node-home"
    )]
    home: PathBuf,
    /// JSON on standard output, for programs.
    #[arg(long, global = true)]
    json: bool,
    /// A file, mode 600, with the passphrase of the keys.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "passphrase_fd")]
    passphrase_file: Option<PathBuf>,
    /// A descriptor that this command was given, with the passphrase of the keys.
    #[arg(long, global = true, value_name = "NUMBER")]
    passphrase_fd: Option<u32>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Init(init::Init),
    Doctor(doctor::Doctor),
    Enroll(enroll::Enroll),
    #[command(subcommand)]
    Policy(policy::Policy),
    Ingest(ingest::Ingest),
    Watch(watch::Watch),
    Receive(receive::Receive),
    Retrieve(retrieve::Retrieve),
    Pull(pull::Pull),
    Deidentify(deidentify::Deidentify),
    Selftest(selftest::Selftest),
    Phantoms(phantoms::Phantoms),
    Census(census::Census),
    Dashboard(dashboard::Dashboard),
    #[command(subcommand)]
    Labels(labels::Labels),
    #[command(subcommand)]
    Masks(masks::Masks),
    #[command(subcommand)]
    Quarantine(quarantine::Quarantine),
    #[command(subcommand)]
    Review(review::Review),
    #[command(subcommand)]
    Study(study::Study),
    #[command(subcommand)]
    Report(report::Report),
    Retention(retention::Retention),
    Withdraw(withdraw::Withdraw),
    #[command(subcommand)]
    Linkage(linkage::Linkage),
    ContactSheet(contact_sheet::ContactSheet),
    #[command(subcommand)]
    Recipes(recipes::Recipes),
    Run(run::Run),
    Renew(renew::Renew),
    #[command(subcommand)]
    Keys(keys::Keys),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Pretrain(pretrain::Pretrain),
    Compare(Box<compare::Compare>),
    Finetune(Box<finetune::Finetune>),
    Evaluate(evaluate::Evaluate),
    Predict(predict::Predict),
    Export(export::Export),
    Reconstruct(reconstruct::Reconstruct),
    Segment(segment::Segment),
    #[command(subcommand)]
    Receipts(receipts::Receipts),
    #[command(subcommand)]
    Ledger(ledger::Ledger),
    #[command(subcommand)]
    Audit(audit::Audit),
    Completions(completions::Completions),
    Man(man::Man),
}

/// What every verb gets.
pub struct Context {
    /// The node's folder, which may not exist yet.
    pub root: PathBuf,
    /// Whether a program reads along.
    pub json: bool,
    /// Where the passphrase of the keys comes from.
    pub passphrase: PassphraseSource,
}

impl Context {
    /// The node's folder, which must exist.
    pub fn home(&self) -> Result<Home> {
        Ok(Home::existing(&self.root)?.with_passphrase(self.passphrase.clone()))
    }

    /// Prints one document: as JSON, or as `text` for people.
    pub fn print(&self, document: &impl serde::Serialize, text: impl FnOnce() -> String) -> Result<()> {
        if self.json {
            output::line(serde_json::to_string(document)?)?;
        } else {
            output::line(text())?;
        }
        Ok(())
    }
}

/// Something was refused or did not verify: exit code 3.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// Runs the program.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    snowball_service::telemetry::start("hospital-node", arguments.json);
    let context = Context {
        root: arguments.home,
        json: arguments.json,
        passphrase: match (arguments.passphrase_file, arguments.passphrase_fd) {
            (Some(file), _) => PassphraseSource::File(file),
            (None, Some(number)) => PassphraseSource::Descriptor(number),
            (None, None) => PassphraseSource::Found,
        },
    };
    let outcome = match arguments.verb {
        Verb::Init(verb) => verb.run(&context),
        Verb::Doctor(verb) => verb.run(&context),
        Verb::Enroll(verb) => verb.run(&context),
        Verb::Renew(verb) => verb.run(&context),
        Verb::Keys(verb) => verb.run(&context),
        Verb::Backup(verb) => verb.run(&context),
        Verb::Restore(verb) => verb.run(&context),
        Verb::Policy(verb) => verb.run(&context),
        Verb::Ingest(verb) => verb.run(&context),
        Verb::Watch(verb) => verb.run(&context),
        Verb::Receive(verb) => verb.run(&context),
        Verb::Retrieve(verb) => verb.run(&context),
        Verb::Pull(verb) => verb.run(&context),
        Verb::Deidentify(verb) => verb.run(&context),
        Verb::Selftest(verb) => verb.run(&context),
        Verb::Phantoms(verb) => verb.run(&context),
        Verb::Census(verb) => verb.run(&context),
        Verb::Dashboard(verb) => verb.run(&context),
        Verb::Labels(verb) => verb.run(&context),
        Verb::Masks(verb) => verb.run(&context),
        Verb::Quarantine(verb) => verb.run(&context),
        Verb::Study(verb) => verb.run(&context),
        Verb::Report(verb) => verb.run(&context),
        Verb::Review(verb) => verb.run(&context),
        Verb::Retention(verb) => verb.run(&context),
        Verb::Withdraw(verb) => verb.run(&context),
        Verb::Linkage(verb) => verb.run(&context),
        Verb::ContactSheet(verb) => verb.run(&context),
        Verb::Recipes(verb) => verb.run(&context),
        Verb::Run(verb) => verb.run(&context),
        Verb::Pretrain(verb) => verb.run(&context),
        Verb::Compare(verb) => verb.run(&context),
        Verb::Finetune(verb) => verb.run(&context),
        Verb::Evaluate(verb) => verb.run(&context),
        Verb::Predict(verb) => verb.run(&context),
        Verb::Export(verb) => verb.run(&context),
        Verb::Reconstruct(verb) => verb.run(&context),
        Verb::Segment(verb) => verb.run(&context),
        Verb::Receipts(verb) => verb.run(&context),
        Verb::Ledger(verb) => verb.run(&context),
        Verb::Audit(verb) => verb.run(&context),
        Verb::Completions(verb) => verb.run(&context, Arguments::command()),
        Verb::Man(verb) => verb.run(&context, Arguments::command()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) if output::is_closed(&*fault) => ExitCode::from(exit::UNHEARD),
        Err(fault) => {
            output::note(format_args!("hospital-node: {fault:#}"));
            let is_refusal = fault.chain().any(refuses);
            ExitCode::from(if is_refusal { exit::REFUSED } else { exit::FAULT })
        }
    }
}

/// Whether the same is found when nothing but time has passed: exit code 3, on which no unit starts again.
fn refuses(cause: &(dyn std::error::Error + 'static)) -> bool {
    use snowball_egress::EgressError;
    use snowball_ledger::LedgerError;
    use snowball_store::StoreError;
    use snowball_vault::VaultError;

    let denied = matches!(
        cause.downcast_ref::<EgressError>(),
        Some(EgressError::Denied { .. } | EgressError::Refused(_) | EgressError::Stranger { .. })
    );
    // Of another version of this program, which is to be installed again.
    let of_another_version = matches!(
        cause.downcast_ref::<StoreError>(),
        Some(StoreError::Newer { .. } | StoreError::Unsealed { .. } | StoreError::Foreign { .. })
    ) || matches!(cause.downcast_ref::<VaultError>(), Some(VaultError::Foreign))
        || matches!(
            cause.downcast_ref::<LedgerError>(),
            Some(LedgerError::UnknownEntry { .. })
        );
    cause.is::<Refused>() || denied || of_another_version
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_in_the_documents_and_the_help_is_one_that_this_program_takes() {
        let documents = [
            include_str!("../../docs/operating.md"),
            include_str!("../../docs/research.md"),
            include_str!("../../docs/board.md"),
            include_str!("../../docs/installing.md"),
            include_str!("../../docs/auditing.md"),
            include_str!("../../docs/doctor.md"),
            include_str!("../../docs/exit-codes.md"),
            include_str!("../../../aggregator/docs/recipes.md"),
            include_str!("../../../README.md"),
            include_str!("../../../policies/README.md"),
        ];
        let mut samples: Vec<String> = documents
            .iter()
            .flat_map(|text| text.lines())
            .filter_map(sample)
            .collect();
        assert!(samples.len() >= 15, "{samples:?}");
        help_samples(&Arguments::command(), &mut samples);
        for line in &samples {
            let parsed = Arguments::try_parse_from(line.split_whitespace());
            assert!(
                parsed.is_ok(),
                "{line}: {}",
                parsed.err().map(|fault| fault.to_string()).unwrap_or_default()
            );
        }
    }

    /// An indented line that begins with the program's name, with values where the text stands for something.
    fn sample(line: &str) -> Option<String> {
        let command = line.strip_prefix("    ")?.trim_start().trim_start_matches("$ ");
        // Of a machine with the package: the same as the service's user.
        let command = command.trim_start_matches("# runuser -u snowball-node -- ");
        command
            .starts_with("hospital-node ")
            .then(|| fill(command.split('#').next().unwrap_or_default()))
    }

    fn fill(command: &str) -> String {
        command
            .replace("sha256:...", &snowball_protocol::Sha256Digest::of(b"").to_string())
            .trim_end_matches('&')
            .to_owned()
    }

    #[test]
    fn every_verb_s_help_ends_with_an_example_that_a_screen_of_100_columns_does_not_break() {
        fn visit(command: &mut clap::Command) {
            if !command.has_subcommands() {
                let help = command.render_long_help().to_string();
                let from = help.find("Example").unwrap_or_else(|| panic!("{help}"));
                for line in help[from..].lines() {
                    assert!(line.chars().count() <= 100, "{line}");
                }
            }
            let subs = command.get_subcommands_mut();
            subs.filter(|sub| sub.get_name() != "help").for_each(visit);
        }
        let mut command = Arguments::command();
        command.build();
        visit(&mut command);
    }

    fn help_samples(command: &clap::Command, samples: &mut Vec<String>) {
        for text in [command.get_after_help(), command.get_about()].into_iter().flatten() {
            // A long one goes on in the next line, as a shell takes it.
            let text = text.to_string().replace(" \\\n", " ");
            if let Some((_, example)) = text.split_once("Example: ") {
                samples.push(fill(example.split("   (").next().unwrap_or_default()));
            }
            if let Some((_, examples)) = text.split_once("Examples:\n") {
                samples.extend(examples.lines().map(|line| fill(line.trim())));
            }
        }
        command.get_subcommands().for_each(|inner| help_samples(inner, samples));
    }
}
