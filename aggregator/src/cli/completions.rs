//! `completions`: what a shell needs to complete this program's commands.

use anyhow::Result;
use clap::{Args, Command};
use serde_json::json;
use snowball_service::commands::{Shell, completions};

use super::Answer;

/// Prints completions for a shell.
#[derive(Args)]
#[command(
    after_help = "Example:\n  aggregator completions bash\n\nThe output goes into /etc/bash_completion.d/aggregator."
)]
pub struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    /// The script alone, ready for a file.
    pub fn run(&self, command: Command) -> Result<Answer> {
        let script = completions(self.shell, command);
        Ok(Answer::new(
            script.clone(),
            json!({ "shell": self.shell.to_string(), "script": script }),
        ))
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
        assert!(verbs.len() > 15, "{verbs:?}");
        for shell in Shell::value_variants() {
            let script = completions(*shell, Arguments::command());
            for verb in &verbs {
                assert!(script.contains(verb), "{shell}: {verb}");
            }
        }
    }
}
