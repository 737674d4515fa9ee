//! The rules of a plan that its types cannot hold.

mod details;
mod heads;
mod pretexts;
mod start;
mod strategy;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::{Late, OptimiserRule, Schedule, Sent, Span, StudyPlan};
use crate::limits::{INPUT_SIDE_MAX, LATE_ROUNDS_MAX, ROUNDS_MAX, SITES_MAX};

/// One rule that a plan breaks.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field}: {rule}")]
pub struct PlanFault {
    /// Where.
    pub field: &'static str,
    /// What should hold.
    pub rule: String,
}

impl StudyPlan {
    /// Every rule that this plan breaks; empty for a sound plan.
    #[must_use]
    pub fn faults(&self) -> Vec<PlanFault> {
        let mut faults = Faults::default();
        self.check_document(&mut faults);
        self.check_details(&mut faults);
        self.check_start(&mut faults);
        self.check_heads(&mut faults);
        self.check_sides(self.augmentation.operations(), &mut faults);
        self.check_pretext(&mut faults);
        self.check_patches(&mut faults);
        self.check_contrast(&mut faults);
        self.check_learning(&mut faults);
        self.check_strategy(&mut faults);
        self.check_transfer(&mut faults);
        self.check_drift(&mut faults);
        self.check_rounds(&mut faults);
        faults.0
    }

    fn check_document(&self, faults: &mut Faults) {
        faults.unless(self.format == 1, "format", "must be 1; this program knows no other");
        faults.unless(
            (1..=200).contains(&self.title.chars().count()),
            "title",
            "must have 1 to 200 characters",
        );
        let distinct: BTreeSet<_> = self.send.iter().collect();
        faults.unless(distinct.len() == self.send.len(), "send", "must name each kind once");
        faults.unless(
            self.send.contains(&Sent::Update),
            "send",
            "must contain \"update\": nothing could be averaged",
        );
        faults.unless(
            !self.comparison.own_model || self.send.contains(&Sent::Metrics),
            "comparison.own_model",
            "needs \"metrics\" in send: without them nobody hears of the comparison",
        );
    }

    fn check_learning(&self, faults: &mut Faults) {
        let network = &self.network;
        let side_min = network.architecture.input_side_min();
        faults.unless(
            (side_min..=INPUT_SIDE_MAX).contains(&network.input_side),
            "network.input_side",
            &format!(
                "must be from {side_min} to {INPUT_SIDE_MAX} for {}",
                network.architecture.code()
            ),
        );
        let step = network.architecture.width_step();
        faults.unless(
            (8..=512).contains(&network.width) && network.width.is_multiple_of(step),
            "network.width",
            &format!(
                "must be a multiple of {step} from {step} to 512 for {}",
                network.architecture.code()
            ),
        );
        let optimiser = &self.optimiser;
        faults.unless(
            is_within(optimiser.learning_rate, 1e-9, 10.0),
            "optimiser.learning_rate",
            "must be from 1e-9 to 10",
        );
        faults.unless(
            is_within(optimiser.weight_decay, 0.0, 1.0),
            "optimiser.weight_decay",
            "must be from 0 to 1",
        );
        if let Some(bound) = optimiser.gradient_norm_max {
            faults.unless(
                is_within(bound, 1e-6, 1e6),
                "optimiser.gradient_norm_max",
                "must be from 0.000001 to 1000000",
            );
        }
        if let OptimiserRule::Sgd { momentum } = optimiser.rule {
            faults.unless(
                is_within(momentum, 0.0, 0.9999),
                "optimiser.rule.sgd.momentum",
                "must be from 0 to 0.9999",
            );
        }
        if let Schedule::Cosine { warmup_fraction } = optimiser.schedule {
            faults.unless(
                is_within(warmup_fraction, 0.0, 0.9),
                "optimiser.schedule.cosine.warmup_fraction",
                "must be from 0 to 0.9",
            );
        }
        faults.unless(
            (1..=1_000_000).contains(&self.local.steps),
            "local.steps",
            "must be from 1 to 1000000",
        );
        faults.unless(
            (1..=4096).contains(&self.local.batch_size),
            "local.batch_size",
            "must be from 1 to 4096",
        );
        for (number, field) in [
            (self.local.epochs, "local.epochs"),
            (self.local.proximal, "local.proximal"),
        ] {
            let holds = number.is_none_or(|number| is_within(number, 1e-6, 1e3));
            faults.unless(holds, field, "must be from 0.000001 to 1000, or absent");
        }
        let distinct: BTreeSet<_> = self.local.keep.iter().collect();
        faults.unless(
            distinct.len() == self.local.keep.len(),
            "local.keep",
            "must name each role once",
        );
    }

    fn check_rounds(&self, faults: &mut Faults) {
        let rounds = &self.rounds;
        faults.unless(
            (1..=ROUNDS_MAX).contains(&rounds.count),
            "rounds.count",
            "must be from 1 to 100000",
        );
        faults.span(rounds.sites, 1, SITES_MAX, "rounds.sites");
        faults.span(rounds.updates, 1, SITES_MAX, "rounds.updates");
        faults.span(rounds.recruit_seconds, 0, 31_536_000, "rounds.recruit_seconds");
        faults.span(rounds.collect_seconds, 0, 31_536_000, "rounds.collect_seconds");
        faults.unless(
            rounds.collect_seconds.max > 0,
            "rounds.collect_seconds.max",
            "must be at least 1",
        );
        faults.unless(
            rounds.updates.min <= rounds.sites.max,
            "rounds.updates.min",
            "must not be above rounds.sites.max: no round could ever close",
        );
        if let Late::Fold { rounds } = rounds.late {
            faults.unless(
                (1..=LATE_ROUNDS_MAX).contains(&rounds),
                "rounds.late.fold.rounds",
                "must be from 1 to 16",
            );
        }
    }
}

/// As the import of tables takes them.
fn is_code(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_fit)
}

fn is_within(value: f64, min: f64, max: f64) -> bool {
    value.is_finite() && value >= min && value <= max
}

#[derive(Default)]
struct Faults(Vec<PlanFault>);

impl Faults {
    fn unless(&mut self, holds: bool, field: &'static str, rule: &str) {
        if !holds {
            self.0.push(PlanFault {
                field,
                rule: rule.to_owned(),
            });
        }
    }

    fn span(&mut self, span: Span, min: u32, max: u32, field: &'static str) {
        let holds = span.min >= min && span.max <= max && span.min <= span.max;
        self.unless(holds, field, &format!("needs {min} <= min <= max <= {max}"));
    }
}
