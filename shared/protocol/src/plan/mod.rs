//! A study as a document: everything that a node will do, and nothing that it could execute.
//!
//! A site approves the digest of the whole canonical document, so a changed comma is a new study to approve.

mod architecture;
mod augmentation;
mod canonical;
mod check;
mod pretext;
mod schedule;
mod start;
mod strategy;
mod transfer;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use architecture::Architecture;
pub use augmentation::Operation;
pub use canonical::canonical_json;
pub use check::PlanFault;
pub use pretext::{Contrastive, Decoder, Masked, Positives, Pretext, Reconstruction};
pub use start::{Beginning, Origin};
pub use strategy::{Adaptive, Combination, ServerOptimiser, Strategy};
pub use transfer::{Transfer, UpdateEncoding};

use crate::{
    digest::Sha256Digest,
    ids::{Purpose, StudyName},
    labels::{LabelName, Labels},
    site_label::SiteValue,
};

/// One federated training effort, declared.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StudyPlan {
    /// Version of this format: 1.
    pub format: u16,
    /// The study's name.
    pub study: StudyName,
    /// One line for people.
    pub title: String,
    /// Why the data is used.
    pub purpose: Purpose,
    /// How far the approval of each site's board must reach. Absent: collaboration, so that nothing is published by oversight.
    #[serde(default, skip_serializing_if = "StudyStage::is_collaboration")]
    pub stage: StudyStage,
    /// The seed of everything random that is not a secret.
    pub seed: u64,
    /// What it begins from. Absent: the seed alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Beginning>,
    /// What is trained.
    pub network: Network,
    /// What it learns to tell; nothing where the plan has a pretext.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<Head>,
    /// What it learns where nothing is labelled. Absent: only what the heads tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pretext: Option<Pretext>,
    /// How a radiograph becomes the network's input.
    pub preprocessing: Preprocessing,
    /// How training pictures are varied.
    pub augmentation: Augmentation,
    /// How weights move.
    pub optimiser: Optimiser,
    /// How much a site does in a round.
    pub local: LocalTraining,
    /// How updates become a model.
    pub strategy: Strategy,
    /// How updates travel. Absent: exact, four bytes a number.
    #[serde(default, skip_serializing_if = "Transfer::is_exact")]
    pub transfer: Transfer,
    /// How many rounds, sites and seconds.
    pub rounds: Rounds,
    /// What leaves a site: the policy must permit each.
    pub send: Vec<Sent>,
    /// With what the final model is compared at each site. Absent: with nothing.
    #[serde(default, skip_serializing_if = "Comparison::is_none")]
    pub comparison: Comparison,
}

/// With what the final model is compared at each site.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// With the model that the site's radiographs alone make by the same plan: each site then trains twice as much.
    #[serde(default)]
    pub own_model: bool,
}

impl Comparison {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    const fn is_none(&self) -> bool {
        !self.own_model
    }
}

/// How far the approval of each site's board must reach, so that the site may take part.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StudyStage {
    /// A trial: the network is thrown away or kept by the consortium.
    ProofOfConcept,
    /// The network is for the hospitals of the consortium.
    #[default]
    Collaboration,
    /// The network may be published.
    Publication,
}

impl StudyStage {
    /// The stage as written in plans and policies.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ProofOfConcept => "proof-of-concept",
            Self::Collaboration => "collaboration",
            Self::Publication => "publication",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    const fn is_collaboration(&self) -> bool {
        matches!(self, Self::Collaboration)
    }
}

/// What is trained.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Which one.
    pub architecture: Architecture,
    /// Side of the square input, in pixels.
    pub input_side: u32,
    /// Channels of the first stage; the others follow from it.
    pub width: u32,
}

/// One thing that the network learns to tell.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// From which label.
    pub label: LabelName,
    /// As classes, as a number, or as a mask.
    pub kind: HeadKind,
    /// Its share in the loss.
    pub weight: f64,
}

/// As classes, as a number, or as a mask.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum HeadKind {
    /// One output a class, softmax over the classes that the site has. A radiograph whose term is not listed counts as the
    /// listed term that it lies within, if there is one: lumbar spine as spine where the list has no lumbar spine.
    Classes(Vec<String>),
    /// One output; the label is divided by `unit`.
    Regression {
        /// What counts as 1.0 (age: 100 years).
        unit: f64,
    },
    /// A class a pixel, from masks that the hospitals import, with U-Net's decoder (Ronneberger et al. 2015). The loss is cross-entropy
    /// plus one less the soft Dice coefficient (Milletari et al. 2016). Such a head stands alone.
    Mask {
        /// What the numbers of the masks mean, from 1 on; 0 lies beside all of them.
        classes: Vec<String>,
    },
}

impl Head {
    /// Number of outputs; of a mask, a pixel, where the first is what lies beside all classes.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match &self.kind {
            HeadKind::Classes(classes) => classes.len(),
            HeadKind::Regression { .. } => 1,
            HeadKind::Mask { classes } => classes.len() + 1,
        }
    }

    /// Whether it learns from a mask and a radiograph with `labels` has one, with no other numbers than the plan has classes.
    #[must_use]
    pub fn has_mask(&self, labels: &Labels) -> bool {
        let (HeadKind::Mask { classes }, LabelName::Site(name)) = (&self.kind, self.label) else {
            return false;
        };
        let largest = labels.site.get(&name).and_then(SiteValue::mask_largest);
        largest.is_some_and(|largest| usize::from(largest) <= classes.len())
    }

    /// Which of this head's classes a radiograph with `labels` is, if it is known and among them.
    #[must_use]
    pub fn class(&self, labels: &Labels) -> Option<usize> {
        let HeadKind::Classes(classes) = &self.kind else {
            return None;
        };
        let place = |code: &str| classes.iter().position(|class| class == code);
        labels
            .class(self.label)
            .and_then(|code| place(&code))
            .or_else(|| labels.wider_class(self.label).and_then(place))
    }

    /// The number that this head learns from `labels`, in the label's own unit, if it is known and finite.
    #[must_use]
    pub fn number(&self, labels: &Labels) -> Option<f32> {
        match self.kind {
            HeadKind::Classes(_) | HeadKind::Mask { .. } => None,
            HeadKind::Regression { .. } => labels.number(self.label).filter(|number| number.is_finite()),
        }
    }
}

/// How a radiograph becomes the network's input; named and versioned.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub enum Preprocessing {
    /// Area-averaged to fit the square, letterboxed with the border's median, stretched between the 0.5 and 99.5
    /// percentiles to 0 to 1, then mean 0.5 and deviation 0.25 taken out.
    #[serde(rename = "letterbox-v1")]
    LetterboxV1,
    /// For learning without labels: squares cut from the radiograph, averaged down first until its longer side has four of them at most,
    /// without those that show next to nothing; tones as of `letterbox-v1`, stretched over the whole radiograph.
    #[serde(rename = "patches-v1")]
    PatchesV1,
}

/// How training pictures are varied; named and versioned.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub enum Augmentation {
    /// As they are.
    #[serde(rename = "none")]
    None,
    /// Rotation within 10 degrees, shift 6 %, scale 0.9 to 1.1, gamma 0.8 to 1.25, contrast 0.85 to 1.15, noise up to
    /// 0.02, border jitter. Never flips.
    #[serde(rename = "xr-light-v1")]
    XrLightV1,
    /// For learning from scratch and from few labels: rotation within 25 degrees, scale 0.75 to 1.3, shear within 8 degrees, elastic
    /// in 30 %, a random rising tone curve, inversion in 10 %, corners covered in 30 %, cutout of up to 10 %, mixup 0.2. Never flips.
    #[serde(rename = "xr-strong-v1")]
    XrStrongV1,
    /// For pretexts without labels: crops of half the area or more, a random rising tone curve, blur, corners covered in 30 %. Never
    /// flips.
    #[serde(rename = "xr-ssl-v1")]
    XrSslV1,
}

/// How weights move.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Optimiser {
    /// The rule.
    pub rule: OptimiserRule,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// How the rate changes over the whole study.
    pub schedule: Schedule,
    /// Largest norm of one step's gradient; absent: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_norm_max: Option<f64>,
}

/// The rule by which weights move.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OptimiserRule {
    /// AdamW (Loshchilov and Hutter 2019) with beta 0.9 and 0.999, epsilon 1e-8.
    Adamw,
    /// Stochastic gradient descent.
    Sgd {
        /// Momentum, in 0 to 1.
        momentum: f64,
    },
}

/// How the learning rate changes over the whole study.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// Always the peak.
    Constant,
    /// Linear warm-up over this share of all steps, then half a cosine down to a hundredth of the peak.
    Cosine {
        /// In 0 to 1.
        warmup_fraction: f64,
    },
}

/// How much a site does in a round.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LocalTraining {
    /// Optimiser steps; at most, where `epochs` is given.
    pub steps: u32,
    /// Radiographs a step.
    pub batch_size: u32,
    /// How often each radiograph of the site is looked at, on average: small sites then do fewer steps than large ones. Absent: all
    /// do the same number of steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// FedProx: how strongly local training is drawn back to the round's model. Half of it times the squared distance is added to
    /// the loss (Li et al. 2020). Absent: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proximal: Option<f64>,
    /// What is done against sites that drift apart within a round. Absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// What of the network each site keeps for itself: it is trained like the rest, and never leaves. Absent: everything is shared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<KeptRole>,
}

/// What is done against sites that drift apart within a round.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// SCAFFOLD (Karimireddy et al. 2020, option II): each site goes down its own slope less the slope that it found there before, plus
    /// that of all sites. No more numbers leave a site for it: what its control variate changes by follows from its update.
    Scaffold,
}

/// A kind of parameters that a site may keep for itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeptRole {
    /// Scale and shift of every normalisation (FedBN, Li et al. 2021): what differs most between devices stays with the device.
    Normalisation,
}

impl KeptRole {
    /// What it is, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normalisation => "scale and shift of the normalisations (FedBN)",
        }
    }
}

impl LocalTraining {
    /// The steps of a site with this many examples.
    #[must_use]
    pub fn steps_of(&self, examples: u64) -> u32 {
        let Some(epochs) = self.epochs else { return self.steps };
        // A plan's epochs and a count of radiographs are far below what a cast could cut.
        let wanted = (epochs * examples as f64 / f64::from(self.batch_size)).ceil();
        (wanted as u32).clamp(1, self.steps)
    }
}

/// How many rounds, sites and seconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rounds {
    /// How many rounds.
    pub count: u32,
    /// Sites that must join before the first round, and at most.
    pub sites: Span,
    /// Seconds that recruiting lasts at least, and at most before the study is abandoned.
    pub recruit_seconds: Span,
    /// Updates that a round needs, and at most.
    pub updates: Span,
    /// Seconds that a round stays open at least unless all joined sites have contributed, and at most.
    pub collect_seconds: Span,
    /// Seconds that the final evaluation stays open at most.
    pub review_seconds_max: u32,
    /// What becomes of an update whose round closed before it was whole. Absent: it is dropped.
    #[serde(default, skip_serializing_if = "Late::is_drop")]
    pub late: Late,
}

/// What becomes of an update whose round closed before it was whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Late {
    /// It is refused; its site goes on with the round that is open.
    #[default]
    Drop,
    /// It counts in the round that is open, as its site's update of that round, and the weaker the older the model is that it was
    /// trained from: its numbers are divided by the square root of one more than that many rounds. With a small and equal
    /// `updates.min` and `updates.max` and no least time for a round it is buffered asynchronous averaging (FedBuff, Nguyen et al.
    /// 2022).
    Fold {
        /// By how many rounds it may be late.
        rounds: u32,
    },
}

impl Late {
    /// By how many rounds an update may be late and still count.
    #[must_use]
    pub const fn rounds_max(self) -> u32 {
        match self {
            Self::Drop => 0,
            Self::Fold { rounds } => rounds,
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    const fn is_drop(&self) -> bool {
        matches!(self, Self::Drop)
    }
}

/// From `min` to `max`, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// At least.
    pub min: u32,
    /// At most.
    pub max: u32,
}

/// One kind of thing that leaves a site.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sent {
    /// The change of the parameters in a round.
    Update,
    /// Counts and sums of the model's quality on validation patients.
    Metrics,
    /// Further ones of each class, with those: how its scores rank patients, for what else its radiographs were taken, and how far off its
    /// probabilities are.
    DetailedMetrics,
}

impl StudyPlan {
    /// The one way of writing this plan down: JSON with sorted keys and no spaces.
    #[must_use]
    pub fn canonical_bytes(&self) -> Vec<u8> {
        canonical_json(self)
    }

    /// What a site approves.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        Sha256Digest::of(&self.canonical_bytes())
    }

    /// Whether sites and server keep control variates.
    #[must_use]
    pub const fn is_scaffold(&self) -> bool {
        matches!(self.local.drift, Some(Drift::Scaffold))
    }

    /// The name that the field knows the way of averaging by, or the names of its parts.
    #[must_use]
    pub fn strategy_name(&self) -> String {
        // It goes with the plain mean alone.
        if self.is_scaffold() {
            "SCAFFOLD".to_owned()
        } else {
            self.strategy.name()
        }
    }

    /// How it draws radiographs again, where that is what it learns.
    #[must_use]
    pub const fn reconstruction(&self) -> Option<Reconstruction> {
        match self.pretext {
            Some(Pretext::Reconstruction(reconstruction)) => Some(reconstruction),
            Some(Pretext::Contrastive(_)) | None => None,
        }
    }

    /// How it tells two views of one patient from those of others, where that is what it learns.
    #[must_use]
    pub const fn contrastive(&self) -> Option<Contrastive> {
        match self.pretext {
            Some(Pretext::Contrastive(contrastive)) => Some(contrastive),
            Some(Pretext::Reconstruction(_)) | None => None,
        }
    }

    /// The head that learns masks, where there is one; it stands alone.
    #[must_use]
    pub fn mask_head(&self) -> Option<&Head> {
        self.heads
            .iter()
            .find(|head| matches!(head.kind, HeadKind::Mask { .. }))
    }

    /// What the study's weights come from besides its own rounds, nearest first; empty where it begins from its seed.
    #[must_use]
    pub fn parents(&self) -> &[Origin] {
        self.start.as_ref().map_or(&[], |start| &start.parents)
    }

    /// Optimiser steps over all rounds.
    #[must_use]
    pub fn steps_total(&self) -> u64 {
        u64::from(self.local.steps) * u64::from(self.rounds.count)
    }
}
