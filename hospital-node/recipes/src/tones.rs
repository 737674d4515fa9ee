//! The tone curve: gamma, contrast, a random rising curve and inversion in one table.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use snowball_protocol::plan::Operation;

/// Steps of the table.
const STEPS: usize = 256;
/// Pieces of the random rising curve.
const PIECES: usize = 8;

/// A table from stored tones (0 to 65535) to tones from 0 to 1.
pub(crate) struct Tones([f32; STEPS + 1]);

impl Tones {
    pub(crate) fn draw(operations: &[Operation], random: &mut ChaCha8Rng) -> Self {
        let mut table: [f32; STEPS + 1] = std::array::from_fn(|step| step as f32 / STEPS as f32);
        for operation in operations {
            match *operation {
                Operation::Gamma { from, to } => {
                    let gamma = random.random_range(from..to);
                    table.iter_mut().for_each(|tone| *tone = tone.powf(gamma));
                }
                Operation::Contrast { from, to } => {
                    let contrast = random.random_range(from..to);
                    let spread = |tone: f32| ((tone - 0.5) * contrast + 0.5).clamp(0.0, 1.0);
                    table.iter_mut().for_each(|tone| *tone = spread(*tone));
                }
                Operation::Curve { reach } => {
                    let knots = rising(reach, random);
                    table.iter_mut().for_each(|tone| *tone = along(&knots, *tone));
                }
                Operation::Invert { probability } if random.random_bool(f64::from(probability)) => {
                    table.iter_mut().for_each(|tone| *tone = 1.0 - *tone);
                }
                _ => {}
            }
        }
        Self(table)
    }

    /// The tone of a stored value from 0 to 65535.
    #[inline(always)]
    pub(crate) fn of(&self, stored: f32) -> f32 {
        let place = stored * (STEPS as f32 / 65_535.0);
        // By way of 32 bits, which are faster to come by.
        let step = (place as i32).clamp(0, STEPS as i32 - 1);
        let share = place - step as f32;
        let step = step as usize;
        self.0[step] + share * (self.0[step + 1] - self.0[step])
    }
}

/// From 0 to 1 in random steps, each positive.
fn rising(reach: f32, random: &mut ChaCha8Rng) -> [f32; PIECES + 1] {
    let mut knots = [0.0; PIECES + 1];
    for piece in 1..=PIECES {
        knots[piece] = knots[piece - 1] + random.random_range(1.0 - reach..1.0 + reach);
    }
    let total = knots[PIECES];
    knots.map(|knot| knot / total)
}

fn along(knots: &[f32; PIECES + 1], tone: f32) -> f32 {
    let place = tone * PIECES as f32;
    let piece = (place as usize).min(PIECES - 1);
    knots[piece] + (place - piece as f32) * (knots[piece + 1] - knots[piece])
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn table(operation: Operation, seed: u64) -> [f32; STEPS + 1] {
        Tones::draw(&[operation], &mut ChaCha8Rng::seed_from_u64(seed)).0
    }

    #[test]
    fn every_curve_rises_from_black_to_white_and_only_inversion_falls() {
        for seed in 0..100 {
            for operation in [
                Operation::Curve { reach: 0.6 },
                Operation::Gamma { from: 0.8, to: 1.25 },
            ] {
                let table = table(operation, seed);
                assert!(table.windows(2).all(|pair| pair[1] > pair[0]), "{operation:?}");
                assert!(table[0] == 0.0 && (table[STEPS] - 1.0).abs() < 1e-6);
            }
            let flat = table(Operation::Contrast { from: 0.85, to: 1.15 }, seed);
            assert!(flat.windows(2).all(|pair| pair[1] >= pair[0]) && (flat[STEPS / 2] - 0.5).abs() < 1e-6);
            let fallen = table(Operation::Invert { probability: 1.0 }, seed);
            assert!(fallen.windows(2).all(|pair| pair[1] < pair[0]));
        }
    }

    #[test]
    fn one_picture_in_ten_is_inverted_and_between_steps_lies_a_line() {
        let invert = Operation::Invert { probability: 0.1 };
        let inverted = (0..1000).filter(|seed| table(invert, *seed)[0] > 0.5).count();
        assert!((70..130).contains(&inverted), "{inverted}");
        let plain = Tones::draw(&[], &mut ChaCha8Rng::seed_from_u64(1));
        for stored in [0.0_f32, 1.0, 12_345.0, 65_535.0] {
            assert!((plain.of(stored) - stored / 65_535.0).abs() < 1e-6);
        }
    }
}
