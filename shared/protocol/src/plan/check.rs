//! The rules of a plan that its types cannot hold.

mod details;
mod pretexts;
mod start;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::{
    Adaptive, Combination, HeadKind, Late, Operation, OptimiserRule, Schedule, Sent, ServerOptimiser, Span, StudyPlan,
    UpdateEncoding,
};
use crate::{
    labels::LabelName,
    limits::{
        CLASSES_MAX, EXAMPLES_MAX, HEADS_MAX, INPUT_SIDE_MAX, LATE_ROUNDS_MAX, MASK_CLASSES_MAX, ROUNDS_MAX, SITES_MAX,
    },
};

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

    fn check_heads(&self, faults: &mut Faults) {
        let least = usize::from(self.pretext.is_none());
        faults.unless(
            (least..=HEADS_MAX).contains(&self.heads.len()),
            "heads",
            "must be 1 to 32",
        );
        let distinct: BTreeSet<_> = self.heads.iter().map(|head| head.label).collect();
        faults.unless(
            distinct.len() == self.heads.len(),
            "heads.label",
            "must be different in each head",
        );
        for head in &self.heads {
            faults.unless(
                is_within(head.weight, 1e-6, 1e6),
                "heads.weight",
                "must be from 0.000001 to 1000000",
            );
            match &head.kind {
                HeadKind::Classes(classes) => {
                    let distinct: BTreeSet<_> = classes.iter().collect();
                    let known = head.label.codes();
                    faults.unless(
                        (2..=CLASSES_MAX).contains(&classes.len()),
                        "heads.kind.classes",
                        "must be 2 to 256",
                    );
                    faults.unless(
                        distinct.len() == classes.len(),
                        "heads.kind.classes",
                        "must be different",
                    );
                    let is_own = matches!(head.label, LabelName::Site(_));
                    for class in classes.iter().filter(|class| is_own && !is_code(class)) {
                        let rule = format!("{class:?} is no code of a hospital's: 1 to 64 of a-z, A-Z, 0-9 and _ . -");
                        faults.unless(false, "heads.kind.classes", &rule);
                    }
                    for class in classes
                        .iter()
                        .filter(|class| !is_own && !known.contains(&class.as_str()))
                    {
                        let rule = format!("{class:?} is no {}; known are {}", head.label.code(), known.join(", "));
                        faults.unless(false, "heads.kind.classes", &rule);
                    }
                }
                HeadKind::Regression { unit } => {
                    faults.unless(
                        head.label.codes().is_empty(),
                        "heads.kind",
                        "this label has classes, not numbers",
                    );
                    faults.unless(
                        is_within(*unit, 1e-6, 1e6),
                        "heads.kind.regression.unit",
                        "must be from 0.000001 to 1000000",
                    );
                }
                HeadKind::Mask { classes } => self.check_mask(head.label, classes, faults),
            }
        }
    }

    fn check_mask(&self, label: LabelName, classes: &[String], faults: &mut Faults) {
        let distinct: BTreeSet<_> = classes.iter().collect();
        faults.unless(
            (1..=usize::from(MASK_CLASSES_MAX)).contains(&classes.len()) && distinct.len() == classes.len(),
            "heads.kind.mask.classes",
            "must be 1 to 15, and different",
        );
        faults.unless(
            classes.iter().all(|class| is_code(class)),
            "heads.kind.mask.classes",
            "must be codes: 1 to 64 of a-z, A-Z, 0-9 and _ . -",
        );
        faults.unless(
            matches!(label, LabelName::Site(_)),
            "heads.label",
            "of a mask must be one that the hospitals import: site_NAME",
        );
        faults.unless(
            self.heads.len() == 1 && self.pretext.is_none(),
            "heads",
            "must hold a mask alone: what else the network should tell is learned in a study of its own",
        );
        faults.unless(
            self.network.architecture.has_stages(),
            "network.architecture",
            "must be small or a ResNet for a mask: no decoder is built on the others",
        );
        faults.unless(
            !self.comparison.own_model,
            "comparison.own_model",
            "must be absent beside a mask: only classes and numbers are compared",
        );
    }

    /// What varies pictures or makes labels of them must leave the other heads something true to learn.
    fn check_sides(&self, operations: &[Operation], faults: &mut Faults) {
        let has = |label| self.heads.iter().any(|head| head.label == label);
        // Situs, where it is ever a label, belongs here.
        let sided = [LabelName::View, LabelName::Laterality]
            .into_iter()
            .find(|label| has(*label));
        if let Some(label) = sided.as_ref().map(LabelName::code) {
            for operation in operations.iter().filter(|operation| !operation.keeps_side()) {
                let rule = format!(
                    "does not go with a head for {label}: its {} makes left look like right or standing like lying, and {label} \
                     would be learned wrong; take another recipe",
                    operation.name()
                );
                faults.unless(false, "augmentation", &rule);
            }
            faults.unless(
                !has(LabelName::Rotation),
                "heads.label",
                &format!(
                    "rotation does not go with {label}: a radiograph that the trainer turned shows another {label} than its label \
                     says; learn one of them in a study of its own"
                ),
            );
        }
        faults.unless(
            !has(LabelName::Jigsaw) || self.heads.len() == 1,
            "heads.label",
            "jigsaw stands alone: other heads would only ever see radiographs cut into tiles; learn them in a study that begins \
             with this one's network",
        );
        let jigsaws = self.heads.iter().filter(|head| head.label == LabelName::Jigsaw);
        for head in jigsaws {
            let HeadKind::Classes(orders) = &head.kind else {
                continue;
            };
            let lengths: BTreeSet<_> = orders.iter().map(String::len).collect();
            faults.unless(
                lengths.len() <= 1,
                "heads.kind.classes",
                "of jigsaw must be orders of four tiles or of nine, not both: all radiographs are cut alike",
            );
        }
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

    fn check_strategy(&self, faults: &mut Faults) {
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

    fn check_transfer(&self, faults: &mut Faults) {
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
    fn check_drift(&self, faults: &mut Faults) {
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

    fn span(&mut self, span: Span, min: u32, max: u32, field: &'static str) {
        let holds = span.min >= min && span.max <= max && span.min <= span.max;
        self.unless(holds, field, &format!("needs {min} <= min <= max <= {max}"));
    }
}
