//! What a program says of its own commands: completions for shells and pages for `man`.

use std::{fs, io, path::Path};

use clap::Command;
pub use clap_complete::Shell;

/// The script with which `shell` completes the commands of a program, ready for a file.
#[must_use]
pub fn completions(shell: Shell, mut command: Command) -> String {
    // Written at once: a reader may leave, and the generator knows no faults.
    let (name, mut text) = (command.get_name().to_owned(), Vec::new());
    clap_complete::generate(shell, &mut command, name, &mut text);
    String::from_utf8_lossy(&text).trim_end().to_owned()
}

/// Writes one page for each command of a program into `folder`, which is made where it is missing; the first has the program's name.
///
/// # Errors
/// If the folder cannot be made or written into.
pub fn manual(command: Command, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(command, folder)
}

/// What the pages in `folder` lack: commands without a page, and options that their command's page does not name.
#[must_use]
pub fn lacking(command: &Command, folder: &Path) -> Vec<String> {
    lacking_below(command, folder, command.get_name())
}

fn lacking_below(command: &Command, folder: &Path, name: &str) -> Vec<String> {
    let page = fs::read_to_string(folder.join(format!("{name}.1"))).unwrap_or_default();
    if !(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS")) {
        return vec![name.to_owned()];
    }
    let shown = command.get_arguments().filter(|option| !option.is_hide_set());
    let options = shown.filter_map(clap::Arg::get_long);
    let mut lacking: Vec<String> = options
        .filter(|option| !page.contains(&format!("\\-\\-{}", option.replace('-', "\\-"))))
        .map(|option| format!("{name} --{option}"))
        .collect();
    // What programs start among themselves is for no reader.
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        lacking.extend(lacking_below(inner, folder, &format!("{name}-{}", inner.get_name())));
    }
    lacking
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ValueEnum as _};

    use super::*;

    fn program() -> Command {
        let take = Command::new("take-in")
            .about("Takes in")
            .arg(Arg::new("dry").long("dry-run"));
        Command::new("node").about("A node").subcommand(take)
    }

    #[test]
    fn every_shell_is_told_every_command() {
        for shell in Shell::value_variants() {
            let script = completions(*shell, program());
            assert!(script.contains("take-in") && script.contains("dry-run"), "{shell}");
        }
    }

    #[test]
    fn every_command_has_a_page_and_what_is_missing_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let pages = folder.path().join("man1");
        assert_eq!(lacking(&program(), &pages), ["node"]);
        manual(program(), &pages).unwrap();
        assert_eq!(lacking(&program(), &pages), [""; 0]);
        let more = program().mut_subcommand("take-in", |take| take.arg(Arg::new("all").long("all")));
        assert_eq!(lacking(&more, &pages), ["node-take-in --all"]);
        fs::remove_file(pages.join("node-take-in.1")).unwrap();
        assert_eq!(lacking(&more, &pages), ["node-take-in"]);
    }
}
