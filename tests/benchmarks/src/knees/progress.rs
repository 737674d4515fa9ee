//! What a person reads in the terminal while hours pass, and which parts of a run are done: an interrupted one goes on behind them.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

const FOLDER: &str = "done";

/// A run on its way.
pub struct Progress {
    begun: Instant,
    folder: PathBuf,
}

impl Progress {
    /// Of a run in `out`.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn of(out: &Path) -> Result<Self> {
        let folder = out.join(FOLDER);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self {
            begun: Instant::now(),
            folder,
        })
    }

    /// Says where the run stands, with the time since this command began.
    pub fn say(&self, what: &str) {
        eprintln!("[{}] {what}", clock(self.begun.elapsed()));
    }

    /// Whether this part was done before; says so then.
    pub fn is_done(&self, part: &str) -> bool {
        let is_done = self.folder.join(part).exists();
        if is_done {
            self.say(&format!("{part}: done before"));
        }
        is_done
    }

    /// From now on this part is done.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn done(&self, part: &str) -> Result<()> {
        let path = self.folder.join(part);
        fs::write(&path, []).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// The rounds of one study as they pass.
pub struct Rounds {
    begun: Instant,
    first: usize,
    count: u32,
}

impl Rounds {
    /// Of a study that stands at `first` of `count` rounds.
    pub fn from(first: usize, count: u32) -> Self {
        Self {
            begun: Instant::now(),
            first,
            count,
        }
    }

    /// In words, with how long the others will take if they are like those seen.
    pub fn told(&self, round: usize) -> String {
        words(
            self.begun.elapsed(),
            round.saturating_sub(self.first),
            round,
            self.count,
        )
    }
}

fn words(elapsed: Duration, seen: usize, round: usize, count: u32) -> String {
    let left = (count as usize).saturating_sub(round);
    let each = elapsed.as_secs_f64() / seen.max(1) as f64;
    let rest = Duration::from_secs_f64(each * left as f64);
    if seen == 0 || left == 0 {
        return format!("round {round} of {count}");
    }
    format!("round {round} of {count}, about {} left", clock(rest))
}

/// Minutes and seconds, with hours where there are any.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_done_in_the_next_run_too() {
        let out = tempfile::tempdir().unwrap();
        let first = Progress::of(out.path()).unwrap();
        assert!(!first.is_done("anatomy released"));
        first.done("anatomy released").unwrap();
        assert!(Progress::of(out.path()).unwrap().is_done("anatomy released"));
    }

    #[test]
    fn what_is_left_follows_from_the_rounds_that_were_seen() {
        let minute = Duration::from_secs(60);
        assert_eq!(words(minute, 0, 10, 40), "round 10 of 40");
        assert_eq!(words(minute, 2, 12, 40), "round 12 of 40, about 14:00 left");
        assert_eq!(words(minute * 10, 10, 10, 40), "round 10 of 40, about 30:00 left");
        assert_eq!(words(minute * 10, 10, 40, 40), "round 40 of 40");
        assert_eq!(clock(Duration::from_secs(3_723)), "1:02:03");
    }
}
