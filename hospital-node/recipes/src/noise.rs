//! Noise on each pixel.

use rand::{Rng as _, RngCore as _};
use rand_chacha::ChaCha8Rng;

use crate::{DEVIATION, tone, value};

/// Adds nearly normal noise of a random deviation up to `deviation` to the tones of `input`.
pub(crate) fn add(deviation: f32, random: &mut ChaCha8Rng, input: &mut [f32]) {
    // Four bytes add up to nearly a normal deviate: mean 510, deviation 147.8.
    let scale = random.random_range(0.0..deviation) / 147.8;
    for place in input {
        let sum: u16 = random.next_u32().to_le_bytes().into_iter().map(u16::from).sum();
        *place = value(tone(*place + scale * (f32::from(sum) - 510.0) / DEVIATION));
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn its_mean_is_none_and_its_deviation_within_the_range() {
        for seed in 0..20 {
            let mut input = vec![0.0; 10_000];
            add(0.02, &mut ChaCha8Rng::seed_from_u64(seed), &mut input);
            let tones: Vec<f32> = input.iter().map(|value| tone(*value) - 0.5).collect();
            let mean = tones.iter().sum::<f32>() / 1e4;
            let deviation = (tones.iter().map(|tone| tone * tone).sum::<f32>() / 1e4).sqrt();
            assert!(
                mean.abs() < 0.001 && deviation > 0.0 && deviation < 0.021,
                "{mean} {deviation}"
            );
        }
    }
}
