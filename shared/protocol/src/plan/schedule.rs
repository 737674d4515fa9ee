//! The learning rate of each step, as trainers take it and as an aggregator can add it up.

use super::{Optimiser, Schedule, StudyPlan};
use crate::ids::RoundNumber;

/// A schedule ends at this share of the peak.
const FINAL_SHARE: f64 = 0.01;

impl Optimiser {
    /// The learning rate of step `step` (from 0) of `total`.
    #[must_use]
    pub fn rate(&self, step: u64, total: u64) -> f64 {
        let peak = self.learning_rate;
        let Schedule::Cosine { warmup_fraction } = self.schedule else {
            return peak;
        };
        let (step, total) = (step as f64, total.max(1) as f64);
        let warmup = (warmup_fraction * total).floor();
        if step < warmup {
            return peak * (step + 1.0) / warmup;
        }
        let done = ((step - warmup) / (total - warmup).max(1.0)).min(1.0);
        peak * (FINAL_SHARE + (1.0 - FINAL_SHARE) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos()))
    }
}

impl StudyPlan {
    /// Optimiser steps that the schedule counts as done before `round`.
    #[must_use]
    pub fn steps_before(&self, round: RoundNumber) -> u64 {
        u64::from(self.local.steps) * u64::from(round.0.saturating_sub(1))
    }

    /// The learning rates of a round's steps, added up: with plain descent a site's way in the round, divided by this, is the mean of
    /// the slopes that it went down, each with its rate as weight. Never zero in a sound plan.
    #[must_use]
    pub fn rate_sum(&self, round: RoundNumber) -> f64 {
        let (before, total) = (self.steps_before(round), self.steps_total());
        (0..u64::from(self.local.steps)).fold(0.0, |sum, step| sum + self.optimiser.rate(before + step, total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::OptimiserRule;

    fn asked(schedule: Schedule) -> Optimiser {
        Optimiser {
            rule: OptimiserRule::Adamw,
            learning_rate: 0.1,
            weight_decay: 0.0,
            schedule,
            gradient_norm_max: None,
        }
    }

    #[test]
    fn the_rate_rises_then_falls_to_a_hundredth() {
        let cosine = asked(Schedule::Cosine { warmup_fraction: 0.1 });
        assert!((cosine.rate(0, 100) - 0.01).abs() < 1e-12);
        assert!((cosine.rate(9, 100) - 0.1).abs() < 1e-12);
        assert!((cosine.rate(10, 100) - 0.1).abs() < 1e-12);
        assert!((cosine.rate(55, 100) - 0.0505).abs() < 1e-9);
        assert!((cosine.rate(100, 100) - 0.001).abs() < 1e-12);
        assert!((cosine.rate(500, 100) - 0.001).abs() < 1e-12);
        assert_eq!(asked(Schedule::Constant).rate(3, 100), 0.1);
    }

    #[test]
    fn the_rates_of_all_rounds_are_those_of_all_steps() {
        let text = include_str!("../../../../policies/cases/studies/body-parts.toml");
        let mut plan: StudyPlan = toml::from_str(text).unwrap();
        plan.optimiser.schedule = Schedule::Cosine { warmup_fraction: 0.2 };
        let rounds = (1..=plan.rounds.count).map(|round| plan.rate_sum(RoundNumber(round)));
        let steps = (0..plan.steps_total()).map(|step| plan.optimiser.rate(step, plan.steps_total()));
        let (rounds, steps): (f64, f64) = (rounds.sum(), steps.sum());
        assert!((rounds - steps).abs() < 1e-9 * steps, "{rounds} {steps}");
        plan.optimiser.schedule = Schedule::Constant;
        let constant = f64::from(plan.local.steps) * plan.optimiser.learning_rate;
        assert!((plan.rate_sum(RoundNumber(1)) - constant).abs() < 1e-9 * constant);
    }
}
