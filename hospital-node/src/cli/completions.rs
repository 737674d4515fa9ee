//! `completions`: what a shell needs to complete this program's commands.

use anyhow::Result;
use clap::{Args, Command};
use serde_json::json;
use snowball_service::commands::{Shell, completions};

use super::Context;

/// Print completions for a shell.
#[derive(Args)]
#[command(after_help = "Example: hospital-node completions bash   (into /etc/bash_completion.d/hospital-node)")]
pub struct Completions {
    /// Which shell.
    shell: Shell,
}

impl Completions {
    pub fn run(self, context: &Context, command: Command) -> Result<()> {
        let script = completions(self.shell, command);
        context.print(&json!({ "shell": self.shell.to_string(), "script": script }), || {
            script.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, ValueEnum as _};

    use super::*;
    use crate::cli::Arguments;

    #[test]
    fn every_shell_is_told_every_verb() {
        let verbs: Vec<String> = Arguments::command()
            .get_subcommands()
            .map(|verb| verb.get_name().to_owned())
            .collect();
        assert!(verbs.len() > 30, "{verbs:?}");
        for shell in Shell::value_variants() {
            let script = completions(*shell, Arguments::command());
            for verb in &verbs {
                assert!(script.contains(verb), "{shell}: {verb}");
            }
        }
    }
}
