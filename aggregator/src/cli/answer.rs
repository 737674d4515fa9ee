//! What a command says, and the exit code that goes with it.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

const FAULT: u8 = 1;
const REFUSED: u8 = 3;

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

/// Prints and chooses the exit code: 0 done, 1 fault, 3 refused or verification failed (clap itself exits with 2).
pub fn print(result: Result<Answer>, json: bool) -> ExitCode {
    match result {
        Ok(answer) => {
            if json {
                line(&answer.json.to_string());
            } else if !answer.text.is_empty() {
                line(answer.text.trim_end());
            }
            if answer.refused {
                ExitCode::from(REFUSED)
            } else {
                ExitCode::SUCCESS
            }
        }
        Err(error) => {
            let code = if error.is::<Refused>() { REFUSED } else { FAULT };
            if json {
                line(&json!({ "error": format!("{error:#}"), "exit_code": code }).to_string());
            }
            eprintln!("error: {error:#}");
            ExitCode::from(code)
        }
    }
}

/// A line on standard output; a reader that went away (`| head`) is no fault.
pub fn line(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
