//! One picture shines through another (mixup, Zhang et al. 2018).

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

/// The share of the other picture, at most a half: the smaller part of a draw from beta(`alpha`, `alpha`), `alpha` at most 1 (Jöhnk
/// 1964).
pub fn share(alpha: f32, random: &mut ChaCha8Rng) -> f32 {
    let mut power = || random.random_range(f32::EPSILON..1.0).powf(1.0 / alpha);
    loop {
        let (one, other) = (power(), power());
        let sum = one + other;
        if sum > f32::MIN_POSITIVE && sum <= 1.0 {
            return one.min(other) / sum;
        }
    }
}

/// Lays over each picture of a group the one after it, over the last the first, each with its share.
pub fn mix(pictures: &mut [f32], pixels: usize, shares: &[f32]) {
    if shares.len() < 2 {
        return;
    }
    let first = pictures[..pixels].to_vec();
    for (place, share) in shares.iter().enumerate() {
        let (before, after) = pictures.split_at_mut((place + 1) * pixels);
        let own = &mut before[place * pixels..];
        let other = if after.is_empty() {
            first.as_slice()
        } else {
            &after[..pixels]
        };
        own.iter_mut()
            .zip(other)
            .for_each(|(own, other)| *own += share * (other - *own));
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn shares_are_as_beta_says() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let shares: Vec<f32> = (0..20_000).map(|_| share(0.2, &mut random)).collect();
        assert!(shares.iter().all(|share| (0.0..=0.5).contains(share)));
        // Variance of beta(a, a) about its middle: 1 / (4 (2 a + 1)).
        let variance = shares.iter().map(|share| f64::from(share - 0.5).powi(2)).sum::<f64>() / 20_000.0;
        assert!((variance - 1.0 / 5.6).abs() < 0.003, "{variance}");
    }

    #[test]
    fn each_picture_gets_the_next_and_the_last_gets_the_first_as_it_was() {
        let mut pictures = [0.0, 0.0, 1.0, 1.0, 4.0, 4.0];
        mix(&mut pictures, 2, &[0.5, 0.25, 0.25]);
        assert_eq!(pictures, [0.5, 0.5, 1.75, 1.75, 3.0, 3.0]);
        let mut alone = [3.0, 3.0];
        mix(&mut alone, 2, &[0.5]);
        assert_eq!(alone, [3.0, 3.0]);
    }
}
