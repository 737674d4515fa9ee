//! Noise on each pixel.

use rand::{Rng as _, RngCore as _};
use rand_chacha::ChaCha8Rng;

use crate::{DEVIATION, tone, value};

/// Adds nearly normal noise of a random deviation up to `deviation` to the tones of `input`.
pub(crate) fn add(deviation: f32, random: &mut ChaCha8Rng, input: &mut [f32]) {
    // Four bytes add up to nearly a normal deviate: mean 510, deviation 147.8.
    let scale = random.random_range(0.0..deviation) / 147.8;
    for places in input.chunks_mut(LANES) {
        let mut words = [0; LANES];
        words[..places.len()].fill_with(|| random.next_u32());
        for (place, word) in places.iter_mut().zip(words) {
            *place = value(tone(*place + scale * (bytes_sum(word) as f32 - 510.0) / DEVIATION));
        }
    }
}

/// Pixels whose numbers are drawn together, so that the processor can add noise to them side by side.
const LANES: usize = 16;

/// The sum of the four bytes, two at a time.
const fn bytes_sum(word: u32) -> i32 {
    let pairs = (word & 0x00ff_00ff) + ((word >> 8) & 0x00ff_00ff);
    ((pairs & 0xffff) + (pairs >> 16)) as i32
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn the_sum_is_that_of_the_bytes() {
        for (word, sum) in [(0, 0), (u32::MAX, 1020), (0x0102_0304, 10), (0xff00_00fe, 509)] {
            assert_eq!(bytes_sum(word), sum);
        }
    }

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
