//! What came in by each way, as the commands that take files in count it while they work. What counts for an auditor stands in the
//! ledger, batch by batch; here it goes on file by file.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use snowball_protocol::{
    ids::UnixSeconds,
    intake::{Disposition, IntakeReason},
};
use snowball_service::clock;

use super::notebook::{Notebook, Seen, see};
use crate::{cli::ingest::Fate, home::Home};

/// A way in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Way {
    /// `ingest`: a folder, once.
    Folder,
    /// `watch`: a folder that is watched.
    Watched,
    /// `receive`: the archive sends.
    Received,
    /// `retrieve`: the archive is asked.
    Retrieved,
    /// `pull`: the archive is asked by DICOMweb.
    Pulled,
}

/// What came in.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Came {
    pub accepted: u64,
    pub quarantined: u64,
    pub rejected: u64,
    /// Known from before.
    pub known: u64,
    pub withdrawn: u64,
    pub reasons: BTreeMap<IntakeReason, u64>,
}

/// One way, as it is noted.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct WayNoted {
    /// When the run that is under way, or was the last, began.
    pub since: UnixSeconds,
    /// The last file.
    pub last: Option<UnixSeconds>,
    /// By that run.
    pub run: Came,
    /// By all runs since the node notes it.
    pub all: Came,
}

impl Way {
    pub const ALL: [Self; 5] = [
        Self::Folder,
        Self::Watched,
        Self::Received,
        Self::Retrieved,
        Self::Pulled,
    ];

    /// The command that takes in by it.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Folder => "ingest",
            Self::Watched => "watch",
            Self::Received => "receive",
            Self::Retrieved => "retrieve",
            Self::Pulled => "pull",
        }
    }
}

impl Came {
    fn add(&mut self, fate: &Fate) {
        match fate {
            Fate::Accepted => self.accepted += 1,
            Fate::Skipped => self.known += 1,
            Fate::Withdrawn => self.withdrawn += 1,
            Fate::Excluded(excluded) => {
                *self.reasons.entry(excluded.reason).or_default() += 1;
                match excluded.reason.disposition() {
                    Disposition::Quarantined => self.quarantined += 1,
                    _ => self.rejected += 1,
                }
            }
        }
    }
}

/// Who notes it, while a command works.
pub struct Clerk(Mutex<(WayNoted, Option<Notebook>)>);

impl Clerk {
    pub fn at(home: &Home, way: Way) -> Self {
        let before = look(home, way).map(|seen| seen.page).unwrap_or_default();
        let noted = WayNoted {
            since: clock::now(),
            last: before.last,
            run: Came::default(),
            all: before.all,
        };
        let mut notebook = Notebook::open(&path(home, way));
        if let Some(notebook) = &mut notebook {
            notebook.write(&noted, false);
        }
        Self(Mutex::new((noted, notebook)))
    }

    /// One file more.
    pub fn count(&self, fate: &Fate) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (noted, notebook) = &mut *kept;
        noted.run.add(fate);
        noted.all.add(fate);
        noted.last = Some(clock::now());
        if let Some(notebook) = notebook {
            notebook.write(noted, true);
        }
    }

    /// A batch is whole.
    pub fn settle(&self) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (noted, notebook) = &mut *kept;
        if let Some(notebook) = notebook {
            notebook.write(noted, false);
        }
    }
}

/// What came in by a way, if anything did.
pub fn look(home: &Home, way: Way) -> Option<Seen<WayNoted>> {
    see(&path(home, way))
}

/// Where it is noted: a folder of its own, the only one that decoders of hostile files may write to besides what they take in.
pub fn folder(home: &Home) -> PathBuf {
    home.now().join("intake")
}

fn path(home: &Home, way: Way) -> PathBuf {
    folder(home).join(format!("{}.json", way.verb()))
}

#[cfg(test)]
mod tests {
    use snowball_imaging::Excluded;
    use snowball_protocol::Sha256Digest;

    use super::*;

    #[test]
    fn files_are_counted_by_fate_and_the_sum_outlives_a_run() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        assert!(look(&home, Way::Received).is_none());
        for runs in 1..=2 {
            let clerk = Clerk::at(&home, Way::Received);
            let held = Fate::Excluded(Excluded {
                reason: IntakeReason::BurnedInText,
                file_digest: Sha256Digest::of(b"file"),
            });
            for fate in [Fate::Accepted, Fate::Skipped, held] {
                clerk.count(&fate);
            }
            clerk.settle();
            let seen = look(&home, Way::Received).unwrap();
            assert!(seen.is_live);
            assert_eq!((seen.page.run.accepted, seen.page.all.accepted), (1, runs));
            assert_eq!((seen.page.run.quarantined, seen.page.all.known), (1, runs));
            assert_eq!(seen.page.run.reasons[&IntakeReason::BurnedInText], 1);
        }
        assert!(look(&home, Way::Folder).is_none() && !look(&home, Way::Received).unwrap().is_live);
    }
}
