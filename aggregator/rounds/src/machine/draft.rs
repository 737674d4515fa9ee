//! Created, not started.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use snowball_protocol::{RoundNumber, StudyPlan, ids::UnixSeconds};

use super::{Abandoned, Effect, Event, Model, Next, Phase, Recruiting, after, misplaced};

/// A study that waits for its coordinator.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Draft {}

impl Draft {
    pub(super) fn handle(self, event: Event, now: UnixSeconds, plan: &StudyPlan) -> Next {
        match event {
            Event::Started { model } => {
                let model = Model {
                    round: RoundNumber(0),
                    digest: model,
                    control: None,
                };
                let closes = after(now, plan.rounds.recruit_seconds.max);
                let phase = Recruiting {
                    opened: now,
                    model,
                    sites: BTreeSet::new(),
                };
                Ok((Phase::Recruiting(phase), vec![Effect::OpenRecruiting { closes }]))
            }
            Event::Aborted { reason } => Ok(Abandoned::because(reason, now, RoundNumber(0), None)),
            Event::Left { .. } | Event::Tick => Ok((Phase::Draft(self), vec![])),
            other => Err(misplaced(&other, "not started")),
        }
    }
}
