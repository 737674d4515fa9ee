//! The coordinator has the study rest: no site is asked for anything, and the study's clock stands still.
//!
//! What is under way at a site may still come in and counts; a round that it completes is closed, and the next one opens and waits.
//! When the study goes on, every time of its phase is as far away as it was.

use serde::{Deserialize, Serialize};
use snowball_protocol::{StudyPlan, ids::UnixSeconds};

use super::{Effect, Event, Next, Phase, misplaced};

/// A study that rests.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Paused {
    /// Where it rests: never over, and never itself paused.
    pub within: Box<Phase>,
    /// Since when.
    pub since: UnixSeconds,
    /// Why, for people.
    pub reason: String,
}

impl Paused {
    pub(super) fn begin(within: Phase, reason: String, now: UnixSeconds) -> (Phase, Vec<Effect>) {
        let effect = Effect::Pause { reason: reason.clone() };
        let phase = Self {
            within: Box::new(within),
            since: now,
            reason,
        };
        (Phase::Paused(phase), vec![effect])
    }

    pub(super) fn handle(self, event: Event, now: UnixSeconds, plan: &StudyPlan) -> Next {
        match event {
            Event::Resumed => {
                // A clock that was set back has not stood still for less than no time.
                let rested = now.saturating_sub(self.since).max(0);
                Ok((self.within.later_by(rested), vec![Effect::Resume]))
            }
            Event::Tick | Event::Paused { .. } => Ok((Phase::Paused(self), vec![])),
            Event::Aborted { .. } => {
                let step = self.within.handle(event, now, plan)?;
                Ok((step.phase, step.effects))
            }
            Event::Started { .. } | Event::ReleaseSigned { .. } => Err(misplaced(&event, "it is paused")),
            event => {
                let Self { within, since, reason } = self;
                let step = within.handle(event, since, plan)?;
                let phase = match step.phase {
                    over @ (Phase::Released(_) | Phase::Abandoned(_)) => over,
                    within => Phase::Paused(Self {
                        within: Box::new(within),
                        since,
                        reason,
                    }),
                };
                Ok((phase, step.effects))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::{ProblemCode, session::PhaseName};

    use crate::{
        machine::{Duty, Effect, Event, Phase},
        testing::{Study, site},
    };

    fn pause(study: &mut Study, now: i64) -> Vec<Effect> {
        let reason = "a mistake in the plan".to_owned();
        study.send(Event::Paused { reason }, now)
    }

    #[test]
    fn nobody_is_asked_and_no_time_passes_until_the_study_goes_on() {
        let mut study = Study::collecting(3);
        study.contribute(0, 10);
        assert!(matches!(&pause(&mut study, 20)[..], [Effect::Pause { .. }]));
        assert_eq!(study.phase.duty(&site(1)), Duty::Wait);
        assert_eq!(
            (study.phase.name(), study.phase.next_wake(&study.plan)),
            (PhaseName::Collecting, None)
        );
        assert!(study.tick(5_000).is_empty());
        assert!(pause(&mut study, 5_000).is_empty(), "once is enough");
        assert_eq!(study.send(Event::Resumed, 10_000), [Effect::Resume]);
        assert!(matches!(
            study.phase.duty(&site(1)),
            Duty::Train { deadline: 10_040, .. }
        ));
        assert!(study.tick(10_039).is_empty());
        assert!(!study.tick(10_040).is_empty());
    }

    #[test]
    fn what_was_under_way_counts_and_the_next_round_waits() {
        let mut study = Study::collecting(2);
        study.contribute(0, 10);
        pause(&mut study, 20);
        assert!(matches!(&study.contribute(1, 500)[..], [Effect::CloseRound { .. }]));
        assert!(
            matches!(study.phase.resume(), Some(Effect::CloseRound { .. })),
            "a restart makes its model"
        );
        assert!(matches!(&study.aggregate(501)[..], [Effect::OpenRound { .. }]));
        assert_eq!(study.phase.duty(&site(0)), Duty::Wait);
        study.send(Event::Resumed, 1_020);
        assert!(matches!(
            study.phase.duty(&site(0)),
            Duty::Train { deadline: 1_080, .. }
        ));
    }

    #[test]
    fn a_paused_study_can_be_ended_and_one_that_is_over_not_paused() {
        let mut study = Study::recruiting();
        pause(&mut study, 1);
        assert!(study.tick(5_000).is_empty(), "recruiting does not end meanwhile");
        study.join(0, 2);
        let reason = "it is enough".to_owned();
        study.send(Event::Aborted { reason }, 3);
        assert!(matches!(study.phase, Phase::Abandoned(_)));
        let reason = "too late".to_owned();
        let problem = study
            .phase
            .handle(Event::Paused { reason }, 4, &study.plan)
            .unwrap_err();
        assert_eq!(problem.code, ProblemCode::StudyClosed);
        assert!(study.phase.handle(Event::Resumed, 4, &study.plan).is_err());
    }
}
