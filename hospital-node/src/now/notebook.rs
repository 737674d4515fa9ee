//! One file, one writer: replaced whole, so that a reader never sees half of it.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Serialize, de::DeserializeOwned};
use snowball_service::files;

/// Steps of a training come many a second; a person reads two.
const PAUSE: Duration = Duration::from_millis(500);
const BYTES_MAX: usize = 1 << 20;
/// A reader holds the lock for a moment to see whether somebody else does; a writer that meets one tries again this often.
const TRIES: u32 = 20;
const TRY_PAUSE: Duration = Duration::from_millis(10);

/// The writer's side.
pub struct Notebook {
    path: PathBuf,
    /// Held as long as this lives.
    _lock: File,
    written: Option<Instant>,
}

impl Notebook {
    /// `None` where another process writes there already, or nothing can be written: the work goes on without it.
    pub fn open(path: &Path) -> Option<Self> {
        files::create_home(path.parent()?).ok()?;
        let lock = File::create(lock_of(path)).ok()?;
        hold(&lock)?;
        Some(Self {
            path: path.to_owned(),
            _lock: lock,
            written: None,
        })
    }

    /// Writes `page`, unless it was written a moment ago and this is no more than the next of many steps.
    pub fn write(&mut self, page: &impl Serialize, is_step: bool) {
        if is_step && self.written.is_some_and(|written| written.elapsed() < PAUSE) {
            return;
        }
        self.written = Some(Instant::now());
        let partial = self.path.with_extension("partial");
        // Not made durable: after a crash of the machine nothing of it is true any more.
        let written = serde_json::to_vec(page)
            .map_err(std::io::Error::other)
            .and_then(|bytes| fs::write(&partial, bytes))
            .and_then(|()| fs::rename(&partial, &self.path));
        if let Err(fault) = written {
            tracing::debug!(%fault, "what is done now could not be noted");
        }
    }
}

/// What a reader sees.
pub struct Seen<T> {
    pub page: T,
    /// Whether its writer is still at work.
    pub is_live: bool,
}

/// Reads what is noted at `path`; `None` where nothing is, or another version wrote it.
pub fn see<T: DeserializeOwned>(path: &Path) -> Option<Seen<T>> {
    let bytes = files::read_bounded(path, BYTES_MAX).ok()?;
    Some(Seen {
        page: serde_json::from_slice(&bytes).ok()?,
        is_live: is_held(&lock_of(path)),
    })
}

/// Takes the lock; `None` where it is not free after some tries.
fn hold(lock: &File) -> Option<()> {
    for _ in 0..TRIES {
        match lock.try_lock() {
            Ok(()) => return Some(()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(TRY_PAUSE),
            Err(TryLockError::Error(_)) => return None,
        }
    }
    None
}

fn is_held(lock: &Path) -> bool {
    let Ok(file) = File::open(lock) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

fn lock_of(path: &Path) -> PathBuf {
    path.with_extension("lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_tells_work_that_goes_on_from_work_that_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("now/run.json");
        assert!(see::<u32>(&path).is_none());
        let mut notebook = Notebook::open(&path).unwrap();
        assert!(Notebook::open(&path).is_none(), "two cannot write in one file");
        notebook.write(&7_u32, false);
        let seen = see::<u32>(&path).unwrap();
        assert!(seen.page == 7 && seen.is_live);
        drop(notebook);
        let seen = see::<u32>(&path).unwrap();
        assert!(seen.page == 7 && !seen.is_live);
        fs::write(&path, "{").unwrap();
        assert!(see::<u32>(&path).is_none());
    }

    #[test]
    fn a_reader_that_looks_at_that_moment_does_not_keep_a_writer_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        let reader = File::create(lock_of(&path)).unwrap();
        reader.try_lock_shared().unwrap();
        let looks = std::thread::spawn(move || {
            std::thread::sleep(TRY_PAUSE * 3);
            drop(reader);
        });
        assert!(Notebook::open(&path).is_some());
        looks.join().unwrap();
    }

    #[test]
    fn of_many_steps_only_some_are_written_and_what_is_no_step_always() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        let mut notebook = Notebook::open(&path).unwrap();
        for step in 0..50_u32 {
            notebook.write(&step, true);
        }
        assert!(see::<u32>(&path).unwrap().page < 49);
        notebook.write(&50_u32, false);
        assert_eq!(see::<u32>(&path).unwrap().page, 50);
    }
}
