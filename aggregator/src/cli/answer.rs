//! What a command says, and the exit code that goes with it.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};
use snowball_ledger::LedgerError;
use snowball_registry::RegistryError;
use snowball_service::{exit, output};

/// A command's result, for people and for programs.
#[derive(Default)]
pub struct Answer {
    /// For people; may be empty.
    pub text: String,
    /// For programs.
    pub json: Value,
    /// The command did its work and the finding is bad: exit code 3.
    pub refused: bool,
}

impl Answer {
    /// An ordinary answer.
    pub fn new(text: impl Into<String>, json: Value) -> Self {
        Self {
            text: text.into(),
            json,
            refused: false,
        }
    }

    /// A finding that scripts must notice.
    pub fn refused(text: impl Into<String>, json: Value) -> Self {
        Self {
            text: text.into(),
            json,
            refused: true,
        }
    }
}

/// The command was understood and its rules say no: exit code 3.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// Prints and chooses the exit code: 0 done, 1 fault, 3 refused or verification failed (clap itself exits with 2), 141
/// where nobody reads on.
pub fn print(result: Result<Answer>, json: bool) -> ExitCode {
    match result {
        Ok(answer) => {
            let written = if json {
                output::line(&answer.json)
            } else if answer.text.is_empty() {
                Ok(())
            } else {
                output::line(answer.text.trim_end())
            };
            if let Err(fault) = written {
                return unheard(&fault);
            }
            if answer.refused {
                ExitCode::from(exit::REFUSED)
            } else {
                ExitCode::SUCCESS
            }
        }
        Err(error) => {
            let code = if error.is::<Refused>() || error.chain().any(is_of_a_newer_program) {
                exit::REFUSED
            } else {
                exit::FAULT
            };
            if json {
                line(&json!({ "error": format!("{error:#}"), "exit_code": code }).to_string());
            }
            output::note(format_args!("error: {error:#}"));
            ExitCode::from(code)
        }
    }
}

/// Whether files are of another version, which is to be installed again: starting anew finds the same.
fn is_of_a_newer_program(cause: &(dyn std::error::Error + 'static)) -> bool {
    let registry = cause.downcast_ref::<RegistryError>();
    let ledger = cause.downcast_ref::<LedgerError>();
    matches!(registry, Some(RegistryError::FromTheFuture { .. }))
        || matches!(ledger, Some(LedgerError::UnknownEntry { .. }))
}

/// A line on standard output of a service, which serves whether or not anybody reads on.
pub fn line(text: &str) {
    let _ = output::line(text);
}

/// The work is done, but what it says reaches nobody.
fn unheard(fault: &output::OutputError) -> ExitCode {
    if output::is_closed(fault) {
        return ExitCode::from(exit::UNHEARD);
    }
    output::note(format_args!("error: {fault}"));
    ExitCode::from(exit::FAULT)
}
