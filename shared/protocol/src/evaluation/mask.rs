//! How well masks are drawn: Dice coefficients over patients.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HeadEvaluation, NORMAL_95, ratio};

/// How well one class was outlined. The Dice coefficient of a radiograph is twice what both masks mark over the sum of what each marks, 1
/// where neither marks anything; a patient's is the mean of theirs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaskCount {
    /// The class's code.
    pub class: String,
    /// Sum of the patients' Dice coefficients.
    pub dice_sum: f64,
    /// Sum of their squares: how sure the mean is.
    pub dice_square_sum: f64,
    /// Sum of the patients' Dice coefficients for one mask for all, which at each pixel says what most masks of the site's training part
    /// say.
    pub constant_dice_sum: f64,
}

/// A mean Dice coefficient over patients.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Dice {
    /// The mean.
    pub mean: f64,
    /// Its interval of 95 % over patients, by the normal distribution; `None` of one patient alone.
    pub interval: Option<(f64, f64)>,
    /// The mean for the constant mask.
    pub constant: f64,
}

impl MaskCount {
    /// The mean over `patients`.
    #[must_use]
    pub fn dice(&self, patients: u64) -> Option<Dice> {
        let mean = ratio(self.dice_sum, patients)?;
        let count = patients as f64;
        let interval = (patients > 1).then(|| {
            let variance = (self.dice_square_sum - count * mean * mean).max(0.0) / (count - 1.0);
            let half = NORMAL_95 * (variance / count).sqrt();
            ((mean - half).max(0.0), (mean + half).min(1.0))
        });
        Some(Dice {
            mean,
            interval,
            constant: ratio(self.constant_dice_sum, patients)?,
        })
    }
}

impl HeadEvaluation {
    /// Each class's mean Dice coefficient.
    #[must_use]
    pub fn dice(&self) -> Vec<(&str, Dice)> {
        let Self::Mask { patients, masks, .. } = self else {
            return Vec::new();
        };
        let of = |count: &MaskCount| count.dice(*patients);
        let masks = masks
            .iter()
            .filter_map(|count| Some((count.class.as_str(), of(count)?)));
        masks.collect()
    }

    /// The mean of the classes' mean Dice coefficients, and of the constant mask's.
    #[must_use]
    pub fn mean_dice(&self) -> Option<(f64, f64)> {
        let classes = self.dice();
        let mean = |of: fn(&Dice) -> f64| ratio(classes.iter().map(|(_, dice)| of(dice)).sum(), classes.len() as u64);
        Some((mean(|dice| dice.mean)?, mean(|dice| dice.constant)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sha256Digest, evaluation::Evaluation, labels::LabelName};

    #[test]
    fn masks_add_up_over_the_patients_of_all_sites() {
        let of = |dices: &[f64]| Evaluation {
            model_digest: Sha256Digest::of(b"m"),
            images: dices.len() as u64 * 2,
            heads: vec![HeadEvaluation::Mask {
                label: LabelName::Site("site_lungs".parse().unwrap()),
                loss_sum: 1.0,
                images: dices.len() as u64 * 2,
                patients: dices.len() as u64,
                masks: vec![MaskCount {
                    class: "lung".to_owned(),
                    dice_sum: dices.iter().sum(),
                    dice_square_sum: dices.iter().map(|dice| dice * dice).sum(),
                    constant_dice_sum: dices.iter().map(|dice| dice / 2.0).sum(),
                }],
            }],
            reconstruction: None,
            contrast: None,
        };
        let pooled = Evaluation::pooled([&of(&[0.8, 0.9]), &of(&[1.0])]).unwrap();
        let (class, dice) = pooled.heads[0].dice()[0];
        assert_eq!(class, "lung");
        assert!((dice.mean - 0.9).abs() < 1e-12 && (dice.constant - 0.45).abs() < 1e-12);
        let (low, high) = dice.interval.unwrap();
        // A deviation of 0.1 over three patients.
        let half = NORMAL_95 * 0.1 / 3.0_f64.sqrt();
        assert!(
            (low - (0.9 - half)).abs() < 1e-9 && (high - 1.0).abs() < 1e-12,
            "{low} {high}"
        );
        assert_eq!((pooled.heads[0].images(), pooled.mean_loss()), (6, Some(1.0 / 3.0)));
        assert_eq!(of(&[0.8]).heads[0].dice()[0].1.interval, None);
        let mut small = of(&[0.8, 0.9, 0.7]);
        small.hide_small_cells(4);
        assert!(small.heads.is_empty());
    }
}
