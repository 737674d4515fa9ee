//! SCAFFOLD (Karimireddy et al. 2020, option II): the control variate of all sites, out of the combined update alone.
//!
//! A site goes `K` steps down its slope less its own control variate `c_i` plus that of all, `c`. Its way `d`, divided by the sum `r` of
//! the steps' rates, is less the mean of what it went down; so its next `c_i`, the mean slope itself, differs from the one before by
//! `-c - d / r`. All of that is known here: nothing is sent beside the update.
//!
//! `c` is the mean of the sites' own, weighted as the updates are, over the sites that have taken part: else the study would come to
//! rest beside its optimum. Whatever breaks this has all of them begin anew at zero, which keeps it.

use std::collections::{BTreeMap, BTreeSet};

use snowball_protocol::{
    RoundNumber, SiteName, StudyPlan,
    record::{Control, ControlPart},
};

use crate::intake::AdmittedUpdate;

/// How the control variate of all sites moves at the end of one round.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ControlStep {
    /// What is left of it where sites come in that had no part in it yet.
    left: f64,
    /// The weight of those whose updates count among all that are in it.
    share: f64,
    /// The learning rates of the round's steps, added up.
    rate_sum: f64,
}

/// What the control variate after `round` is made of, and how it gets there from the one that is made of `before`. `members` take part in
/// the next round. Nothing where the plan has none, or where all begin anew: a site that is in it has left, has lost its own or has one
/// that is not in it, or counts with other examples.
#[must_use]
pub fn next_control(
    plan: &StudyPlan,
    round: RoundNumber,
    before: Option<&Control>,
    members: &BTreeSet<SiteName>,
    updates: &[AdmittedUpdate],
) -> Option<(Control, ControlStep)> {
    if !plan.is_scaffold() || updates.is_empty() {
        return None;
    }
    let mut control = before.cloned().unwrap_or(Control {
        since: round,
        sites: BTreeMap::new(),
    });
    let (weight_before, mut counted) = (weight(&control), 0);
    for update in updates {
        let part = ControlPart {
            examples: update.examples(),
            round,
        };
        let known = control.sites.insert(update.site().clone(), part);
        let is_known = known.is_none_or(|known| known.examples == part.examples);
        if !is_known || known.map(|known| known.round) != update.control_from() {
            return None;
        }
        counted += part.examples;
    }
    if control.sites.keys().any(|site| !members.contains(site)) {
        return None;
    }
    let weight = weight(&control) as f64;
    let step = ControlStep {
        left: weight_before as f64 / weight,
        share: counted as f64 / weight,
        rate_sum: plan.rate_sum(round),
    };
    Some((control, step))
}

fn weight(control: &Control) -> u64 {
    control.sites.values().map(|part| part.examples).sum()
}

impl ControlStep {
    /// Moves a stretch of the control variate, where the model moves by `combined`.
    pub(super) fn take(&self, combined: &[f64], control: &mut [f32]) {
        for (control, moved) in control.iter_mut().zip(combined) {
            let before = f64::from(*control);
            *control = (self.left * before + self.share * (-before - moved / self.rate_sum)) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use snowball_protocol::plan::{Drift, OptimiserRule, Schedule};

    use super::*;
    use crate::{
        intake::tests::admitted_from,
        strategy::{Looked, RoundEnd, RunningMean},
        testing,
    };

    const SITES: usize = 4;
    const PARAMETERS: usize = 3;

    fn plan(steps: u32, learning_rate: f64) -> StudyPlan {
        let mut plan = testing::plan();
        (plan.local.steps, plan.local.drift) = (steps, Some(Drift::Scaffold));
        plan.optimiser.rule = OptimiserRule::Sgd { momentum: 0.0 };
        (plan.optimiser.learning_rate, plan.optimiser.weight_decay) = (learning_rate, 0.0);
        plan.strategy.update_norm_max = 1e4;
        (plan.rounds.sites.min, plan.rounds.updates.min) = (1, 1);
        assert_eq!(plan.faults(), vec![]);
        plan
    }

    /// One hospital: its slope is `curve (x - best)`, number by number.
    #[derive(Clone, Debug)]
    struct Hospital {
        examples: u64,
        curve: [f64; PARAMETERS],
        best: [f64; PARAMETERS],
    }

    impl Hospital {
        fn slope(&self, place: usize, at: f64) -> f64 {
            self.curve[place] * (at - self.best[place])
        }
    }

    /// A whole study under the program's rule: what the sites send is made as a trainer and a node make it.
    struct Study {
        plan: StudyPlan,
        hospitals: Vec<Hospital>,
        model: Vec<f32>,
        control: Vec<f32>,
        made_of: Option<Control>,
        /// Of each site, with the round that it is of.
        own: BTreeMap<SiteName, (RoundNumber, Vec<f32>)>,
        members: BTreeSet<SiteName>,
        round: u32,
    }

    impl Study {
        fn new(plan: StudyPlan, hospitals: Vec<Hospital>) -> Self {
            Self {
                plan,
                model: vec![0.0; PARAMETERS],
                control: vec![0.0; PARAMETERS],
                made_of: None,
                own: BTreeMap::new(),
                members: (0..hospitals.len()).map(testing::site).collect(),
                hospitals,
                round: 0,
            }
        }

        /// Whether the control variates began anew after it.
        fn round(&mut self, who: &[usize]) -> bool {
            self.round += 1;
            let round = RoundNumber(self.round);
            let rate_sum = self.plan.rate_sum(round);
            let since = self.made_of.as_ref().map_or(round, |made_of| made_of.since);
            let (mut updates, mut rows) = (Vec::new(), Vec::new());
            for number in who {
                let (hospital, site) = (&self.hospitals[*number], testing::site(*number));
                let own = self.own.get(&site).filter(|(of, _)| *of >= since);
                let correction: Vec<f32> = (0..PARAMETERS)
                    .map(|place| self.control[place] - own.map_or(0.0, |(_, own)| own[place]))
                    .collect();
                let mut local = self.model.clone();
                for step in 0..u64::from(self.plan.local.steps) {
                    let before = self.plan.steps_before(round) + step;
                    let rate = self.plan.optimiser.rate(before, self.plan.steps_total());
                    for (place, local) in local.iter_mut().enumerate() {
                        let slope = hospital.slope(place, f64::from(*local));
                        *local = (f64::from(*local) - rate * (slope + f64::from(correction[place]))) as f32;
                    }
                }
                let delta: Vec<f32> = local.iter().zip(&self.model).map(|(new, old)| new - old).collect();
                let from = own.map(|(of, _)| *of);
                updates.push(admitted_from(
                    &self.plan,
                    *number,
                    (hospital.examples, round, from),
                    &delta,
                ));
                let next = delta.iter().zip(&correction);
                let next = next.map(|(moved, correction)| -correction - (f64::from(*moved) / rate_sum) as f32);
                self.own.insert(site, (round, next.collect()));
                rows.extend(delta);
            }
            let next = next_control(&self.plan, round, self.made_of.as_ref(), &self.members, &updates);
            let mut sum = RunningMean::new(&self.plan, PARAMETERS);
            for (update, row) in updates.iter().zip(rows.chunks_exact(PARAMETERS)) {
                sum.fold_all(update, row).unwrap();
            }
            let step = next.as_ref().map(|(_, step)| *step);
            let mut end = RoundEnd::new(&self.plan, &updates, Looked::Running(sum))
                .unwrap()
                .with_control(step);
            let mut state = Vec::from_iter(step.map(|_| std::mem::take(&mut self.control)));
            end.block(&rows, &mut self.model, &mut state).unwrap();
            end.finish().unwrap();
            self.control = state.pop().unwrap_or_else(|| vec![0.0; PARAMETERS]);
            self.made_of = next.map(|(made_of, _)| made_of);
            self.made_of.is_none()
        }

        /// What the control variate of all sites has to be: the mean of theirs.
        fn mean_of_own(&self) -> Vec<f64> {
            let made_of = self.made_of.as_ref().unwrap();
            let total = weight(made_of) as f64;
            let part = |place: usize| {
                let sites = made_of.sites.iter();
                sites.map(move |(site, part)| part.examples as f64 / total * f64::from(self.own[site].1[place]))
            };
            (0..PARAMETERS).map(|place| part(place).sum()).collect()
        }

        /// How far the model is from where the slopes of all hospitals, weighted, cancel each other.
        fn error(&self, who: &[usize]) -> f64 {
            let error = |place: usize| {
                let sum = |of: &dyn Fn(&Hospital) -> f64| -> f64 {
                    who.iter()
                        .map(|number| self.hospitals[*number].examples as f64 * of(&self.hospitals[*number]))
                        .sum()
                };
                let best = sum(&|hospital| hospital.curve[place] * hospital.best[place])
                    / sum(&|hospital| hospital.curve[place]);
                (f64::from(self.model[place]) - best).abs()
            };
            (0..PARAMETERS).map(error).fold(0.0, f64::max)
        }
    }

    /// Hospitals that agree in nothing.
    fn hospitals() -> Vec<Hospital> {
        let hospital = |examples, curve, best| Hospital { examples, curve, best };
        vec![
            hospital(10, [1.0, 0.2, 2.0], [4.0, -3.0, 1.0]),
            hospital(40, [0.1, 1.5, 0.5], [-6.0, 2.0, -5.0]),
            hospital(25, [2.0, 0.7, 0.05], [0.5, 5.0, 8.0]),
            hospital(5, [0.4, 2.0, 1.0], [9.0, 0.0, -2.0]),
        ]
    }

    const ALL: [usize; SITES] = [0, 1, 2, 3];

    /// Written from the paper's algorithm 1 with explicit control variates in binary64: weighted, with option II, a global rate of 1, and
    /// the sites that have not taken part yet left out of the mean.
    fn textbook(plan: &StudyPlan, hospitals: &[Hospital], rounds: &[Vec<usize>]) -> (Vec<f64>, Vec<f64>) {
        let (steps, rate) = (plan.local.steps, plan.optimiser.learning_rate);
        let (mut x, mut c) = (vec![0.0; PARAMETERS], vec![0.0; PARAMETERS]);
        let mut own: Vec<Option<Vec<f64>>> = vec![None; hospitals.len()];
        for sampled in rounds {
            let counted: f64 = sampled.iter().map(|number| hospitals[*number].examples as f64).sum();
            let mut next_x = x.clone();
            for number in sampled {
                let hospital = &hospitals[*number];
                let of_site = own[*number].clone().unwrap_or_else(|| vec![0.0; PARAMETERS]);
                let mut y = x.clone();
                for _ in 0..steps {
                    for place in 0..PARAMETERS {
                        y[place] -= rate * (hospital.slope(place, y[place]) - of_site[place] + c[place]);
                    }
                }
                let next: Vec<f64> = (0..PARAMETERS)
                    .map(|place| of_site[place] - c[place] + (x[place] - y[place]) / (f64::from(steps) * rate))
                    .collect();
                for place in 0..PARAMETERS {
                    next_x[place] += hospital.examples as f64 / counted * (y[place] - x[place]);
                }
                own[*number] = Some(next);
            }
            x = next_x;
            let seen = || {
                own.iter()
                    .zip(hospitals)
                    .filter_map(|(own, hospital)| Some((own.as_ref()?, hospital.examples as f64)))
            };
            let total: f64 = seen().map(|(_, examples)| examples).sum();
            c = (0..PARAMETERS)
                .map(|place| seen().map(|(own, examples)| examples / total * own[place]).sum())
                .collect();
        }
        (x, c)
    }

    fn close(found: &[f32], expected: &[f64], within: f64) -> bool {
        let pairs = found.iter().zip(expected);
        pairs
            .into_iter()
            .all(|(found, expected)| (f64::from(*found) - expected).abs() < within * (1.0 + expected.abs()))
    }

    proptest! {
        #[test]
        fn the_model_and_the_control_variate_are_those_of_the_paper_whoever_takes_part(
            rounds in prop::collection::vec(prop::sample::subsequence(ALL.to_vec(), 1..=SITES), 1..7),
            steps in 1_u32..12,
        ) {
            let plan = plan(steps, 0.05);
            let mut study = Study::new(plan.clone(), hospitals());
            for who in &rounds {
                prop_assert!(!study.round(who), "nothing began anew");
            }
            let (x, c) = textbook(&plan, &hospitals(), &rounds);
            prop_assert!(close(&study.model, &x, 1e-4), "{:?} {x:?}", study.model);
            prop_assert!(close(&study.control, &c, 1e-4), "{:?} {c:?}", study.control);
            prop_assert!(close(&study.control, &study.mean_of_own(), 1e-4));
        }
    }

    /// What SCAFFOLD exists for. With many local steps at hospitals that differ, federated averaging comes to rest far from where all of
    /// them together would; SCAFFOLD reaches it, whoever takes part.
    #[test]
    fn hospitals_that_differ_reach_their_common_optimum_with_many_steps_a_round() {
        let mut averaging = Study::new(plan(40, 0.1), hospitals());
        averaging.plan.local.drift = None;
        let mut all = Study::new(plan(40, 0.1), hospitals());
        let mut some = Study::new(plan(40, 0.1), hospitals());
        for round in 0..300 {
            averaging.own.clear();
            averaging.round(&ALL);
            all.round(&ALL);
            // One is missing in each round, another one each time.
            let who: Vec<usize> = ALL.into_iter().filter(|number| *number != round % SITES).collect();
            some.round(&who);
        }
        let errors = [averaging.error(&ALL), all.error(&ALL), some.error(&ALL)];
        assert!(errors[0] > 0.5, "{errors:?}");
        assert!(errors[1] < 1e-3 && errors[2] < 1e-3, "{errors:?}");
    }

    #[test]
    fn a_falling_rate_is_taken_into_account() {
        let mut plan = plan(40, 0.1);
        plan.rounds.count = 400;
        plan.optimiser.schedule = Schedule::Cosine { warmup_fraction: 0.1 };
        let mut study = Study::new(plan, hospitals());
        (0..300).for_each(|_| assert!(!study.round(&ALL)));
        assert!(close(&study.control, &study.mean_of_own(), 1e-3));
        assert!(study.error(&ALL) < 1e-3, "{}", study.error(&ALL));
    }

    /// Each of these would leave a slope in the control variate that is no site's any more, and the study would come to rest beside the
    /// optimum.
    #[test]
    fn a_site_that_leaves_or_loses_its_own_or_changes_its_weight_has_all_begin_anew() {
        type Change = fn(&mut Study);
        let changes: [(Change, &[usize]); 4] = [
            (|study| assert!(study.members.remove(&testing::site(0))), &[1, 2, 3]),
            (|study| drop(study.own.remove(&testing::site(0))), &ALL),
            // As from a backup of the site's disk: what it holds is older than what counted last.
            (
                |study| study.own.get_mut(&testing::site(0)).unwrap().0 = RoundNumber(9),
                &ALL,
            ),
            (|study| study.hospitals[0].examples += 1, &ALL),
        ];
        for (change, who) in changes {
            let mut study = Study::new(plan(40, 0.1), hospitals());
            (0..10).for_each(|_| assert!(!study.round(&ALL)));
            change(&mut study);
            assert!(study.round(who), "anew");
            assert_eq!(study.control, [0.0; PARAMETERS]);
            (0..300).for_each(|_| assert!(!study.round(who)));
            assert!(study.error(who) < 1e-3, "{}", study.error(who));
        }
    }

    #[test]
    fn a_site_that_joins_later_is_taken_in_and_a_plan_without_scaffold_has_none_of_this() {
        let mut study = Study::new(plan(40, 0.1), hospitals());
        (0..10).for_each(|_| assert!(!study.round(&[0, 1])));
        (0..300).for_each(|_| assert!(!study.round(&ALL)));
        assert!(close(&study.control, &study.mean_of_own(), 1e-3));
        assert!(study.error(&ALL) < 1e-3, "{}", study.error(&ALL));
        study.plan.local.drift = None;
        let update = admitted_from(&study.plan, 0, (10, RoundNumber(1), None), &[1.0; PARAMETERS]);
        assert_eq!(
            next_control(&study.plan, RoundNumber(1), None, &study.members, &[update]),
            None
        );
    }
}
