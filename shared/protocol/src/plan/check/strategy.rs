//! The rules of how a plan's updates travel and are combined.

use super::{Faults, is_within};
use crate::{
    limits::EXAMPLES_MAX,
    plan::{Adaptive, Combination, Late, OptimiserRule, ServerOptimiser, StudyPlan, UpdateEncoding},
};

impl StudyPlan {
    pub(super) fn check_strategy(&self, faults: &mut Faults) {
        let strategy = &self.strategy;
        faults.unless(
            (1..=EXAMPLES_MAX).contains(&strategy.examples_max),
            "strategy.examples_max",
            "must be from 1 to 16777216",
        );
        faults.unless(
            is_within(strategy.update_norm_max, 1e-6, 1e4),
            "strategy.update_norm_max",
            "must be from 0.000001 to 10000",
        );
        faults.unless(
            strategy
                .clip_norm
                .is_none_or(|norm| is_within(norm, 1e-6, strategy.update_norm_max)),
            "strategy.clip_norm",
            "must be from 0.000001 to update_norm_max, or absent",
        );
        let updates_min = self.rounds.updates.min;
        match strategy.combine {
            Combination::Mean | Combination::FedNova | Combination::Median | Combination::GeometricMedian => {}
            Combination::TrimmedMean { share } => faults.unless(
                share.is_finite() && (0.0..0.5).contains(&share),
                "strategy.combine.trimmed_mean.share",
                "must be from 0 to below 0.5",
            ),
            Combination::Krum { hostile } => faults.enough(hostile, updates_min, "strategy.combine.krum.hostile"),
            Combination::MultiKrum { hostile, kept } => {
                faults.enough(hostile, updates_min, "strategy.combine.multi_krum.hostile");
                faults.unless(
                    kept >= 1 && kept <= updates_min.saturating_sub(hostile),
                    "strategy.combine.multi_krum.kept",
                    "must be from 1 to rounds.updates.min less the hostile ones",
                );
            }
        }
        match strategy.server {
            ServerOptimiser::Add => {}
            ServerOptimiser::Momentum {
                learning_rate,
                momentum,
            } => {
                faults.rate(learning_rate, "strategy.server.momentum.learning_rate");
                faults.decay(momentum, "strategy.server.momentum.momentum");
            }
            ServerOptimiser::Adagrad(numbers) | ServerOptimiser::Adam(numbers) | ServerOptimiser::Yogi(numbers) => {
                faults.adaptive(numbers);
            }
        }
    }

    pub(super) fn check_transfer(&self, faults: &mut Faults) {
        let UpdateEncoding::TopK { share } = self.transfer.encoding else {
            return;
        };
        faults.unless(
            is_within(share, 1e-6, 0.25),
            "transfer.encoding.top_k.share",
            "must be from 0.000001 to 0.25; with more, \"int8\" is smaller",
        );
        faults.unless(
            !matches!(
                self.strategy.combine,
                Combination::Median | Combination::TrimmedMean { .. }
            ),
            "transfer.encoding.top_k",
            "does not go with a median or trimmed mean: most numbers of each update are zero, and so would be the result",
        );
    }

    /// What SCAFFOLD rests on: a site's way is the sum of the slopes that it went down, and the model moves by the mean of these ways.
    pub(super) fn check_drift(&self, faults: &mut Faults) {
        if !self.is_scaffold() {
            return;
        }
        let strategy = &self.strategy;
        let rule = "local.drift = \"scaffold\" ";
        for (holds, field, remedy) in [
            (
                self.optimiser.rule == OptimiserRule::Sgd { momentum: 0.0 },
                "optimiser.rule",
                "needs { sgd = { momentum = 0.0 } }: only then is a site's way the sum of its slopes",
            ),
            (
                self.local.epochs.is_none(),
                "local.epochs",
                "needs the same number of steps at all sites; leave epochs out",
            ),
            (
                self.local.proximal.is_none(),
                "local.proximal",
                "is against the same drift as FedProx, whose pull would count as a slope; leave proximal out",
            ),
            (
                strategy.combine == Combination::Mean,
                "strategy.combine",
                "goes with the mean alone; leave combine out",
            ),
            (
                strategy.server == ServerOptimiser::Add,
                "strategy.server",
                "goes without a server optimiser; leave server out",
            ),
            (
                strategy.clip_norm.is_none(),
                "strategy.clip_norm",
                "needs updates as they are; leave clip_norm out, or bound the slopes with optimiser.gradient_norm_max",
            ),
            (
                self.transfer.encoding == UpdateEncoding::F32,
                "transfer.encoding",
                "needs exact updates: a site must know its way as the aggregator does; leave encoding out",
            ),
            (
                self.rounds.late == Late::Drop,
                "rounds.late",
                "needs updates from the round's own model; leave late out",
            ),
        ] {
            faults.unless(holds, field, &format!("{rule}{remedy}"));
        }
    }
}

impl Faults {
    /// Krum's condition: a smallest round has at least 2 f + 3 updates.
    fn enough(&mut self, hostile: u32, updates_min: u32, field: &'static str) {
        let needed = u64::from(hostile) * 2 + 3;
        self.unless(
            u64::from(updates_min) >= needed,
            field,
            &format!("needs rounds.updates.min of at least {needed}: twice as many and three more"),
        );
    }

    fn rate(&mut self, rate: f64, field: &'static str) {
        self.unless(is_within(rate, 1e-9, 1e3), field, "must be from 1e-9 to 1000");
    }

    fn decay(&mut self, decay: f64, field: &'static str) {
        self.unless(is_within(decay, 0.0, 0.9999), field, "must be from 0 to 0.9999");
    }

    fn adaptive(&mut self, numbers: Adaptive) {
        self.rate(numbers.learning_rate, "strategy.server.learning_rate");
        self.decay(numbers.beta_1, "strategy.server.beta_1");
        self.decay(numbers.beta_2, "strategy.server.beta_2");
        self.unless(
            is_within(numbers.adaptivity, 1e-9, 1.0),
            "strategy.server.adaptivity",
            "must be from 1e-9 to 1",
        );
    }
}
