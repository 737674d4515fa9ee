//! Where parameters start.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;

use crate::Tensor;

/// How much smaller a head starts than He et al. would have it, so that no class is favoured at first.
const HEAD_SCALE: f32 = 0.1;

/// How one tensor starts.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Start {
    /// Uniform with the variance 2 / fan-in that keeps the signal through ReLU (He et al. 2015).
    He { fan_in: usize },
    /// The same, a tenth as large.
    Small { fan_in: usize },
    /// One value everywhere.
    Constant(f32),
}

pub(crate) fn parameters(tensors: &[Tensor], seed: u64) -> Vec<f32> {
    let mut flat = Vec::with_capacity(tensors.iter().map(Tensor::values).sum());
    for (position, tensor) in tensors.iter().enumerate() {
        let count = tensor.values();
        match tensor.start {
            Start::Constant(value) => flat.extend(std::iter::repeat_n(value, count)),
            Start::He { fan_in } => flat.extend(uniform(seed, position, bound(fan_in)).take(count)),
            Start::Small { fan_in } => flat.extend(uniform(seed, position, HEAD_SCALE * bound(fan_in)).take(count)),
        }
    }
    flat
}

fn bound(fan_in: usize) -> f32 {
    (6.0 / fan_in as f32).sqrt()
}

fn uniform(seed: u64, stream: usize, bound: f32) -> impl Iterator<Item = f32> {
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    random.set_stream(stream as u64);
    // 24 bits fill the significand exactly; the result lies in -bound to bound.
    std::iter::repeat_with(move || ((random.next_u32() >> 8) as f32 * (2.0 / 16_777_216.0) - 1.0) * bound)
}
