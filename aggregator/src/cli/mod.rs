//! The commands, one file a verb. Each returns an [`Answer`]; here it is printed, for people or as JSON.

mod answer;
mod approve;
mod audit;
mod backup;
mod ca;
mod completions;
mod dashboard;
mod doctor;
mod fingerprint;
mod init;
mod invite;
mod keys;
mod ledger;
mod man;
mod plausible;
mod refuse;
mod release;
mod renew;
mod report;
mod restore;
mod revoke;
mod serve;
mod sites;
mod study;
mod table;
mod words;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use clap::{CommandFactory as _, Parser, Subcommand};
use snowball_crypto::VerifyingKey;
use snowball_registry::Registry;
use snowball_service::keys::PassphraseSource;

pub use answer::{Answer, Refused};
pub use approve::Approve;
pub use invite::Invite;
pub use refuse::Refuse;
pub use revoke::Revoke;
pub use study::{Abort, Pause, Resume, Start};
pub use words::Reason;

use crate::home::{Home, read_text};

/// Names the aggregator's folder where `--home` does not.
const HOME_VARIABLE: &str = "SNOWBALL_AGGREGATOR_HOME";

/// How this program is called.
const PROGRAM: &str = "aggregator";

/// Coordinates a Snowball consortium: enrols hospitals, runs studies, signs releases.
#[derive(Parser)]
#[command(name = "aggregator", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Arguments {
    /// The aggregator's folder [default: $SNOWBALL_AGGREGATOR_HOME, else ./aggregator-home]
    #[arg(long, global = true, value_name = "DIR")]
    home: Option<PathBuf>,
    /// Print one JSON document instead of text for people
    #[arg(long, global = true)]
    json: bool,
    /// A file, mode 600, with the passphrase of the keys
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "passphrase_fd")]
    passphrase_file: Option<PathBuf>,
    /// A descriptor that this command was given, with the passphrase of the keys
    #[arg(long, global = true, value_name = "NUMBER")]
    passphrase_fd: Option<u32>,
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 fault, 2 wrong usage, 3 refused or not verified, 141 nobody reads on.\n\
    Example:\n  aggregator init --consortium Spines --address snowball.example.org:7443\n  aggregator serve";

#[derive(Subcommand)]
enum Verb {
    /// Make a new aggregator: its folder, certificate authority, keys, ledger and database
    Init(init::Init),
    /// Serve the sites and run the studies
    Serve(serve::Serve),
    /// Print an invitation for one site
    Invite(Invite),
    /// List sites, their certificates and pending enrolments
    Sites(sites::Sites),
    /// Sign the certificate of a site that asked for one
    Approve(Approve),
    /// Refuse a site that asked for a certificate
    Refuse(Refuse),
    /// Shut out a site or one of its certificates
    Revoke(Revoke),
    /// Renew the server's certificate now
    Renew(renew::Renew),
    /// List, rotate and retire the consortium's certificate authorities
    #[command(subcommand)]
    Ca(ca::Ca),
    /// Check, create, start, watch and abort studies
    #[command(subcommand)]
    Study(study::Study),
    /// Make and verify releases
    #[command(subcommand)]
    Release(release::Release),
    /// Sign in to the dashboard
    #[command(subcommand)]
    Dashboard(dashboard::Dashboard),
    /// Write one page about the consortium, for the coordinator and for auditors
    Report(report::Report),
    /// Verify or show the ledger
    #[command(subcommand)]
    Ledger(ledger::LedgerVerb),
    /// Export evidence for an auditor, or check that of a whole consortium
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Put the keys under a passphrase, or in the clear again
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Copy everything into a new folder, while the server goes on
    Backup(backup::Backup),
    /// Put a backup into an empty home
    Restore(restore::Restore),
    /// Look for what is wrong and say how to mend it
    Doctor(doctor::Doctor),
    /// Print completions for a shell
    Completions(completions::Completions),
    /// Write man pages, one for each command
    Man(man::Man),
}

/// Reads the command line, runs the verb, prints its answer.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.json;
    let result = tokio::runtime::Runtime::new()
        .context("cannot start the runtime")
        .and_then(|runtime| {
            let result = runtime.block_on(perform(arguments));
            // Whatever still runs is safe to cut: everything that was acknowledged is on disk.
            runtime.shutdown_background();
            result
        });
    answer::print(result, json)
}

async fn perform(arguments: Arguments) -> Result<Answer> {
    let passphrase = match (arguments.passphrase_file, arguments.passphrase_fd) {
        (Some(file), _) => PassphraseSource::File(file),
        (None, Some(number)) => PassphraseSource::Descriptor(number),
        (None, None) => PassphraseSource::Found,
    };
    let home = Home::at(&home_dir(arguments.home)).with_passphrase(passphrase);
    match arguments.verb {
        Verb::Init(verb) => verb.run(&home).await,
        Verb::Serve(verb) => verb.run(&home, arguments.json).await,
        Verb::Invite(verb) => verb.run(&home).await,
        Verb::Sites(verb) => verb.run(&home).await,
        Verb::Approve(verb) => verb.run(&home).await,
        Verb::Refuse(verb) => verb.run(&home).await,
        Verb::Revoke(verb) => verb.run(&home).await,
        Verb::Renew(verb) => verb.run(&home).await,
        Verb::Ca(verb) => verb.run(&home).await,
        Verb::Study(verb) => verb.run(&home).await,
        Verb::Release(verb) => verb.run(&home).await,
        Verb::Dashboard(verb) => verb.run(&home),
        Verb::Report(verb) => verb.run(&home).await,
        Verb::Ledger(verb) => verb.run(&home),
        Verb::Audit(verb) => verb.run(&home).await,
        Verb::Keys(verb) => verb.run(&home),
        Verb::Backup(verb) => verb.run(&home).await,
        Verb::Restore(verb) => verb.run(&home),
        Verb::Doctor(verb) => verb.run(&home).await,
        Verb::Completions(verb) => verb.run(Arguments::command()),
        Verb::Man(verb) => verb.run(Arguments::command()),
    }
}

/// The folder and its database, for verbs that need an aggregator to be there.
async fn open(home: &Home) -> Result<(Home, Registry)> {
    let home = home.existing()?;
    let registry = Registry::open(&home.database_file())
        .await
        .context("cannot open the database")?;
    Ok((home, registry))
}

/// A public key as given on the command line: base64, or a file that holds it.
fn read_key(text: &str) -> Result<VerifyingKey> {
    let content = match text.parse() {
        Ok(key) => return Ok(key),
        Err(_) => {
            read_text(Path::new(text)).with_context(|| format!("{text} is neither a public key nor a file with one"))?
        }
    };
    content
        .trim()
        .parse()
        .with_context(|| format!("{text} holds no public key"))
}

fn home_dir(argument: Option<PathBuf>) -> PathBuf {
    argument
        .or_else(|| {
            std::env::var_os(HOME_VARIABLE)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        })
        .unwrap_or_else(|| PathBuf::from("aggregator-home"))
}

/// Runs a command line as the program would, for tests.
#[cfg(test)]
pub async fn command(words: &[&str]) -> Result<Answer> {
    let words = std::iter::once("aggregator").chain(words.iter().copied());
    perform(Arguments::try_parse_from(words)?).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_sound_and_its_help_shows_an_example() {
        let mut command = Arguments::command();
        command.build();
        command.clone().debug_assert();
        visit(&mut command);
    }

    fn visit(command: &mut clap::Command) {
        if !command.has_subcommands() {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{}: no example", command.get_name());
        }
        for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
            visit(sub);
        }
    }

    #[test]
    fn every_command_line_in_the_operating_manual_parses() {
        let manuals = [
            include_str!("../../docs/operating.md"),
            include_str!("../../docs/installing.md"),
        ];
        let mut lines = 0;
        for line in manuals.into_iter().flat_map(str::lines).filter_map(|line| {
            let line = line.trim();
            // Of a machine with the package: the same as the service's user.
            let packaged = line.strip_prefix("# runuser -u snowball-aggregator -- ");
            packaged
                .or_else(|| line.strip_prefix("$ "))?
                .strip_prefix("aggregator ")
        }) {
            let words = std::iter::once("aggregator").chain(line.split_whitespace());
            Arguments::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
            lines += 1;
        }
        assert!(lines >= 20, "only {lines} samples found");
    }
}
