//! `man`: man pages, one for each command.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Command};
use serde_json::json;
use snowball_service::commands;

use super::Context;

/// Write man pages, one for each command.
#[derive(Args)]
#[command(after_help = "Example: hospital-node man --out /usr/local/share/man/man1")]
pub struct Man {
    /// The folder; it is made where it is missing.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Man {
    pub fn run(self, context: &Context, command: Command) -> Result<()> {
        let cannot = || format!("cannot write man pages into {}", self.out.display());
        commands::manual(command, &self.out).with_context(cannot)?;
        context.print(&json!({ "folder": self.out }), || {
            format!("man pages in {}; the first is hospital-node.1", self.out.display())
        })
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
        assert!(pages > 50, "{pages} pages");
    }
}
