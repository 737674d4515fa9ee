//! Standard output and standard error, whose reader may leave at any moment: `hospital-node ledger show | head -1`.
//!
//! The macros of the standard library panic then. Giving SIGPIPE its default back would end a program at a pipe of its own
//! too, such as that to a trainer that failed; so a closed output is a fault like others, which `main` turns into an exit
//! code without a word.

use std::{
    ffi::OsStr,
    fmt::Display,
    io::{self, IsTerminal, Write},
};

/// Why a line was not written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Nobody reads on.
    #[error("nobody reads the output any more")]
    Closed,
    /// Something else, such as a full disk behind a redirection.
    #[error("the standard output cannot be written")]
    Failed(#[source] io::Error),
}

/// Writes a line to standard output.
///
/// # Errors
/// When nobody reads on, or the output cannot be written.
pub fn line(text: impl Display) -> Result<(), OutputError> {
    line_to(&mut io::stdout().lock(), text)
}

/// Writes a line to standard error. Where that cannot be written there is nobody to tell.
pub fn note(text: impl Display) {
    let _ = line_to(&mut io::stderr().lock(), text);
}

/// Whether words on `stream` may have colours: not where somebody set `NO_COLOR` (no-color.org), the terminal knows none, or
/// there is no terminal.
#[must_use]
pub fn has_colours(stream: &impl IsTerminal) -> bool {
    colours(
        stream.is_terminal(),
        std::env::var_os("NO_COLOR").as_deref(),
        std::env::var_os("TERM").as_deref(),
    )
}

fn colours(is_terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty) && term.is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Whether a fault, or what it comes from, is a closed output.
#[must_use]
pub fn is_closed(fault: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(fault), |fault| fault.source())
        .any(|fault| matches!(fault.downcast_ref(), Some(OutputError::Closed)))
}

fn line_to(out: &mut impl Write, text: impl Display) -> Result<(), OutputError> {
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(|fault| match fault.kind() {
            io::ErrorKind::BrokenPipe => OutputError::Closed,
            _ => OutputError::Failed(fault),
        })
}

/// As `println!`, with the fault of [`output::line`](fn@line) instead of a panic.
#[macro_export]
macro_rules! say {
    ($($words:tt)*) => { $crate::output::line(format_args!($($words)*)) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the verb failed")]
    struct Outer(#[source] OutputError);

    #[test]
    fn there_are_colours_on_a_terminal_that_has_them_and_where_nobody_said_no() {
        let asked = |is_terminal, no_color: Option<&str>, term: Option<&str>| {
            colours(is_terminal, no_color.map(OsStr::new), term.map(OsStr::new))
        };
        assert!(asked(true, None, Some("xterm")) && asked(true, Some(""), Some("xterm")));
        assert!(!asked(true, Some("1"), Some("xterm")));
        assert!(!asked(true, None, Some("dumb")) && !asked(true, None, None) && !asked(false, None, Some("xterm")));
    }

    #[test]
    fn a_reader_that_left_is_told_from_a_full_disk() {
        let (reader, mut writer) = io::pipe().unwrap();
        line_to(&mut writer, "heard").unwrap();
        drop(reader);
        let closed = line_to(&mut writer, "not heard").unwrap_err();
        assert!(is_closed(&closed));
        assert!(is_closed(&Outer(closed)));
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        if let Ok(mut full) = full {
            let failed = line_to(&mut full, "no room").unwrap_err();
            assert!(matches!(failed, OutputError::Failed(_)) && !is_closed(&failed));
        }
    }
}
