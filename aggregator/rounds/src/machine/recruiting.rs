//! Sites join, until there are enough of them and the others had their time.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use snowball_protocol::{RoundNumber, SiteName, StudyPlan, ids::UnixSeconds};

use super::{Abandoned, Addition, Collecting, Event, Model, Next, Phase, after, full, misplaced, reaches};

/// A study that gathers its sites.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Recruiting {
    /// When recruiting began.
    pub opened: UnixSeconds,
    /// The initial model.
    pub model: Model,
    /// Who has joined.
    pub sites: BTreeSet<SiteName>,
}

impl Recruiting {
    pub(super) fn handle(mut self, event: Event, now: UnixSeconds, plan: &StudyPlan) -> Next {
        match event {
            Event::Joined { site } if !self.sites.contains(&site) => {
                if reaches(self.sites.len(), plan.rounds.sites.max) {
                    return Err(full(plan));
                }
                self.sites.insert(site);
            }
            Event::Left { site } => {
                self.sites.remove(&site);
            }
            Event::Joined { .. } | Event::Tick => {}
            Event::Aborted { reason } => {
                return Ok(Abandoned::because(reason, now, RoundNumber(0), Some(self.model)));
            }
            other => return Err(misplaced(&other, "recruiting")),
        }
        Ok(self.settle(now, plan))
    }

    pub(super) fn addition(&self, event: &Event, now: UnixSeconds, plan: &StudyPlan) -> Option<Addition> {
        let Event::Joined { site } = event else { return None };
        let sites = self.sites.len() + 1;
        let is_alone = !self.sites.contains(site)
            && !reaches(sites, plan.rounds.sites.max)
            && now < self.next_wake_with(sites, plan);
        is_alone.then(|| Addition::Member { site: site.clone() })
    }

    /// The first time at which a tick may end this phase.
    pub(super) fn next_wake(&self, plan: &StudyPlan) -> UnixSeconds {
        self.next_wake_with(self.sites.len(), plan)
    }

    fn next_wake_with(&self, sites: usize, plan: &StudyPlan) -> UnixSeconds {
        let seconds = plan.rounds.recruit_seconds;
        let has_quorum = reaches(sites, plan.rounds.sites.min);
        after(self.opened, if has_quorum { seconds.min } else { seconds.max })
    }

    fn settle(self, now: UnixSeconds, plan: &StudyPlan) -> (Phase, Vec<super::Effect>) {
        let rounds = &plan.rounds;
        let is_full = reaches(self.sites.len(), rounds.sites.max);
        let is_time_over = now >= self.next_wake(plan);
        if is_full || (is_time_over && self.has_quorum(plan)) {
            return Collecting::open(RoundNumber(1), self.model, (self.sites, Vec::new()), now, plan);
        }
        if is_time_over {
            let reason = format!(
                "{} of at least {} sites joined within {} seconds",
                self.sites.len(),
                rounds.sites.min,
                rounds.recruit_seconds.max
            );
            return Abandoned::because(reason, now, RoundNumber(0), Some(self.model));
        }
        (Phase::Recruiting(self), vec![])
    }

    fn has_quorum(&self, plan: &StudyPlan) -> bool {
        reaches(self.sites.len(), plan.rounds.sites.min)
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::{ProblemCode, session::PhaseName};

    use crate::{
        machine::{Effect, Phase},
        testing::{Study, site},
    };

    #[test]
    fn a_quorum_waits_for_the_minimum_time() {
        let mut study = Study::recruiting();
        study.join(0, 0);
        study.join(1, 9);
        assert_eq!(study.phase.name(), PhaseName::Recruiting);
        assert_eq!(study.phase.next_wake(&study.plan), Some(10));
        let effects = study.tick(10);
        assert!(matches!(&effects[..], [Effect::OpenRound { sites, deadline: 70, .. }] if sites.len() == 2));
    }

    #[test]
    fn all_places_taken_opens_at_once_and_the_fifth_site_is_refused() {
        let mut study = Study::recruiting();
        (0..4).for_each(|number| drop(study.join(number, 1)));
        assert_eq!(study.phase.name(), PhaseName::Collecting);
        let problem = study.try_join(4, 2).unwrap_err();
        assert_eq!(problem.code, ProblemCode::StudyClosed);
    }

    #[test]
    fn without_a_quorum_the_study_is_abandoned_at_the_maximum_time() {
        let mut study = Study::recruiting();
        study.join(0, 0);
        study.tick(99);
        assert_eq!(study.phase.name(), PhaseName::Recruiting);
        assert!(matches!(&study.tick(100)[..], [Effect::Abandon { .. }]));
        assert!(matches!(study.phase, Phase::Abandoned(_)));
    }

    #[test]
    fn a_site_that_leaves_frees_its_place() {
        let mut study = Study::recruiting();
        (0..3).for_each(|number| drop(study.join(number, 1)));
        study.leave(0, 2);
        assert!(!study.phase.is_member(&site(0)));
        study.join(4, 3);
        assert_eq!(study.phase.name(), PhaseName::Recruiting);
    }
}
