//! How far long work is: a bar on a terminal, plain lines elsewhere, as in a log file or a journal.

use std::{
    io::{self, IsTerminal},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use crate::output;

/// Nothing is said of work that is done sooner, and two lines are at least so far apart.
const APART_MIN: Duration = Duration::from_secs(2);
/// Two lines are this part of the time that passed apart, so that a day's work fills no log.
const APART_PART: u32 = 20;
/// Longer lines are cut by whoever draws them.
const WIDTH: u16 = 240;

/// Tells on standard error how many of `length` `things` are done, and the bar's message behind it. Finish it with
/// [`ProgressBar::finish_and_clear`].
#[must_use]
pub fn bar(things: &str, length: u64) -> ProgressBar {
    let is_terminal = io::stderr().is_terminal();
    let (target, words) = if is_terminal {
        (
            ProgressDrawTarget::stderr(),
            format!("{{bar:32}} {{pos}}/{{len}} {things} {{per_sec:10}} {{eta:>4}} {{msg}}"),
        )
    } else {
        let lines = Lines {
            begun: Instant::now(),
            state: Mutex::default(),
            say: |line| output::note(line),
        };
        (
            ProgressDrawTarget::term_like(Box::new(lines)),
            format!("{{pos}} of {{len}} {things}, about {{eta}} left, {{msg}}"),
        )
    };
    let bar = ProgressBar::with_draw_target(Some(length), target);
    match ProgressStyle::with_template(&words) {
        Ok(style) => bar.with_style(style),
        // The words above are a template; of another one the library's own is shown.
        Err(_) => bar,
    }
}

/// A terminal that can only write lines, and writes few.
#[derive(Debug)]
struct Lines {
    begun: Instant,
    state: Mutex<State>,
    say: fn(&str),
}

#[derive(Debug, Default)]
struct State {
    /// What is drawn since the last flush.
    drawn: String,
    /// When a line was written last, from the beginning of the work.
    said: Duration,
}

/// Whether a line may follow one that was written at `said`, both from the beginning of the work.
fn is_due(said: Duration, now: Duration) -> bool {
    now.saturating_sub(said) >= APART_MIN.max(now / APART_PART)
}

impl TermLike for Lines {
    fn width(&self) -> u16 {
        WIDTH
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.drawn.push_str(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let now = self.begun.elapsed();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let drawn = std::mem::take(&mut state.drawn);
        // Without a message the words end with what would stand before it.
        let line = drawn.trim().trim_end_matches(',');
        if !line.is_empty() && is_due(state.said, now) {
            state.said = now;
            (self.say)(line);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());

    #[test]
    fn lines_are_few_however_long_the_work_takes() {
        let seconds = Duration::from_secs;
        assert!(!is_due(seconds(0), seconds(1)) && is_due(seconds(0), seconds(2)));
        assert!(!is_due(seconds(1000), seconds(1049)) && is_due(seconds(1000), seconds(1055)));
        let (mut said, mut lines) = (seconds(0), 0);
        for second in 0..86_400 {
            if is_due(said, seconds(second)) {
                (said, lines) = (seconds(second), lines + 1);
            }
        }
        assert!((100..250).contains(&lines), "{lines} lines in a day");
    }

    #[test]
    fn where_there_is_no_terminal_a_line_is_written_and_no_sign_that_moves_a_cursor() {
        let lines = Lines {
            // As if the work had gone on for an hour.
            begun: Instant::now().checked_sub(Duration::from_secs(3600)).unwrap(),
            state: Mutex::default(),
            say: |line| SAID.lock().unwrap().push(line.to_owned()),
        };
        let bar = ProgressBar::with_draw_target(Some(8), ProgressDrawTarget::term_like(Box::new(lines)))
            .with_style(ProgressStyle::with_template("{pos} of {len} files, {msg}").unwrap());
        bar.set_position(3);
        bar.set_position(4);
        bar.finish_and_clear();
        let said = SAID.lock().unwrap();
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!(said[0], "3 of 8 files");
    }
}
