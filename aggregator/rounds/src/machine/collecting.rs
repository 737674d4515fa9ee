//! Updates of a round come in.
//!
//! A round closes with at least `updates.min` of them, and then when every site of the round has contributed; or when
//! `updates.max` are in and `collect_seconds.min` has passed; or when `collect_seconds.max` has passed. So a fast
//! minority never shuts out the rest before the minimum wait. Without its quorum a round stays open: the deadline
//! moves by `collect_seconds.max`, sites that were waiting for the next round take part in this one, and it closes as
//! soon as it has its quorum.
//!
//! Where the plan lets late updates count, an update that was trained from an older model is its site's update of this round, once.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use snowball_protocol::{Problem, ProblemCode, RoundNumber, Sha256Digest, SiteName, StudyPlan, ids::UnixSeconds};

use super::{
    Abandoned, Addition, Aggregating, Duty, Earlier, Effect, Event, Model, Next, Phase, Weight, after, full, misplaced,
    not_joined, reaches,
};

/// A study with an open round.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Collecting {
    /// Which round.
    pub round: RoundNumber,
    /// The model that it starts from.
    pub model: Model,
    /// When it opened.
    pub opened: UnixSeconds,
    /// When it closes, if it has its quorum then.
    pub deadline: UnixSeconds,
    /// How often the deadline passed without a quorum.
    pub extensions: u32,
    /// Who takes part and has not left.
    pub sites: BTreeSet<SiteName>,
    /// Who joined since and takes part from the next round on.
    pub waiting: BTreeSet<SiteName>,
    /// Whose update counts.
    pub contributions: BTreeMap<SiteName, Weight>,
    /// The models before, as many as an update may be late by; the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Earlier>,
}

impl Collecting {
    pub(super) fn open(
        round: RoundNumber,
        model: Model,
        (sites, earlier): (BTreeSet<SiteName>, Vec<Earlier>),
        now: UnixSeconds,
        plan: &StudyPlan,
    ) -> (Phase, Vec<Effect>) {
        let deadline = after(now, plan.rounds.collect_seconds.max);
        let effect = Effect::OpenRound {
            round,
            model: model.digest,
            sites: sites.clone(),
            deadline,
        };
        let phase = Self {
            round,
            model,
            opened: now,
            deadline,
            extensions: 0,
            sites,
            waiting: BTreeSet::new(),
            contributions: BTreeMap::new(),
            earlier,
        };
        (Phase::Collecting(phase), vec![effect])
    }

    pub(super) fn handle(mut self, event: Event, now: UnixSeconds, plan: &StudyPlan) -> Next {
        match event {
            Event::UpdateAdmitted {
                site,
                round,
                examples,
                behind,
            } => {
                let weight = Weight {
                    examples,
                    received: now,
                    behind,
                };
                self.contribute(site, round, weight, plan)?;
            }
            Event::Joined { site } => self.join(site, plan)?,
            Event::Left { site } => {
                self.sites.remove(&site);
                self.waiting.remove(&site);
            }
            Event::Tick => {}
            Event::Aborted { reason } => return Ok(Abandoned::because(reason, now, self.round, Some(self.model))),
            other => return Err(misplaced(&other, "collecting")),
        }
        Ok(self.settle(now, plan))
    }

    pub(super) fn addition(&self, event: &Event, now: UnixSeconds, plan: &StudyPlan) -> Option<Addition> {
        match event {
            Event::UpdateAdmitted {
                site,
                round,
                examples,
                behind,
            } => {
                let weight = Weight {
                    examples: *examples,
                    received: now,
                    behind: *behind,
                };
                let counts = self.may_contribute(site, *round, weight, plan).is_ok()
                    && self.surely_stays_open(self.contributions.len() + 1, now, plan);
                counts.then(|| Addition::Contribution {
                    site: site.clone(),
                    weight,
                })
            }
            Event::Joined { site } => {
                let is_new = !self.sites.contains(site)
                    && !self.waiting.contains(site)
                    && !reaches(self.sites.len() + self.waiting.len(), plan.rounds.sites.max)
                    && self.surely_stays_open(self.contributions.len(), now, plan);
                is_new.then(|| Addition::Member { site: site.clone() })
            }
            _ => None,
        }
    }

    pub(super) fn duty(&self, site: &SiteName) -> Duty {
        if self.sites.contains(site) && !self.contributions.contains_key(site) {
            Duty::Train {
                round: self.round,
                model: self.model,
                deadline: self.deadline,
            }
        } else {
            Duty::Wait
        }
    }

    /// The first time at which a tick may close or extend the round.
    pub(super) fn next_wake(&self, plan: &StudyPlan) -> UnixSeconds {
        if reaches(self.contributions.len(), plan.rounds.updates.max) && self.has_quorum(plan) {
            after(self.opened, plan.rounds.collect_seconds.min)
        } else {
            self.deadline
        }
    }

    /// By how many rounds `model` is older than this round's; `None` if no update from it counts any more.
    #[must_use]
    pub fn behind(&self, model: Sha256Digest) -> Option<u32> {
        if model == self.model.digest {
            return Some(0);
        }
        let place = self.earlier.iter().rev().position(|earlier| earlier.model == model);
        place.and_then(|place| u32::try_from(place + 1).ok())
    }

    /// Whether an update of `site` from the model of `behind` rounds ago has counted in an earlier round.
    #[must_use]
    pub fn has_used(&self, site: &SiteName, behind: u32) -> bool {
        self.earlier_at(behind)
            .is_some_and(|place| self.earlier[place].used_by.contains(site))
    }

    fn earlier_at(&self, behind: u32) -> Option<usize> {
        self.earlier
            .len()
            .checked_sub(usize::try_from(behind).ok()?)
            .filter(|_| behind > 0)
    }

    fn contribute(
        &mut self,
        site: SiteName,
        round: RoundNumber,
        weight: Weight,
        plan: &StudyPlan,
    ) -> Result<(), Problem> {
        self.may_contribute(&site, round, weight, plan)?;
        self.count(site, weight);
        Ok(())
    }

    /// Counts an update that may count. Whether it is new.
    pub(super) fn count(&mut self, site: SiteName, weight: Weight) -> bool {
        if let Some(place) = self.earlier_at(weight.behind) {
            self.earlier[place].used_by.insert(site.clone());
        }
        self.contributions.insert(site, weight).is_none()
    }

    fn may_contribute(
        &self,
        site: &SiteName,
        round: RoundNumber,
        weight: Weight,
        plan: &StudyPlan,
    ) -> Result<(), Problem> {
        if round != self.round {
            return Err(Problem::new(
                ProblemCode::RoundClosed,
                format!("round {} is open, not {round}", self.round),
            ));
        }
        if self.contributions.contains_key(site) {
            let reason = format!("{site} has already contributed to round {round}");
            return Err(Problem::new(ProblemCode::AlreadyContributed, reason));
        }
        if self.waiting.contains(site) {
            let reason = format!("{site} joined during round {round} and takes part from the next one on");
            return Err(Problem::new(ProblemCode::RoundClosed, reason));
        }
        if !self.sites.contains(site) {
            return Err(not_joined(site));
        }
        if reaches(self.contributions.len(), plan.rounds.updates.max) {
            let reason = format!(
                "round {round} has all the {} updates that it takes",
                plan.rounds.updates.max
            );
            return Err(Problem::new(ProblemCode::RoundClosed, reason));
        }
        let behind = weight.behind;
        if behind > 0 {
            let place = self.earlier_at(behind).ok_or_else(|| too_late(behind, plan))?;
            if self.earlier[place].used_by.contains(site) {
                return Err(used_before(site));
            }
        }
        Ok(())
    }

    fn join(&mut self, site: SiteName, plan: &StudyPlan) -> Result<(), Problem> {
        if self.sites.contains(&site) || self.waiting.contains(&site) {
            return Ok(());
        }
        if reaches(self.sites.len() + self.waiting.len(), plan.rounds.sites.max) {
            return Err(full(plan));
        }
        self.take_in(site);
        Ok(())
    }

    /// Takes in a site that may join. Whether it is new.
    pub(super) fn take_in(&mut self, site: SiteName) -> bool {
        // An extended round lacks updates; whoever comes now helps.
        if self.extensions > 0 {
            self.sites.insert(site)
        } else {
            self.waiting.insert(site)
        }
    }

    /// Whether the round neither closes nor is extended with so many updates, as far as counts tell: it may still stay open where
    /// this says no.
    fn surely_stays_open(&self, updates: usize, now: UnixSeconds, plan: &StudyPlan) -> bool {
        let rounds = &plan.rounds;
        let may_close = reaches(updates, rounds.updates.min)
            && (updates >= self.sites.len() || reaches(updates, rounds.updates.max) || self.extensions > 0);
        now < self.deadline && !may_close
    }

    fn settle(mut self, now: UnixSeconds, plan: &StudyPlan) -> (Phase, Vec<Effect>) {
        if self.may_close(now, plan) {
            return Aggregating::close(self, now, plan);
        }
        if now < self.deadline {
            return (Phase::Collecting(self), vec![]);
        }
        self.extensions = self.extensions.saturating_add(1);
        self.deadline = after(now, plan.rounds.collect_seconds.max);
        self.sites.append(&mut self.waiting);
        let Self {
            round,
            deadline,
            extensions,
            ..
        } = self;
        (
            Phase::Collecting(self),
            vec![Effect::ExtendRound {
                round,
                deadline,
                extensions,
            }],
        )
    }

    fn may_close(&self, now: UnixSeconds, plan: &StudyPlan) -> bool {
        let rounds = &plan.rounds;
        let is_waited = now >= after(self.opened, rounds.collect_seconds.min);
        // An extended round has had its time, also where the clock was set back since.
        let is_time_over = self.extensions > 0 || now >= self.deadline;
        let is_full = reaches(self.contributions.len(), rounds.updates.max);
        let is_complete = self.sites.iter().all(|site| self.contributions.contains_key(site));
        self.has_quorum(plan) && (is_complete || (is_full && is_waited) || is_time_over)
    }

    fn has_quorum(&self, plan: &StudyPlan) -> bool {
        reaches(self.contributions.len(), plan.rounds.updates.min)
    }
}

/// The refusal of an update that was trained from a model too long ago.
fn too_late(behind: u32, plan: &StudyPlan) -> Problem {
    let most = plan.rounds.late.rounds_max();
    Problem::new(
        ProblemCode::RoundClosed,
        format!("the update is {behind} rounds late; the plan takes at most {most}"),
    )
}

/// The refusal of an update from a model of which the site has given one before.
pub(crate) fn used_before(site: &SiteName) -> Problem {
    let reason = format!("an update of {site} from this model has counted before");
    Problem::new(ProblemCode::AlreadyContributed, reason)
}

#[cfg(test)]
mod tests {
    use snowball_protocol::{ProblemCode, RoundNumber, plan::Late, session::PhaseName};

    use crate::{
        machine::{Duty, Effect, Event, Phase},
        testing::{Study, site},
    };

    #[test]
    fn a_fast_minority_waits_for_the_rest() {
        let mut study = Study::collecting(4);
        study.contribute(0, 1);
        study.contribute(1, 2);
        study.contribute(2, 3);
        study.tick(59);
        assert_eq!(study.phase.name(), PhaseName::Collecting);
        let effects = study.contribute(3, 59);
        assert!(matches!(&effects[..], [Effect::CloseRound { contributors, silent, .. }]
            if contributors.len() == 4 && silent.is_empty()));
    }

    #[test]
    fn the_most_updates_close_only_after_the_minimum_wait() {
        let mut study = Study::collecting(4);
        study.plan.rounds.updates.max = 2;
        study.contribute(0, 1);
        study.contribute(1, 2);
        assert_eq!(study.phase.next_wake(&study.plan), Some(5));
        let problem = study.try_contribute(2, 3).unwrap_err();
        assert_eq!(problem.code, ProblemCode::RoundClosed);
        study.tick(4);
        assert_eq!(study.phase.name(), PhaseName::Collecting);
        study.tick(5);
        assert_eq!(study.phase.name(), PhaseName::Aggregating);
    }

    #[test]
    fn at_the_deadline_a_quorum_closes_and_names_the_silent() {
        let mut study = Study::collecting(3);
        study.contribute(0, 1);
        study.contribute(2, 1);
        let effects = study.tick(60);
        assert!(matches!(&effects[..], [Effect::CloseRound { silent, .. }] if silent.contains(&site(1))));
    }

    #[test]
    fn without_a_quorum_the_round_is_extended_and_never_killed() {
        let mut study = Study::collecting(2);
        study.contribute(0, 1);
        study.join(3, 30);
        assert_eq!(study.phase.duty(&site(3)), Duty::Wait);
        assert_eq!(study.try_contribute(3, 31).unwrap_err().code, ProblemCode::RoundClosed);
        assert_eq!(
            study.tick(60),
            [Effect::ExtendRound {
                round: RoundNumber(1),
                deadline: 120,
                extensions: 1
            }]
        );
        assert_eq!(
            study.tick(5000),
            [Effect::ExtendRound {
                round: RoundNumber(1),
                deadline: 5060,
                extensions: 2
            }]
        );
        assert!(matches!(study.phase.duty(&site(3)), Duty::Train { deadline: 5060, .. }));
        study.contribute(3, 5001);
        let Phase::Aggregating(phase) = &study.phase else {
            panic!("{:?}", study.phase.name())
        };
        assert_eq!(phase.extensions, 2);
    }

    #[test]
    fn a_site_that_leaves_is_not_waited_for_but_its_update_counts() {
        let mut study = Study::collecting(4);
        study.contribute(0, 1);
        study.contribute(1, 1);
        study.leave(0, 2);
        study.leave(2, 2);
        assert_eq!(study.phase.name(), PhaseName::Collecting);
        let effects = study.leave(3, 2);
        assert!(matches!(&effects[..], [Effect::CloseRound { contributors, .. }] if contributors.contains(&site(0))));
    }

    #[test]
    fn a_late_update_counts_once_in_the_open_round_where_the_plan_says_so() {
        let mut study = Study::collecting(3);
        study.plan.rounds.late = Late::Fold { rounds: 1 };
        study.contribute(0, 1);
        study.contribute(1, 1);
        study.tick(60);
        study.aggregate(61);
        let refused = |study: &mut Study, site, behind| study.try_contribute_late(site, behind, 62).unwrap_err().code;
        assert_eq!(refused(&mut study, 0, 1), ProblemCode::AlreadyContributed);
        assert_eq!(refused(&mut study, 2, 2), ProblemCode::RoundClosed);
        study.try_contribute_late(2, 1, 62).unwrap();
        assert_eq!(study.phase.duty(&site(2)), Duty::Wait);
        assert_eq!(
            study.try_contribute(2, 63).unwrap_err().code,
            ProblemCode::AlreadyContributed
        );
        study.contribute(0, 63);
        study.contribute(1, 63);
        study.aggregate(64);
        assert_eq!(refused(&mut study, 0, 1), ProblemCode::AlreadyContributed);
        assert_eq!(refused(&mut study, 2, 2), ProblemCode::RoundClosed);
        // It gave its late update in that round, so one from that round's model is another one.
        study.try_contribute_late(2, 1, 65).unwrap();
    }

    #[test]
    fn a_plan_that_drops_late_updates_remembers_no_model() {
        let mut study = Study::collecting(3);
        study.contribute(0, 1);
        study.contribute(1, 1);
        study.tick(60);
        study.aggregate(61);
        assert_eq!(
            study.try_contribute_late(2, 1, 62).unwrap_err().code,
            ProblemCode::RoundClosed
        );
        assert!(!serde_json::to_string(&study.phase).unwrap().contains("earlier"));
    }

    #[test]
    fn the_same_site_counts_once_and_only_in_the_open_round() {
        let mut study = Study::collecting(3);
        study.contribute(0, 1);
        assert_eq!(
            study.try_contribute(0, 2).unwrap_err().code,
            ProblemCode::AlreadyContributed
        );
        let stale = Event::UpdateAdmitted {
            site: site(1),
            round: RoundNumber(2),
            examples: 1,
            behind: 0,
        };
        assert_eq!(
            study.phase.handle(stale, 2, &study.plan).unwrap_err().code,
            ProblemCode::RoundClosed
        );
        assert_eq!(study.try_contribute(9, 2).unwrap_err().code, ProblemCode::NotJoined);
    }
}
