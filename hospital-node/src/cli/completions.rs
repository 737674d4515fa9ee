//! `completions`: what a shell needs to complete this program's commands.

use anyhow::Result;
use clap::{Args, Command};
use clap_complete::{Shell, generate};
use snowball_service::output;

/// Print completions for a shell.
#[derive(Args)]
#[command(after_help = "Example: hospital-node completions bash   (into /etc/bash_completion.d/hospital-node)")]
pub struct Completions {
    /// Which shell.
    shell: Shell,
}

impl Completions {
    pub fn run(self, mut command: Command) -> Result<()> {
        Ok(output::line(script(self.shell, &mut command))?)
    }
}

/// Written at once: a reader may leave, and the generator knows no faults.
fn script(shell: Shell, command: &mut Command) -> String {
    let (name, mut text) = (command.get_name().to_owned(), Vec::new());
    generate(shell, command, name, &mut text);
    String::from_utf8_lossy(&text).trim_end().to_owned()
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
            let script = script(*shell, &mut Arguments::command());
            for verb in &verbs {
                assert!(script.contains(verb), "{shell}: {verb}");
            }
        }
    }
}
