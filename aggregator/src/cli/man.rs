//! `man`: man pages, one for each command.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Command};
use serde_json::json;

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
        fs::create_dir_all(&self.out).with_context(cannot)?;
        clap_mangen::generate_to(command, &self.out).with_context(cannot)?;
        let text = format!("man pages in {}; the first is aggregator.1", self.out.display());
        Ok(Answer::new(text, json!({ "folder": self.out })))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Arguments;

    #[test]
    fn every_verb_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        clap_mangen::generate_to(Arguments::command(), folder.path()).unwrap();
        let count = visit(folder.path(), &Arguments::command(), "aggregator");
        assert!(count > 30, "{count} pages");
    }

    /// Looks for the page of `command` and of all below it; gives how many.
    fn visit(folder: &Path, command: &Command, name: &str) -> usize {
        let page = fs::read_to_string(folder.join(format!("{name}.1"))).unwrap_or_default();
        assert!(
            page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"),
            "{name}: no page"
        );
        let shown = command.get_arguments().filter(|option| !option.is_hide_set());
        for option in shown.filter_map(clap::Arg::get_long) {
            let written = format!("\\-\\-{}", option.replace('-', "\\-"));
            assert!(page.contains(&written), "{name}: nothing of --{option}");
        }
        let below = command
            .get_subcommands()
            .map(|inner| visit(folder, inner, &format!("{name}-{}", inner.get_name())));
        1 + below.sum::<usize>()
    }
}
