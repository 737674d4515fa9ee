//! How weights move: the plan's rule on the flat vector, on the host, so that it is the same on every device.
//!
//! One fused loop over the parameters. Weight decay takes weights only, not norms and not biases; what a site cannot learn
//! (the rows of a head whose class it lacks) neither moves nor decays.

use std::ops::Range;

use snowball_layout::{Layout, Role};
use snowball_protocol::{
    StudyPlan,
    plan::{Optimiser as Asked, OptimiserRule},
};
use snowball_worker::groups::Groups;

use crate::loss::Losses;

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// The state of one job's optimiser.
pub struct Optimiser {
    asked: Asked,
    segments: Vec<Segment>,
    /// Mean of the gradients (AdamW) or the velocity (SGD).
    first: Vec<f32>,
    /// Mean of their squares (AdamW).
    second: Vec<f32>,
    steps: i32,
    /// FedProx: how strongly, and to where, the parameters are drawn back.
    anchor: Option<(f32, Vec<f32>)>,
    /// SCAFFOLD: what the slope of each step is corrected by.
    correction: Option<Vec<f32>>,
}

/// Parameters that move, in one stretch.
#[derive(PartialEq, Debug)]
struct Segment {
    range: Range<usize>,
    decays: bool,
    /// Times the rate.
    factor: f64,
    /// Steps of the job before its first.
    after: i32,
}

impl Optimiser {
    /// A fresh optimiser for `plan` where `losses` says what can be learned, from the parameters `begin` on.
    pub fn new(plan: &StudyPlan, layout: &Layout, losses: &Losses, begin: &[f32]) -> Self {
        let parameters = layout.parameters();
        let squares = if plan.optimiser.rule == OptimiserRule::Adamw {
            parameters
        } else {
            0
        };
        Self {
            asked: plan.optimiser.clone(),
            segments: segments(plan, layout, losses),
            first: vec![0.0; parameters],
            second: vec![0.0; squares],
            steps: 0,
            anchor: plan.local.proximal.map(|strength| (strength as f32, begin.to_vec())),
            correction: None,
        }
    }

    /// The same where only what `groups` name learns, at their factors of the rate and from their steps on.
    #[must_use]
    pub fn with_groups(mut self, groups: Option<&Groups>) -> Self {
        if let Some(groups) = groups {
            self.segments.retain_mut(|segment| {
                let Some(group) = groups.at(segment.range.start) else {
                    return false;
                };
                segment.factor = group.factor;
                segment.after = i32::try_from(group.from_step).unwrap_or(i32::MAX);
                true
            });
        }
        self
    }

    /// The same with `correction` added to the slope of each step.
    #[must_use]
    pub fn with_correction(mut self, correction: Option<Vec<f32>>) -> Self {
        self.correction = correction;
        self
    }

    /// Moves `parameters` against `gradient` with rate `rate`.
    pub fn step(&mut self, rate: f64, parameters: &mut [f32], gradient: &mut [f32]) {
        self.steps += 1;
        if let Some((strength, begin)) = &self.anchor {
            draw_back(*strength, begin, parameters, gradient);
        }
        if let Some(bound) = self.asked.gradient_norm_max {
            clip(gradient, bound);
        }
        for segment in self.segments.iter().filter(|segment| segment.after < self.steps) {
            let range = segment.range.clone();
            let rate = rate * segment.factor;
            let kept = if segment.decays {
                (1.0 - rate * self.asked.weight_decay) as f32
            } else {
                1.0
            };
            let parameters = &mut parameters[range.clone()];
            let gradient = &gradient[range.clone()];
            let first = &mut self.first[range.clone()];
            match self.asked.rule {
                OptimiserRule::Adamw => adamw(
                    rate,
                    kept,
                    // Means that begin later are corrected for their own beginning.
                    self.steps - segment.after,
                    parameters,
                    gradient,
                    first,
                    &mut self.second[range],
                ),
                OptimiserRule::Sgd { momentum } => sgd(rate, kept, momentum, parameters, gradient, first),
            }
        }
        if let Some(correction) = &self.correction {
            correct(rate, correction, parameters);
        }
    }
}

fn segments(plan: &StudyPlan, layout: &Layout, losses: &Losses) -> Vec<Segment> {
    let mut segments = Vec::new();
    for tensor in &layout.tensors {
        let decays = tensor.role == Role::Weight && tensor.shape.len() > 1;
        let rows = tensor.shape[0];
        let row = tensor.values() / rows;
        let head = plan.heads.iter().zip(losses.present()).find(|(head, _)| {
            let name = tensor
                .name
                .strip_prefix("heads.")
                .and_then(|name| name.split('.').next());
            name == Some(head.label.code())
        });
        match head {
            None if matches!(tensor.role, Role::Weight | Role::NormAffine) => {
                segments.push(Segment {
                    range: tensor.offset..tensor.offset + tensor.values(),
                    decays,
                    factor: 1.0,
                    after: 0,
                });
            }
            None => {}
            Some((_, present)) => {
                segments.extend((0..rows).filter(|place| present[*place]).map(|place| Segment {
                    range: tensor.offset + place * row..tensor.offset + (place + 1) * row,
                    decays,
                    factor: 1.0,
                    after: 0,
                }));
            }
        }
    }
    segments
}

/// The gradient of `strength / 2 |parameters - begin|^2`, which FedProx adds to the loss (Li et al. 2020).
fn draw_back(strength: f32, begin: &[f32], parameters: &[f32], gradient: &mut [f32]) {
    for ((slope, parameter), begin) in gradient.iter_mut().zip(parameters).zip(begin) {
        *slope += strength * (parameter - begin);
    }
}

/// A step down what SCAFFOLD adds to the slope (Karimireddy et al. 2020): everywhere, for what this site cannot learn has a slope here as
/// well, which is zero. After the bound of the gradient's norm, so that what a site went down is a mean of such gradients. With plain descent,
/// which SCAFFOLD needs, it makes no difference that this step is taken by itself; it comes last, so that weight decay does not shorten it.
fn correct(rate: f64, correction: &[f32], parameters: &mut [f32]) {
    let rate = rate as f32;
    for (parameter, correction) in parameters.iter_mut().zip(correction) {
        *parameter -= rate * correction;
    }
}

fn clip(gradient: &mut [f32], bound: f64) {
    let norm = gradient
        .iter()
        .map(|slope| f64::from(*slope).powi(2))
        .sum::<f64>()
        .sqrt();
    if norm > bound {
        let scale = (bound / norm) as f32;
        gradient.iter_mut().for_each(|slope| *slope *= scale);
    }
}

/// Loshchilov and Hutter 2019, in PyTorch's order of operations.
fn adamw(
    rate: f64,
    kept: f32,
    steps: i32,
    parameters: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    let (beta_1, beta_2) = (BETA_1 as f32, BETA_2 as f32);
    let (rest_1, rest_2) = ((1.0 - BETA_1) as f32, (1.0 - BETA_2) as f32);
    let step = (rate / (1.0 - BETA_1.powi(steps))) as f32;
    let correction = (1.0 / (1.0 - BETA_2.powi(steps)).sqrt()) as f32;
    let epsilon = EPSILON as f32;
    for (((parameter, slope), first), second) in parameters.iter_mut().zip(gradient).zip(first).zip(second) {
        *first = beta_1 * *first + rest_1 * slope;
        *second = beta_2 * *second + rest_2 * slope * slope;
        *parameter = kept * *parameter - step * *first / (second.sqrt() * correction + epsilon);
    }
}

fn sgd(rate: f64, kept: f32, momentum: f64, parameters: &mut [f32], gradient: &[f32], velocity: &mut [f32]) {
    let (rate, momentum) = (rate as f32, momentum as f32);
    for ((parameter, slope), velocity) in parameters.iter_mut().zip(gradient).zip(velocity) {
        *velocity = momentum * *velocity + slope;
        *parameter = kept * *parameter - rate * *velocity;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// torch.optim.AdamW([1.0, -2.0], lr=0.1, weight_decay=0.1) with gradients (0.5, -1.0), (0.1, 0.2), (-0.3, 0.4).
    #[test]
    fn adamw_moves_as_pytorch_does() {
        let mut parameters = [1.0_f32, -2.0];
        let (mut first, mut second) = ([0.0; 2], [0.0; 2]);
        for (step, gradient) in [[0.5_f32, -1.0], [0.1, 0.2], [-0.3, 0.4]].iter().enumerate() {
            adamw(
                0.1,
                1.0 - 0.1 * 0.1,
                step as i32 + 1,
                &mut parameters,
                gradient,
                &mut first,
                &mut second,
            );
        }
        // By hand, in f64.
        let mut expected = [1.0_f64, -2.0];
        let (mut mean, mut square) = ([0.0_f64; 2], [0.0_f64; 2]);
        for (step, gradient) in [[0.5_f64, -1.0], [0.1, 0.2], [-0.3, 0.4]].iter().enumerate() {
            for place in 0..2 {
                mean[place] = 0.9 * mean[place] + 0.1 * gradient[place];
                square[place] = 0.999 * square[place] + 0.001 * gradient[place] * gradient[place];
                let mean_hat = mean[place] / (1.0 - 0.9_f64.powi(step as i32 + 1));
                let square_hat = square[place] / (1.0 - 0.999_f64.powi(step as i32 + 1));
                expected[place] = expected[place] * 0.99 - 0.1 * mean_hat / (square_hat.sqrt() + 1e-8);
            }
        }
        for place in 0..2 {
            assert!(
                (f64::from(parameters[place]) - expected[place]).abs() < 1e-6,
                "{parameters:?} {expected:?}"
            );
        }
    }

    #[test]
    fn momentum_gathers_speed() {
        let mut parameters = [0.0_f32];
        let mut velocity = [0.0_f32];
        for _ in 0..2 {
            sgd(1.0, 1.0, 0.5, &mut parameters, &[1.0], &mut velocity);
        }
        assert_eq!(parameters, [-2.5]);
    }

    /// What FedProx is for: however long a site trains alone, it stays near the round's model. On a loss of `(w - 10)^2 / 2` that starts
    /// at 0 it ends where both pulls cancel, at `10 / (1 + strength)`.
    #[test]
    fn training_alone_ends_near_the_round_s_model() {
        for (strength, end) in [(0.0, 10.0), (1.0, 5.0), (4.0, 2.0)] {
            let (begin, mut parameters, mut velocity) = ([0.0], [0.0_f32], [0.0]);
            for _ in 0..400 {
                let mut gradient = [parameters[0] - 10.0];
                draw_back(strength, &begin, &parameters, &mut gradient);
                sgd(0.1, 1.0, 0.0, &mut parameters, &gradient, &mut velocity);
            }
            assert!((parameters[0] - end).abs() < 1e-3, "{strength}: {parameters:?}");
        }
    }

    #[test]
    fn a_long_gradient_is_shortened_and_a_short_one_left() {
        let mut gradient = [3.0, 4.0];
        clip(&mut gradient, 1.0);
        assert!((gradient[0] - 0.6).abs() < 1e-6 && (gradient[1] - 0.8).abs() < 1e-6);
        clip(&mut gradient, 2.0);
        assert!((gradient[0] - 0.6).abs() < 1e-6);
    }
}
