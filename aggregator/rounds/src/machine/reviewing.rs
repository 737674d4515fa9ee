//! All rounds are done: the sites evaluate the final model, then the coordinator reviews and signs, or does not.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use snowball_protocol::{Problem, ProblemCode, SiteName, StudyPlan, ids::UnixSeconds};

use super::{Abandoned, Addition, Duty, Effect, Event, Model, Next, Phase, Released, after, misplaced, not_joined};

/// A study whose final model is under review.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reviewing {
    /// The final model.
    pub model: Model,
    /// When the review began.
    pub opened: UnixSeconds,
    /// When it goes on without those who have not answered.
    pub deadline: UnixSeconds,
    /// Who was asked and has not left.
    pub sites: BTreeSet<SiteName>,
    /// Who has answered.
    pub evaluated: BTreeSet<SiteName>,
    /// When the evaluation was over, if it is.
    pub closed: Option<UnixSeconds>,
}

impl Reviewing {
    /// Whether the evaluation is over, so that a release may be signed.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.closed.is_some()
    }

    pub(super) fn open(
        model: Model,
        sites: BTreeSet<SiteName>,
        now: UnixSeconds,
        plan: &StudyPlan,
    ) -> (Phase, Vec<Effect>) {
        let deadline = after(now, plan.rounds.review_seconds_max);
        let effect = Effect::OpenReview {
            model: model.digest,
            deadline,
        };
        let phase = Self {
            model,
            opened: now,
            deadline,
            sites,
            evaluated: BTreeSet::new(),
            closed: None,
        };
        let (phase, effects) = phase.settle(now);
        (phase, std::iter::once(effect).chain(effects).collect())
    }

    pub(super) fn handle(mut self, event: Event, now: UnixSeconds) -> Next {
        match event {
            Event::Evaluated { site } if self.sites.contains(&site) => {
                self.evaluated.insert(site);
            }
            Event::Evaluated { site } => return Err(not_joined(&site)),
            Event::Left { site } => {
                self.sites.remove(&site);
            }
            Event::Joined { site } if self.sites.contains(&site) => {}
            Event::Tick => {}
            Event::ReleaseSigned { release } if self.is_ready() => return Ok(Released::with(release, self.model, now)),
            Event::ReleaseSigned { .. } => {
                let reason = "the final evaluation is still open";
                return Err(Problem::new(ProblemCode::StudyClosed, reason)
                    .with_remedy("wait until every site has answered or the review's time is over"));
            }
            Event::Aborted { reason } => {
                return Ok(Abandoned::because(reason, now, self.model.round, Some(self.model)));
            }
            other => return Err(misplaced(&other, "its final model is reviewed")),
        }
        Ok(self.settle(now))
    }

    pub(super) fn addition(&self, event: &Event, now: UnixSeconds) -> Option<Addition> {
        let Event::Evaluated { site } = event else { return None };
        let is_new = self.sites.contains(site) && !self.evaluated.contains(site);
        // Who left may have answered before: then this may not be the last answer, and the whole phase tells.
        let stays_open = self.is_ready() || (self.evaluated.len() + 1 < self.sites.len() && now < self.deadline);
        (is_new && stays_open).then(|| Addition::Evaluation { site: site.clone() })
    }

    pub(super) fn duty(&self, site: &SiteName) -> Duty {
        if !self.sites.contains(site) {
            Duty::Wait
        } else if self.evaluated.contains(site) {
            Duty::Done {
                model: Some(self.model),
            }
        } else {
            Duty::Evaluate { model: self.model }
        }
    }

    pub(super) fn next_wake(&self) -> Option<UnixSeconds> {
        (!self.is_ready()).then_some(self.deadline)
    }

    fn settle(mut self, now: UnixSeconds) -> (Phase, Vec<Effect>) {
        let silent: BTreeSet<SiteName> = self.sites.difference(&self.evaluated).cloned().collect();
        if self.is_ready() || !(silent.is_empty() || now >= self.deadline) {
            return (Phase::Reviewing(self), vec![]);
        }
        self.closed = Some(now);
        let effect = Effect::CloseReview {
            evaluated: self.evaluated.clone(),
            silent,
        };
        (Phase::Reviewing(self), vec![effect])
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::{ProblemCode, Sha256Digest, session::PhaseName};

    use crate::{
        machine::{Duty, Effect, Event},
        testing::{Study, site},
    };

    fn reviewing() -> Study {
        let mut study = Study::collecting(2);
        study.plan.rounds.count = 1;
        study.contribute(0, 2);
        study.contribute(1, 2);
        study.aggregate(4);
        study
    }

    #[test]
    fn a_release_waits_for_all_answers() {
        let mut study = reviewing();
        let signed = Event::ReleaseSigned {
            release: Sha256Digest::of(b"release"),
        };
        assert!(study.phase.handle(signed.clone(), 5, &study.plan).is_err());
        study.evaluate(0, 5);
        assert!(matches!(study.phase.duty(&site(0)), Duty::Done { .. }));
        assert!(matches!(study.phase.duty(&site(1)), Duty::Evaluate { .. }));
        assert!(matches!(&study.evaluate(1, 6)[..], [Effect::CloseReview { silent, .. }] if silent.is_empty()));
        assert!(matches!(&study.send(signed, 7)[..], [Effect::Finish { .. }]));
        assert_eq!(study.phase.name(), PhaseName::Released);
    }

    #[test]
    fn the_review_goes_on_without_the_silent_and_takes_late_answers() {
        let mut study = reviewing();
        study.evaluate(0, 5);
        assert!(study.tick(23).is_empty());
        assert!(matches!(&study.tick(24)[..], [Effect::CloseReview { silent, .. }] if silent.contains(&site(1))));
        assert!(study.tick(25).is_empty());
        assert!(study.evaluate(1, 26).is_empty());
        let stranger = Event::Evaluated { site: site(7) };
        assert_eq!(
            study.phase.handle(stranger, 27, &study.plan).unwrap_err().code,
            ProblemCode::NotJoined
        );
    }
}
