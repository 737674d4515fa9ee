//! `watch`: a folder that others write to, taken in as files settle.
//!
//! It looks again and again rather than asking the system to tell: a network mount tells nothing of what other hosts write.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use snowball_service::telemetry::{self, Hangups};

use super::{
    Context,
    batch::{self, BATCH_FILES_MAX, Batches, Waiting},
    decoding::{Decoder, Keeps},
    ingest::Summary,
    levels::Levels,
    stop::Stop,
};
use crate::now::intake::Way;

/// Take in a folder of DICOM files and whatever is put there later. Ends on SIGTERM or Ctrl-C.
#[derive(Args)]
#[command(after_help = "Example: hospital-node watch /mnt/radiographs/incoming --settle-seconds 30")]
pub struct Watch {
    /// The folder; its sub-folders are watched too. It is only read.
    folder: PathBuf,
    /// A file is taken when its size and time of change have stood still for so long.
    #[arg(long, default_value_t = 20)]
    settle_seconds: u64,
    /// Time between two looks at the folder.
    #[arg(long, default_value_t = 10)]
    poll_seconds: u64,
    /// End when everything that was there at the beginning has settled and is dealt with.
    #[arg(long)]
    once: bool,
    /// Threads; 0: as many as cores.
    #[arg(long, default_value_t = 0)]
    threads: usize,
}

impl Watch {
    pub fn run(self, context: &Context) -> Result<()> {
        // Before all else, since until then a hangup ends the process, and no supervisor brings it back.
        let hangups = Hangups::listen().context("cannot listen for a hangup")?;
        let home = context.home()?;
        let config = home.config()?;
        telemetry::begin(config.log.as_deref())?;
        ensure!(
            (1..=3600).contains(&self.poll_seconds),
            "--poll-seconds is 1 to 3600, not {}",
            self.poll_seconds
        );
        let levels = Levels::start(context)?;
        let keeps = Keeps::of(&home, &config.text, None, Some(&self.folder));
        let batches =
            Batches::open(&home, &config, self.threads, (Decoder::Process, keeps))?.noting(&home, Way::Watched);
        // Their threads are held as well.
        levels.follow(hangups, |_| {})?;
        let stop = Stop::of_a_service()?;
        let settle = Duration::from_secs(self.settle_seconds);
        let mut folder = Folder::new(settle);
        if self.once {
            folder.look(&look(&self.folder)?, Instant::now());
            if stop.wait(settle) {
                return Ok(());
            }
            folder.look(&look(&self.folder)?, Instant::now());
            return self.take(context, &batches, &stop, &mut folder);
        }
        tracing::info!(
            "looking at the folder every {} s; a file is taken in once it has stood still for {} s",
            self.poll_seconds,
            self.settle_seconds
        );
        let mut is_gone = false;
        loop {
            match look(&self.folder) {
                Ok(seen) => {
                    is_gone = false;
                    folder.look(&seen, Instant::now());
                    self.take(context, &batches, &stop, &mut folder)?;
                }
                // A mount comes and goes; it is said once, not at every look.
                Err(fault) if !is_gone => {
                    is_gone = true;
                    tracing::warn!("the folder cannot be read now, looking again: {fault:#}");
                }
                Err(_) => {}
            }
            if stop.wait(Duration::from_secs(self.poll_seconds)) {
                return Ok(());
            }
        }
    }

    fn take(&self, context: &Context, batches: &Batches, stop: &Stop, folder: &mut Folder) -> Result<()> {
        let (ready, unreadable): (Vec<PathBuf>, Vec<PathBuf>) = folder
            .settled(Instant::now())
            .into_iter()
            .partition(|path| batch::is_readable(path));
        if folder.unreadable != unreadable.len() {
            folder.unreadable = unreadable.len();
            tracing::warn!(
                files = unreadable.len(),
                "files that cannot be read are left until they can be"
            );
        }
        for paths in ready.chunks(BATCH_FILES_MAX) {
            if stop.is_requested() {
                return Ok(());
            }
            let files: Vec<Waiting> = paths
                .iter()
                .map(|path| Waiting {
                    path: path.clone(),
                    key: None,
                })
                .collect();
            let summary: Summary = batches.take(&files)?;
            folder.done(paths);
            if summary.skipped < summary.files || self.once {
                context.print(&summary, || batch::line(&summary, "the folder"))?;
            }
        }
        Ok(())
    }
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    bytes: u64,
    changed: Option<SystemTime>,
}

fn look(folder: &Path) -> Result<Vec<(PathBuf, Stamp)>> {
    let (paths, _) = snowball_imaging::walk(folder, snowball_imaging::FILES_MAX)
        .map_err(|fault| anyhow::Error::new(fault).context(format!("cannot read {}", folder.display())))?;
    let stamped = |path: PathBuf| {
        let about = std::fs::metadata(&path).ok()?;
        let stamp = Stamp {
            bytes: about.len(),
            changed: about.modified().ok(),
        };
        Some((path, stamp))
    };
    Ok(paths.into_iter().filter_map(stamped).collect())
}

/// What is known of the folder's files: since when each stands still, and which states were dealt with.
struct Folder {
    settle: Duration,
    files: HashMap<PathBuf, Sighting>,
    unreadable: usize,
}

struct Sighting {
    stamp: Stamp,
    /// By this machine's steady clock: the clock of a file server is another one.
    since: Instant,
    is_done: bool,
}

impl Folder {
    fn new(settle: Duration) -> Self {
        Self {
            settle,
            files: HashMap::new(),
            unreadable: 0,
        }
    }

    /// Takes note of one look at the folder. Files that are gone are forgotten, those that changed wait anew.
    fn look(&mut self, seen: &[(PathBuf, Stamp)], now: Instant) {
        let mut before = std::mem::take(&mut self.files);
        self.files = seen
            .iter()
            .map(|(path, stamp)| {
                let sighting = match before.remove(path) {
                    Some(sighting) if sighting.stamp == *stamp => sighting,
                    _ => Sighting {
                        stamp: *stamp,
                        since: now,
                        is_done: false,
                    },
                };
                (path.clone(), sighting)
            })
            .collect();
    }

    /// The files that stand still for long enough and were not dealt with, in the order of their paths.
    fn settled(&self, now: Instant) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = self
            .files
            .iter()
            .filter(|(_, sighting)| !sighting.is_done && now.duration_since(sighting.since) >= self.settle)
            .map(|(path, _)| path.clone())
            .collect();
        paths.sort();
        paths
    }

    fn done(&mut self, paths: &[PathBuf]) {
        for path in paths {
            if let Some(sighting) = self.files.get_mut(path) {
                sighting.is_done = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(bytes: u64) -> Stamp {
        Stamp {
            bytes,
            changed: Some(SystemTime::UNIX_EPOCH),
        }
    }

    #[test]
    fn a_file_is_taken_once_it_stands_still_and_again_when_it_changed() {
        let (begin, second) = (Instant::now(), Duration::from_secs(1));
        let mut folder = Folder::new(second * 10);
        let seen = |bytes| vec![(PathBuf::from("a"), stamp(bytes))];
        folder.look(&seen(1), begin);
        assert!(folder.settled(begin + second * 9).is_empty());
        // It grew: it waits anew.
        folder.look(&seen(2), begin + second * 9);
        assert!(folder.settled(begin + second * 15).is_empty());
        folder.look(&seen(2), begin + second * 19);
        let ready = folder.settled(begin + second * 19);
        assert_eq!(ready, [PathBuf::from("a")]);
        folder.done(&ready);
        assert!(folder.settled(begin + second * 60).is_empty());
        folder.look(&seen(3), begin + second * 60);
        assert_eq!(folder.settled(begin + second * 70).len(), 1);
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let begin = Instant::now();
        let mut folder = Folder::new(Duration::ZERO);
        folder.look(&[(PathBuf::from("a"), stamp(1)), (PathBuf::from("b"), stamp(1))], begin);
        assert_eq!(folder.settled(begin).len(), 2, "nothing to wait for");
        folder.look(&[(PathBuf::from("b"), stamp(1))], begin);
        assert_eq!(folder.files.len(), 1);
    }
}
