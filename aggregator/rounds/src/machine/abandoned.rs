//! Ended without a release.

use serde::{Deserialize, Serialize};
use snowball_protocol::{RoundNumber, ids::UnixSeconds};

use super::{Effect, Event, Model, Next, Phase, misplaced};

/// A study that ended without a release.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Abandoned {
    /// Why, for people.
    pub reason: String,
    /// When.
    pub at: UnixSeconds,
    /// The round that was under way; 0 if none ever was.
    pub round: RoundNumber,
    /// The newest model, if there was one.
    pub model: Option<Model>,
}

impl Abandoned {
    pub(super) fn because(
        reason: String,
        now: UnixSeconds,
        round: RoundNumber,
        model: Option<Model>,
    ) -> (Phase, Vec<Effect>) {
        let phase = Self {
            reason: reason.clone(),
            at: now,
            round,
            model,
        };
        (Phase::Abandoned(phase), vec![Effect::Abandon { reason }])
    }

    pub(super) fn handle(self, event: Event) -> Next {
        match event {
            Event::Left { .. } | Event::Tick | Event::Aborted { .. } => Ok((Phase::Abandoned(self), vec![])),
            other => Err(misplaced(&other, "abandoned")),
        }
    }
}
