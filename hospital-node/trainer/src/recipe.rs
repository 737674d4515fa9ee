//! From a stored square to the network's input, varied or not: the recipes that plans name.

use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;
use snowball_protocol::plan::{Augmentation, Preprocessing};

const MEAN: f32 = 0.5;
const DEVIATION: f32 = 0.25;

const ROTATION_RADIANS: f32 = 10.0 * std::f32::consts::PI / 180.0;
const SHIFT: f32 = 0.06;
const SCALE: (f32, f32) = (0.9, 1.1);
const GAMMA: (f32, f32) = (0.8, 1.25);
const CONTRAST: (f32, f32) = (0.85, 1.15);
const NOISE: f32 = 0.02;
/// Share of pictures that get a dark border on a side, and its widest share of the side.
const BORDER_SHARE: f64 = 0.25;
const BORDER: f32 = 0.04;
/// Steps of the tone curve's table.
const TONES: usize = 256;

/// Writes the network's input for a training picture: `square` varied by `recipe` with numbers from `random`.
pub fn training(recipe: Augmentation, square: &[u16], side: usize, mut random: ChaCha8Rng, input: &mut [f32]) {
    match recipe {
        Augmentation::None => plain(Preprocessing::LetterboxV1, square, input),
        Augmentation::XrLightV1 => xr_light_v1(square, side, &mut random, input),
    }
}

/// Writes the network's input for a picture as it is.
pub fn plain(preprocessing: Preprocessing, square: &[u16], input: &mut [f32]) {
    let Preprocessing::LetterboxV1 = preprocessing;
    for (value, stored) in input.iter_mut().zip(square) {
        *value = (f32::from(*stored) / 65_535.0 - MEAN) / DEVIATION;
    }
}

/// How bright a value of an input is, from 0 black to 1 white.
pub fn tone(value: f32) -> f32 {
    (value * DEVIATION + MEAN).clamp(0.0, 1.0)
}

/// Rotation, shift and scale in one resampling; one tone curve; dark borders; noise. Never flips: side and view are labels.
fn xr_light_v1(square: &[u16], side: usize, random: &mut ChaCha8Rng, input: &mut [f32]) {
    let placement = Placement::draw(side, random);
    let tones = tone_curve(random);
    let borders = borders(side, random);
    // Four bytes add up to nearly a normal deviate: mean 510, deviation 147.8.
    let noise = random.random_range(0.0..NOISE) / 147.8;
    for row in 0..side {
        for column in 0..side {
            let stored = placement.sample(square, side, row as f32, column as f32);
            let inside =
                row >= borders[0] && row + borders[1] < side && column >= borders[2] && column + borders[3] < side;
            let tone = if inside { look_up(&tones, stored) } else { 0.0 };
            let bytes = random.next_u32().to_le_bytes();
            let deviate = bytes.iter().map(|byte| f32::from(*byte)).sum::<f32>() - 510.0;
            input[row * side + column] = ((tone + noise * deviate).clamp(0.0, 1.0) - MEAN) / DEVIATION;
        }
    }
}

/// Where each pixel of the varied picture comes from.
struct Placement {
    matrix: [f32; 4],
    centre: f32,
    shift: [f32; 2],
}

impl Placement {
    fn draw(side: usize, random: &mut ChaCha8Rng) -> Self {
        let angle = random.random_range(-ROTATION_RADIANS..ROTATION_RADIANS);
        let zoom = 1.0 / random.random_range(SCALE.0..SCALE.1);
        let reach = SHIFT * side as f32;
        let shift = [random.random_range(-reach..reach), random.random_range(-reach..reach)];
        // Taylor's series to the fifth order: exact to f32 within ten degrees and the same on every machine.
        let square = angle * angle;
        let sine = angle * (1.0 - square / 6.0 * (1.0 - square / 20.0));
        let cosine = 1.0 - square / 2.0 * (1.0 - square / 12.0 * (1.0 - square / 30.0));
        Self {
            matrix: [zoom * cosine, -zoom * sine, zoom * sine, zoom * cosine],
            centre: (side as f32 - 1.0) / 2.0,
            shift,
        }
    }

    /// Bilinear; beyond the edge stands the edge.
    fn sample(&self, square: &[u16], side: usize, row: f32, column: f32) -> f32 {
        let (y, x) = (row - self.centre - self.shift[0], column - self.centre - self.shift[1]);
        let last = (side - 1) as f32;
        let from_row = (self.matrix[0] * y + self.matrix[1] * x + self.centre).clamp(0.0, last);
        let from_column = (self.matrix[2] * y + self.matrix[3] * x + self.centre).clamp(0.0, last);
        let (top, left) = (from_row as usize, from_column as usize);
        let (bottom, right) = ((top + 1).min(side - 1), (left + 1).min(side - 1));
        let (down, across) = (from_row - top as f32, from_column - left as f32);
        let at = |row: usize, column: usize| f32::from(square[row * side + column]);
        let upper = at(top, left) + across * (at(top, right) - at(top, left));
        let lower = at(bottom, left) + across * (at(bottom, right) - at(bottom, left));
        upper + down * (lower - upper)
    }
}

/// Gamma, then contrast about the middle, as a table over 0 to 65535.
fn tone_curve(random: &mut ChaCha8Rng) -> [f32; TONES + 1] {
    let gamma = random.random_range(GAMMA.0..GAMMA.1);
    let contrast = random.random_range(CONTRAST.0..CONTRAST.1);
    std::array::from_fn(|step| {
        let tone = (step as f32 / TONES as f32).powf(gamma);
        ((tone - 0.5) * contrast + 0.5).clamp(0.0, 1.0)
    })
}

fn look_up(tones: &[f32; TONES + 1], stored: f32) -> f32 {
    let place = stored * (TONES as f32 / 65_535.0);
    let step = (place as usize).min(TONES - 1);
    tones[step] + (place - step as f32) * (tones[step + 1] - tones[step])
}

/// Rows above and below, columns left and right, that are dark as behind a collimator.
fn borders(side: usize, random: &mut ChaCha8Rng) -> [usize; 4] {
    std::array::from_fn(|_| {
        let width = random.random_range(0.0..BORDER) * side as f32;
        if random.random_bool(BORDER_SHARE) {
            width.round() as usize
        } else {
            0
        }
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn disc(side: usize) -> Vec<u16> {
        let middle = side as i64 / 2;
        let within = |position: usize| {
            let (row, column) = ((position / side) as i64 - middle, (position % side) as i64 - middle);
            row * row + column * column < (side * side / 16) as i64
        };
        (0..side * side)
            .map(|position| if within(position) { 40_000 } else { 8_000 })
            .collect()
    }

    fn varied(seed: u64) -> Vec<f32> {
        let mut input = vec![0.0; 48 * 48];
        training(
            Augmentation::XrLightV1,
            &disc(48),
            48,
            ChaCha8Rng::seed_from_u64(seed),
            &mut input,
        );
        input
    }

    #[test]
    fn pictures_vary_with_the_seed_alone_and_stay_within_the_inputs_range() {
        assert_eq!(varied(1), varied(1));
        assert_ne!(varied(1), varied(2));
        for seed in 0..200 {
            assert!(varied(seed).iter().all(|value| (-2.0..=2.0).contains(value)));
        }
    }

    #[test]
    fn what_is_shown_stays_in_the_picture() {
        for seed in 0..100 {
            let input = varied(seed);
            let bright = input.iter().filter(|value| **value > -0.5).count() as f64;
            let expected = std::f64::consts::PI * 48.0 * 48.0 / 16.0;
            assert!(
                bright > 0.7 * expected && bright < 1.4 * expected,
                "{seed}: {bright} of {expected}"
            );
        }
    }

    #[test]
    fn without_a_recipe_black_and_white_are_minus_two_and_two() {
        let mut input = [0.0; 2];
        training(
            Augmentation::None,
            &[0, 65_535],
            1,
            ChaCha8Rng::seed_from_u64(1),
            &mut input,
        );
        assert_eq!(input, [-2.0, 2.0]);
    }

    #[test]
    fn a_picture_is_never_mirrored() {
        // Bright on the right: it stays brighter there however it is varied.
        let half: Vec<u16> = (0..48 * 48)
            .map(|position| if position % 48 < 24 { 8_000 } else { 50_000 })
            .collect();
        for seed in 0..100 {
            let mut input = vec![0.0; 48 * 48];
            training(
                Augmentation::XrLightV1,
                &half,
                48,
                ChaCha8Rng::seed_from_u64(seed),
                &mut input,
            );
            let sum = |right: bool| {
                input
                    .iter()
                    .enumerate()
                    .filter(|(place, _)| (place % 48 >= 24) == right)
                    .map(|(_, v)| v)
                    .sum::<f32>()
            };
            assert!(sum(true) > sum(false));
        }
    }
}
