//! What a site says of a model's quality: counts and sums over its own validation patients, nothing per image.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    detail::{COVARIANCES_SINCE, ClassDetail, Ranks},
    mask::{Dice, MaskCount},
    pretext::{ContrastEvaluation, ReconstructionEvaluation},
};
use crate::{digest::Sha256Digest, labels::LabelName};

mod detail;
mod mask;
mod numbers;
mod pretext;
mod small;

/// Of a normal distribution, the point that 2.5 % lie beyond.
pub(crate) const NORMAL_95: f64 = 1.959_963_984_540_054;

/// The quality of one model on one site's validation part.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Which model (digest of its little-endian f32 bytes).
    pub model_digest: Sha256Digest,
    /// Radiographs evaluated.
    pub images: u64,
    /// Per head.
    pub heads: Vec<HeadEvaluation>,
    /// How well radiographs were drawn again, where the plan asks for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconstruction: Option<ReconstructionEvaluation>,
    /// How well the other radiograph of a patient was found, where the plan asks for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contrast: Option<ContrastEvaluation>,
}

/// One head's counts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum HeadEvaluation {
    /// A head that names classes.
    Classes {
        /// Which label.
        label: LabelName,
        /// Sum of the cross-entropies, in nats.
        loss_sum: f64,
        /// Radiographs with this label.
        images: u64,
        /// Counts per true class; classes with fewer images than the policy's smallest cell are left out.
        classes: Vec<ClassCount>,
    },
    /// A head that tells a number.
    Regression {
        /// Which label.
        label: LabelName,
        /// Sum of the training losses.
        loss_sum: f64,
        /// Radiographs with this label.
        images: u64,
        /// Sum of absolute errors, in the label's unit (age: years).
        absolute_error_sum: f64,
        /// The same for the constant that the site's training part has as its median.
        constant_absolute_error_sum: f64,
        /// Sum of the squares of the absolute errors, where the plan compares with the site's own model: how sure the mean is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        absolute_error_square_sum: Option<f64>,
    },
    /// A head that draws masks.
    Mask {
        /// Which label.
        label: LabelName,
        /// Sum of the training losses.
        loss_sum: f64,
        /// Radiographs with a mask.
        images: u64,
        /// Patients behind them.
        patients: u64,
        /// Per class of the plan.
        masks: Vec<MaskCount>,
    },
}

/// How often one class was recognised.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassCount {
    /// The class's code.
    pub class: String,
    /// Radiographs of this class.
    pub images: u64,
    /// Of these, recognised.
    pub correct: u64,
    /// More than that, where plan and policy let detailed metrics leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<ClassDetail>,
}

impl Evaluation {
    /// Whether a class of it is told in more than counts.
    #[must_use]
    pub fn has_details(&self) -> bool {
        self.classes().any(|class| class.detail.is_some())
    }

    /// Leaves of every class the counts.
    pub fn forget_details(&mut self) {
        for head in &mut self.heads {
            if let HeadEvaluation::Classes { classes, .. } = head {
                classes.iter_mut().for_each(|class| class.detail = None);
            }
        }
    }

    /// Leaves out of details how classes go together, for a side that does not know it.
    pub fn forget_covariances(&mut self) {
        for head in &mut self.heads {
            if let HeadEvaluation::Classes { classes, .. } = head {
                let details = classes.iter_mut().filter_map(|class| class.detail.as_mut());
                details.for_each(|detail| detail.covariance_sums = None);
            }
        }
    }

    fn classes(&self) -> impl Iterator<Item = &ClassCount> {
        self.heads.iter().flat_map(|head| match head {
            HeadEvaluation::Classes { classes, .. } => &classes[..],
            _ => &[],
        })
    }

    /// Adds up the evaluations of several sites of the same model.
    #[must_use]
    pub fn pooled<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let mut parts = parts.into_iter();
        let mut total = parts.next()?.clone();
        let model_digest = total.model_digest;
        for part in parts.filter(|part| part.model_digest == model_digest) {
            total.images += part.images;
            total.reconstruction = match (total.reconstruction, part.reconstruction) {
                (Some(one), Some(other)) => Some(one.plus(other)),
                (one, other) => one.or(other),
            };
            total.contrast = match (total.contrast, part.contrast) {
                (Some(one), Some(other)) => Some(one.plus(other)),
                (one, other) => one.or(other),
            };
            for head in &part.heads {
                match total.heads.iter_mut().find(|sum| sum.label() == head.label()) {
                    Some(sum) => sum.add(head),
                    None => total.heads.push(head.clone()),
                }
            }
        }
        Some(total)
    }

    /// The head of `label`, if it was evaluated.
    #[must_use]
    pub fn head(&self, label: LabelName) -> Option<&HeadEvaluation> {
        self.heads.iter().find(|head| head.label() == label)
    }

    /// Mean loss over all heads that have images, and over the reconstruction or contrast.
    #[must_use]
    pub fn mean_loss(&self) -> Option<f64> {
        let drawn = self
            .reconstruction
            .and_then(ReconstructionEvaluation::mean_squared_errors);
        let heads = self.heads.iter().filter_map(HeadEvaluation::mean_loss);
        let paired = self.contrast.and_then(ContrastEvaluation::mean_loss);
        let losses: Vec<f64> = heads.chain(drawn.map(|errors| errors.0)).chain(paired).collect();
        (!losses.is_empty()).then(|| losses.iter().sum::<f64>() / losses.len() as f64)
    }
}

impl HeadEvaluation {
    /// Which label.
    #[must_use]
    pub const fn label(&self) -> LabelName {
        match self {
            Self::Classes { label, .. } | Self::Regression { label, .. } | Self::Mask { label, .. } => *label,
        }
    }

    /// Mean loss over the images that have the label.
    #[must_use]
    pub fn mean_loss(&self) -> Option<f64> {
        match self {
            Self::Classes { loss_sum, images, .. }
            | Self::Regression { loss_sum, images, .. }
            | Self::Mask { loss_sum, images, .. } => ratio(*loss_sum, *images),
        }
    }

    /// Images that have the label.
    #[must_use]
    pub const fn images(&self) -> u64 {
        match self {
            Self::Classes { images, .. } | Self::Regression { images, .. } | Self::Mask { images, .. } => *images,
        }
    }

    /// Mean of the classes' recalls (balanced accuracy), over the classes that have images.
    #[must_use]
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let Self::Classes { classes, .. } = self else {
            return None;
        };
        let recalls: Vec<f64> = classes
            .iter()
            .filter_map(|class| ratio(class.correct as f64, class.images))
            .collect();
        ratio(recalls.iter().sum(), recalls.len() as u64)
    }

    /// Mean absolute error and that of the constant predictor, in the label's unit.
    #[must_use]
    pub fn mean_absolute_errors(&self) -> Option<(f64, f64)> {
        let Self::Regression {
            images,
            absolute_error_sum,
            constant_absolute_error_sum,
            ..
        } = self
        else {
            return None;
        };
        Some((
            ratio(*absolute_error_sum, *images)?,
            ratio(*constant_absolute_error_sum, *images)?,
        ))
    }

    /// The interval that holds the balanced accuracy, or the mean absolute error, with 95 % confidence, where the counts allow to say. It
    /// takes radiographs as independent: where one patient has several, it is too narrow. To each class two successes and two failures are
    /// added (Agresti and Coull 1998), which keeps it honest where a class has few radiographs.
    #[must_use]
    pub fn interval(&self) -> Option<(f64, f64)> {
        let Self::Classes { classes, .. } = self else {
            let (mean, half) = (
                self.mean_absolute_errors()?.0,
                NORMAL_95 * self.mean_error_variance()?.sqrt(),
            );
            return Some(((mean - half).max(0.0), mean + half));
        };
        let tried: Vec<&ClassCount> = classes.iter().filter(|class| class.images > 0).collect();
        let count = (!tried.is_empty()).then_some(tried.len() as f64)?;
        let (mut centre, mut variance) = (0.0, 0.0);
        for class in tried {
            let images = class.images as f64 + 4.0;
            let recall = (class.correct as f64 + 2.0) / images;
            centre += recall / count;
            variance += recall * (1.0 - recall) / images / (count * count);
        }
        let half = NORMAL_95 * variance.sqrt();
        Some(((centre - half).max(0.0), (centre + half).min(1.0)))
    }

    /// Variance of the mean absolute error; absent where the squares were not told, or there is one radiograph.
    pub(crate) fn mean_error_variance(&self) -> Option<f64> {
        let Self::Regression {
            images,
            absolute_error_sum,
            absolute_error_square_sum,
            ..
        } = self
        else {
            return None;
        };
        let count = *images as f64;
        let squares = absolute_error_square_sum.filter(|_| *images > 1)?;
        let mean = absolute_error_sum / count;
        Some(((squares - count * mean * mean) / (count - 1.0) / count).max(0.0))
    }

    fn add(&mut self, other: &Self) {
        match (self, other) {
            (
                Self::Classes {
                    loss_sum,
                    images,
                    classes,
                    ..
                },
                Self::Classes {
                    loss_sum: other_loss,
                    images: other_images,
                    classes: other_classes,
                    ..
                },
            ) => {
                *loss_sum += other_loss;
                *images += other_images;
                for other in other_classes {
                    match classes.iter_mut().find(|class| class.class == other.class) {
                        Some(class) => {
                            class.images += other.images;
                            class.correct += other.correct;
                            match (&mut class.detail, &other.detail) {
                                (Some(sum), Some(other)) => sum.add(other),
                                (sum @ None, other) => sum.clone_from(other),
                                (Some(_), None) => {}
                            }
                        }
                        None => classes.push(other.clone()),
                    }
                }
            }
            (
                Self::Regression {
                    loss_sum,
                    images,
                    absolute_error_sum,
                    constant_absolute_error_sum,
                    absolute_error_square_sum,
                    ..
                },
                Self::Regression {
                    loss_sum: other_loss,
                    images: other_images,
                    absolute_error_sum: other_error,
                    constant_absolute_error_sum: other_constant,
                    absolute_error_square_sum: other_squares,
                    ..
                },
            ) => {
                *loss_sum += other_loss;
                *images += other_images;
                *absolute_error_sum += other_error;
                *constant_absolute_error_sum += other_constant;
                *absolute_error_square_sum = absolute_error_square_sum
                    .zip(*other_squares)
                    .map(|(one, other)| one + other);
            }
            (
                Self::Mask {
                    loss_sum,
                    images,
                    patients,
                    masks,
                    ..
                },
                Self::Mask {
                    loss_sum: other_loss,
                    images: other_images,
                    patients: other_patients,
                    masks: other_masks,
                    ..
                },
            ) => {
                *loss_sum += other_loss;
                *images += other_images;
                *patients += other_patients;
                for other in other_masks {
                    if let Some(mask) = masks.iter_mut().find(|mask| mask.class == other.class) {
                        mask.dice_sum += other.dice_sum;
                        mask.dice_square_sum += other.dice_square_sum;
                        mask.constant_dice_sum += other.constant_dice_sum;
                    }
                }
            }
            _ => {}
        }
    }
}

fn ratio(sum: f64, count: u64) -> Option<f64> {
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chest(images: u64, correct: u64) -> Evaluation {
        Evaluation {
            model_digest: Sha256Digest::of(b"m"),
            images,
            heads: vec![HeadEvaluation::Classes {
                label: LabelName::BodyPart,
                loss_sum: 1.0,
                images,
                classes: vec![ClassCount {
                    class: "CHEST".to_owned(),
                    images,
                    correct,
                    detail: None,
                }],
            }],
            reconstruction: None,
            contrast: None,
        }
    }

    #[test]
    fn drawings_add_up_over_the_sites_that_have_enough_of_them() {
        let of = |images, error: f64| {
            let mut evaluation = chest(10, 5);
            evaluation.heads.clear();
            evaluation.reconstruction = Some(ReconstructionEvaluation {
                images,
                squared_error_sum: error * images as f64,
                constant_squared_error_sum: images as f64,
            });
            evaluation
        };
        let pooled = Evaluation::pooled([&of(10, 0.5), &chest(1, 1), &of(30, 0.1)]).unwrap();
        let (error, constant) = pooled.reconstruction.unwrap().mean_squared_errors().unwrap();
        assert!((error - 0.2).abs() < 1e-12 && constant == 1.0);
        assert_eq!(of(10, 0.5).mean_loss(), Some(0.5));
        let mut small = of(4, 0.5);
        small.hide_small_cells(5);
        assert_eq!((small.reconstruction, small.mean_loss()), (None, None));
    }

    #[test]
    fn an_interval_is_told_where_the_counts_allow_it() {
        let near = |found: Option<(f64, f64)>, (low, high): (f64, f64)| {
            found.is_some_and(|found| (found.0 - low).abs() < 1e-3 && (found.1 - high).abs() < 1e-3)
        };
        assert!(near(chest(10, 5).heads[0].interval(), (0.238, 0.762)));
        assert!(near(chest(100, 100).heads[0].interval(), (0.954, 1.0)));
        assert_eq!(chest(0, 0).heads[0].interval(), None);
        let ages = |images, square_sum| HeadEvaluation::Regression {
            label: LabelName::Age,
            loss_sum: 0.0,
            images,
            absolute_error_sum: 10.0,
            constant_absolute_error_sum: 0.0,
            absolute_error_square_sum: square_sum,
        };
        // Errors of 1, 2, 3 and 4 years.
        assert!(near(ages(4, Some(30.0)).interval(), (1.235, 3.765)));
        assert_eq!(ages(4, None).interval(), None);
        assert_eq!(ages(1, Some(100.0)).interval(), None);
    }

    #[test]
    fn pairs_add_up_over_the_sites_that_have_enough_of_them() {
        let of = |images, found| {
            let mut evaluation = chest(10, 5);
            evaluation.heads.clear();
            evaluation.contrast = Some(ContrastEvaluation {
                images,
                loss_sum: 2.0 * images as f64,
                found,
                chance_sum: images as f64 / 31.0,
            });
            evaluation
        };
        let pooled = Evaluation::pooled([&of(10, 1), &chest(1, 1), &of(30, 19)]).unwrap();
        let (found, chance) = pooled.contrast.unwrap().shares_found().unwrap();
        assert!((found - 0.5).abs() < 1e-12 && (chance - 1.0 / 31.0).abs() < 1e-12);
        assert_eq!(of(10, 1).mean_loss(), Some(2.0));
        let mut small = of(4, 4);
        small.hide_small_cells(5);
        assert_eq!((small.contrast, small.mean_loss()), (None, None));
    }

    #[test]
    fn sites_add_up_and_small_cells_stay_hidden() {
        let pooled = Evaluation::pooled([&chest(10, 5), &chest(30, 30)]).unwrap();
        assert_eq!(pooled.images, 40);
        assert_eq!(pooled.heads[0].balanced_accuracy(), Some(35.0 / 40.0));

        let mut small = chest(4, 4);
        small.hide_small_cells(5);
        assert!(small.heads.is_empty());
    }
}
