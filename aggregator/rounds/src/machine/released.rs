//! A release was signed: the end that a study is made for.

use serde::{Deserialize, Serialize};
use snowball_protocol::{Sha256Digest, ids::UnixSeconds};

use super::{Effect, Event, Model, Next, Phase, misplaced};

/// A study that ended with a release.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Released {
    /// The model that was released.
    pub model: Model,
    /// Digest of the released file.
    pub release: Sha256Digest,
    /// When.
    pub at: UnixSeconds,
}

impl Released {
    pub(super) fn with(release: Sha256Digest, model: Model, now: UnixSeconds) -> (Phase, Vec<Effect>) {
        (
            Phase::Released(Self {
                model,
                release,
                at: now,
            }),
            vec![Effect::Finish { release }],
        )
    }

    pub(super) fn handle(self, event: Event) -> Next {
        match event {
            Event::Left { .. } | Event::Tick => {}
            Event::ReleaseSigned { release } if release == self.release => {}
            other => return Err(misplaced(&other, "released")),
        }
        Ok((Phase::Released(self), vec![]))
    }
}
