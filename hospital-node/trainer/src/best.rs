//! The best parameters that training came by, and when to stop looking for better ones.

use crate::failure::Failure;

/// The best so far, by the mean loss on the validation part.
pub struct Best {
    patience: u32,
    waited: u32,
    kept: Option<Kept>,
}

struct Kept {
    step: u32,
    loss: f64,
    parameters: Vec<f32>,
}

impl Best {
    /// Stops after so many evaluations without a better one.
    pub const fn after(patience: u32) -> Self {
        Self {
            patience,
            waited: 0,
            kept: None,
        }
    }

    /// Looks at the parameters after `step`; whether it is time to stop.
    ///
    /// # Errors
    /// When the validation part says nothing.
    pub fn ends(&mut self, step: u32, loss: Option<f64>, parameters: &[f32]) -> Result<bool, Failure> {
        let Some(loss) = loss.filter(|loss| loss.is_finite()) else {
            return Err(Failure::new(
                "the validation part does not say which model is the best: no radiograph of it has a label of this plan",
                "train a fixed number of steps, without patience",
            ));
        };
        if self.kept.as_ref().is_none_or(|kept| loss < kept.loss) {
            self.waited = 0;
            self.kept = Some(Kept {
                step,
                loss,
                parameters: parameters.to_vec(),
            });
        } else {
            self.waited += 1;
        }
        Ok(self.waited >= self.patience)
    }

    /// The step after which the best were, and they; nothing before the first evaluation.
    pub fn into_parts(self) -> Option<(u32, Vec<f32>)> {
        self.kept.map(|kept| (kept.step, kept.parameters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_kept_and_patience_begins_anew_with_each_better_one() {
        let mut best = Best::after(2);
        for (step, loss, ends) in [
            (1, 3.0, false),
            (2, 4.0, false),
            (3, 2.0, false),
            (4, 2.0, false),
            (5, 2.5, true),
        ] {
            assert_eq!(best.ends(step, Some(loss), &[step as f32]).unwrap(), ends, "{step}");
        }
        assert_eq!(best.into_parts(), Some((3, vec![3.0])));
    }

    #[test]
    fn a_validation_part_without_labels_is_told() {
        assert!(Best::after(1).ends(1, None, &[]).is_err());
        assert_eq!(Best::after(1).into_parts(), None);
    }
}
