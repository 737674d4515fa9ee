//! A round is closed; its updates become the next model.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use snowball_protocol::{Problem, ProblemCode, RoundNumber, SiteName, StudyPlan, ids::UnixSeconds};

use super::{
    Abandoned, Addition, Collecting, Earlier, Effect, Event, Model, Next, Phase, Reviewing, Weight, full, misplaced,
    reaches,
};

/// A study whose closed round is being averaged.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Aggregating {
    /// Which round.
    pub round: RoundNumber,
    /// The model that it started from.
    pub model: Model,
    /// When it opened.
    pub opened: UnixSeconds,
    /// When it closed.
    pub closed: UnixSeconds,
    /// How often it was extended.
    pub extensions: u32,
    /// Who takes part in the next round: everybody who has joined and not left.
    pub sites: BTreeSet<SiteName>,
    /// Whose updates count.
    pub contributions: BTreeMap<SiteName, Weight>,
    /// Who took part and sent nothing.
    pub silent: BTreeSet<SiteName>,
    /// The models before, as many as an update may be late by; the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Earlier>,
}

impl Aggregating {
    pub(super) fn close(open: Collecting, now: UnixSeconds, plan: &StudyPlan) -> (Phase, Vec<Effect>) {
        let Collecting {
            round,
            model,
            opened,
            extensions,
            mut sites,
            mut waiting,
            contributions,
            mut earlier,
            ..
        } = open;
        let kept = usize::try_from(plan.rounds.late.rounds_max()).unwrap_or(usize::MAX);
        if kept > 0 {
            // Who has given an update from an older model may still be training from this one.
            let from_it = contributions.iter().filter(|(_, weight)| weight.behind == 0);
            earlier.push(Earlier {
                model: model.digest,
                used_by: from_it.map(|(site, _)| site.clone()).collect(),
            });
            earlier.drain(..earlier.len().saturating_sub(kept));
        }
        let silent = sites
            .iter()
            .filter(|site| !contributions.contains_key(*site))
            .cloned()
            .collect();
        sites.append(&mut waiting);
        let phase = Self {
            round,
            model,
            opened,
            closed: now,
            extensions,
            sites,
            contributions,
            silent,
            earlier,
        };
        let effect = phase.close_round();
        (Phase::Aggregating(phase), vec![effect])
    }

    pub(super) fn handle(mut self, event: Event, now: UnixSeconds, plan: &StudyPlan) -> Next {
        match event {
            Event::Aggregated { round, model, control } if round == self.round => {
                let model = Model {
                    round,
                    digest: model,
                    control,
                };
                let is_last = round.0 >= plan.rounds.count;
                return Ok(if is_last {
                    Reviewing::open(model, self.sites, now, plan)
                } else {
                    Collecting::open(round.next(), model, (self.sites, self.earlier), now, plan)
                });
            }
            Event::Aggregated { round, .. } => {
                let reason = format!("round {} is being averaged, not {round}", self.round);
                return Err(Problem::new(ProblemCode::RoundClosed, reason));
            }
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
            Event::UpdateAdmitted { site, round, .. }
                if round == self.round && self.contributions.contains_key(&site) =>
            {
                let reason = format!("{site} has already contributed to round {round}");
                return Err(Problem::new(ProblemCode::AlreadyContributed, reason));
            }
            Event::Aborted { reason } => return Ok(Abandoned::because(reason, now, self.round, Some(self.model))),
            other => return Err(misplaced(&other, "a closed round is being averaged")),
        }
        Ok((Phase::Aggregating(self), vec![]))
    }

    pub(super) fn addition(&self, event: &Event, plan: &StudyPlan) -> Option<Addition> {
        let Event::Joined { site } = event else { return None };
        let is_new = !self.sites.contains(site) && !reaches(self.sites.len(), plan.rounds.sites.max);
        is_new.then(|| Addition::Member { site: site.clone() })
    }

    /// What this phase is for.
    pub(super) fn close_round(&self) -> Effect {
        Effect::CloseRound {
            round: self.round,
            contributors: self.contributions.keys().cloned().collect(),
            silent: self.silent.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::{ProblemCode, RoundNumber, Sha256Digest, session::PhaseName};

    use crate::{
        machine::{Duty, Effect, Event},
        testing::{Study, site},
    };

    #[test]
    fn late_joiners_take_part_in_the_next_round() {
        let mut study = Study::collecting(2);
        study.join(2, 1);
        study.contribute(0, 2);
        study.contribute(1, 2);
        study.join(3, 3);
        assert_eq!(study.phase.duty(&site(3)), Duty::Wait);
        let effects = study.aggregate(4);
        assert!(matches!(&effects[..], [Effect::OpenRound { round: RoundNumber(2), sites, .. }] if sites.len() == 4));
    }

    #[test]
    fn an_update_after_the_close_is_late_and_a_restart_aggregates_again() {
        let mut study = Study::collecting(2);
        study.contribute(0, 2);
        study.contribute(1, 2);
        assert_eq!(study.phase.name(), PhaseName::Aggregating);
        assert_eq!(
            study.try_contribute(0, 3).unwrap_err().code,
            ProblemCode::AlreadyContributed
        );
        assert_eq!(study.try_contribute(2, 3).unwrap_err().code, ProblemCode::RoundClosed);
        assert!(
            matches!(study.phase.resume(), Some(Effect::CloseRound { contributors, .. }) if contributors.len() == 2)
        );
        let wrong = Event::Aggregated {
            round: RoundNumber(2),
            model: Sha256Digest::of(b""),
            control: None,
        };
        assert!(study.phase.handle(wrong, 3, &study.plan).is_err());
    }

    #[test]
    fn after_the_last_round_the_final_model_is_reviewed() {
        let mut study = Study::collecting(2);
        study.plan.rounds.count = 1;
        study.contribute(0, 2);
        study.contribute(1, 2);
        assert!(matches!(
            &study.aggregate(4)[..],
            [Effect::OpenReview { deadline: 24, .. }]
        ));
    }
}
