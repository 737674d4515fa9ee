//! Adam (Kingma and Ba, 2015), and where it starts.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use snowball_text::network::{Step, shapes};

const MEAN: f32 = 0.9;
const SQUARE: f32 = 0.999;
const TINY: f32 = 1e-8;
/// Longer gradients are shortened to this.
const NORM_MAX: f32 = 5.0;

/// The rate of a step: it rises over the first hundred, then falls along half a cosine.
pub fn rate(full: f32, step: usize, steps: usize) -> f32 {
    let warm = ((step + 1) as f32 / 100.0).min(1.0);
    let cosine = 0.5 + 0.5 * (std::f32::consts::PI * step as f32 / steps as f32).cos();
    full * warm * (0.01 + cosine)
}

/// What a network's scores say of each class: the softmax.
pub fn chances(scores: &[f32]) -> Vec<f32> {
    let most = scores.iter().copied().fold(f32::MIN, f32::max);
    let parts: Vec<f32> = scores.iter().map(|score| (score - most).exp()).collect();
    let sum: f32 = parts.iter().sum();
    parts.into_iter().map(|part| part / sum).collect()
}

/// The state of the method.
pub struct Adam {
    means: Vec<f32>,
    squares: Vec<f32>,
    steps: i32,
}

impl Adam {
    pub fn new(count: usize) -> Self {
        Self {
            means: vec![0.0; count],
            squares: vec![0.0; count],
            steps: 0,
        }
    }

    /// Moves `values` against `gradient`.
    pub fn step(&mut self, rate: f32, values: &mut [f32], gradient: &[f32]) {
        self.steps += 1;
        let norm = gradient.iter().map(|value| value * value).sum::<f32>().sqrt();
        let scale = (NORM_MAX / norm.max(1e-12)).min(1.0);
        let (rise, width) = (1.0 - MEAN.powi(self.steps), 1.0 - SQUARE.powi(self.steps));
        for (at, value) in values.iter_mut().enumerate() {
            let slope = gradient[at] * scale;
            self.means[at] = MEAN * self.means[at] + (1.0 - MEAN) * slope;
            self.squares[at] = SQUARE * self.squares[at] + (1.0 - SQUARE) * slope * slope;
            *value -= rate * (self.means[at] / rise) / ((self.squares[at] / width).sqrt() + TINY);
        }
    }
}

/// First weights: spread so that what goes through keeps its size (He et al., 2015).
pub fn start(steps: &[Step], channels: usize, random: &mut ChaCha8Rng) -> Vec<f32> {
    let mut values = Vec::new();
    for [side, inputs, outputs] in shapes(steps, channels) {
        let spread = (6.0 / (side * side * inputs) as f32).sqrt() * 0.8;
        values.extend((0..side * side * inputs * outputs).map(|_| random.random_range(-spread..spread)));
        values.extend(vec![0.0; outputs]);
    }
    values
}
