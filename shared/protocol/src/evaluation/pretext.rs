//! How well a pretext without labels is done: radiographs drawn again, the other radiograph of a patient found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ratio;

/// How well the other view of a patient was found among those of a batch, each radiograph once.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContrastEvaluation {
    /// Radiographs whose pair was looked for among other patients.
    pub images: u64,
    /// Sum of the losses (NT-Xent), in nats: of each the mean over its two views.
    pub loss_sum: f64,
    /// Of how many the other view was likest to it.
    pub found: u64,
    /// Of how many that would be so by chance: the sum of one over the views that competed.
    pub chance_sum: f64,
}

/// How well radiographs were drawn again: squared errors of the prepared picture, where it was masked if the plan masks.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReconstructionEvaluation {
    /// Radiographs drawn.
    pub images: u64,
    /// Sum of each radiograph's mean squared error.
    pub squared_error_sum: f64,
    /// The same where each radiograph's mean is drawn: of what the network was shown of it.
    pub constant_squared_error_sum: f64,
}

impl ReconstructionEvaluation {
    /// Mean squared error, and that of each radiograph's mean.
    #[must_use]
    pub fn mean_squared_errors(self) -> Option<(f64, f64)> {
        Some((
            ratio(self.squared_error_sum, self.images)?,
            ratio(self.constant_squared_error_sum, self.images)?,
        ))
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            images: self.images + other.images,
            squared_error_sum: self.squared_error_sum + other.squared_error_sum,
            constant_squared_error_sum: self.constant_squared_error_sum + other.constant_squared_error_sum,
        }
    }
}

impl ContrastEvaluation {
    /// Mean loss.
    #[must_use]
    pub fn mean_loss(self) -> Option<f64> {
        ratio(self.loss_sum, self.images)
    }

    /// The share of the pairs that were found, and that which chance finds.
    #[must_use]
    pub fn shares_found(self) -> Option<(f64, f64)> {
        Some((
            ratio(self.found as f64, self.images)?,
            ratio(self.chance_sum, self.images)?,
        ))
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            images: self.images + other.images,
            loss_sum: self.loss_sum + other.loss_sum,
            found: self.found + other.found,
            chance_sum: self.chance_sum + other.chance_sum,
        }
    }
}
