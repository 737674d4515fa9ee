//! `man`: man pages, one for each command.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Command};
use serde_json::json;
use snowball_service::commands;

use super::Answer;

/// Writes man pages, one for each command.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator man --out /usr/local/share/man/man1")]
pub struct Man {
    /// The folder; it is made where it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Man {
    /// Writes `aggregator.1` and one page for each command below it.
    pub fn run(&self, command: Command) -> Result<Answer> {
        let cannot = || format!("cannot write man pages into {}", self.out.display());
        commands::manual(command, &self.out).with_context(cannot)?;
        let text = format!("man pages in {}; the first is aggregator.1", self.out.display());
        Ok(Answer::new(text, json!({ "folder": self.out })))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Arguments;

    #[test]
    fn every_verb_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        commands::manual(Arguments::command(), folder.path()).unwrap();
        assert_eq!(commands::lacking(&Arguments::command(), folder.path()), [""; 0]);
        let pages = folder.path().read_dir().unwrap().count();
        assert!(pages > 30, "{pages} pages");
    }
}
