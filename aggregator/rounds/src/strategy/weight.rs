//! What one update counts for: its weight, and how far it is shortened first.

use snowball_protocol::{
    StudyPlan,
    plan::{Combination, OptimiserRule},
};

use crate::intake::AdmittedUpdate;

/// How the plan weighs updates.
#[derive(Clone, Debug)]
pub(super) struct Weighing {
    clip_norm: Option<f64>,
    examples_max: u64,
    /// For FedNova: by what rule a local step moves.
    per_step: Option<OptimiserRule>,
}

impl Weighing {
    pub(super) fn of(plan: &StudyPlan) -> Self {
        Self {
            clip_norm: plan.strategy.clip_norm,
            examples_max: plan.strategy.examples_max,
            per_step: (plan.strategy.combine == Combination::FedNova).then(|| plan.optimiser.rule.clone()),
        }
    }

    pub(super) const fn examples_max(&self) -> u64 {
        self.examples_max
    }

    pub(super) const fn is_per_step(&self) -> bool {
        self.per_step.is_some()
    }

    /// What the update's numbers are multiplied by, so that its norm is within the plan's `clip_norm` and it is the weaker the older
    /// the model is that it was trained from; at most 1.
    pub(super) fn shortening(&self, update: &AdmittedUpdate) -> f64 {
        let clipped = match self.clip_norm {
            Some(bound) if update.norm() > bound => bound / update.norm(),
            _ => 1.0,
        };
        clipped * staleness(update.behind())
    }

    /// The steps that the update counts as; 1 where the plan does not ask.
    pub(super) fn steps(&self, update: &AdmittedUpdate) -> f64 {
        self.per_step
            .as_ref()
            .map_or(1.0, |rule| effective_steps(rule, update.local_steps()))
    }

    /// What the update's numbers are multiplied by in the sum; at most its examples.
    pub(super) fn weight(&self, update: &AdmittedUpdate) -> f64 {
        update.examples() as f64 * self.shortening(update) / self.steps(update)
    }
}

/// The factor of an update that is so many rounds late: `1 / sqrt(1 + behind)` (Nguyen et al. 2022, section 5.2).
fn staleness(behind: u32) -> f64 {
    (f64::from(behind) + 1.0).sqrt().recip()
}

/// The length of a site's way in steps of plain descent: with momentum `p`, later gradients count more often (Wang et al. 2020,
/// section 4.2). At least 1.
fn effective_steps(rule: &OptimiserRule, steps: u32) -> f64 {
    let steps = f64::from(steps.max(1));
    match rule {
        OptimiserRule::Sgd { momentum } if *momentum > 0.0 => {
            let left = 1.0 - momentum;
            (steps - momentum * (1.0 - momentum.powf(steps)) / left) / left
        }
        OptimiserRule::Sgd { .. } | OptimiserRule::Adamw => steps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{intake::tests::admitted_late, strategy::RunningMean, testing};

    #[test]
    fn an_update_weighs_the_less_the_later_it_comes_and_takes_no_weight_from_the_others() {
        let mut plan = testing::plan();
        plan.strategy.clip_norm = Some(8.0);
        let weighing = Weighing::of(&plan);
        let late = |behind, value: f32| admitted_late(&plan, 1, (10, 10, behind), &[value]);
        assert_eq!(weighing.shortening(&late(0, 4.0)), 1.0);
        assert_eq!(weighing.shortening(&late(3, 4.0)), 0.5);
        assert_eq!(
            weighing.shortening(&late(3, 16.0)),
            0.25,
            "first it is brought within the bound"
        );
        let mut sum = RunningMean::new(&plan, 1);
        let timely = admitted_late(&plan, 0, (10, 10, 0), &[4.0]);
        sum.fold_all(&timely, &[4.0]).unwrap();
        sum.fold_all(&late(3, 4.0), &[4.0]).unwrap();
        // The buffer's sum of shortened updates, divided by their number (Nguyen et al. 2022, algorithm 1).
        assert_eq!(sum.finish(&[1.0]).unwrap(), [1.0 + (4.0 + 4.0 * 0.5) / 2.0]);
    }

    #[test]
    fn momentum_makes_a_way_longer_as_if_each_gradient_were_counted() {
        let plain = OptimiserRule::Sgd { momentum: 0.0 };
        assert_eq!(effective_steps(&plain, 7), 7.0);
        assert_eq!(effective_steps(&OptimiserRule::Adamw, 7), 7.0);
        for steps in [1, 2, 5, 40] {
            // Each gradient moves the parameters once, and then again by its share of the velocity.
            let (mut velocity, mut way) = (0.0, 0.0);
            for _ in 0..steps {
                velocity = 0.9 * velocity + 1.0;
                way += velocity;
            }
            let effective = effective_steps(&OptimiserRule::Sgd { momentum: 0.9 }, steps);
            assert!((effective - way).abs() < 1e-9, "{steps}: {effective} {way}");
        }
    }
}
