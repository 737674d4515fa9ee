//! Contact sheets of training pictures.

use std::path::Path;

use anyhow::Result;
use image::{Rgb, RgbImage};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::{sample::sample, train::RECIPE, writing::Fonts};

const ROWS: u32 = 5;
const COLUMNS: u32 = 9;

/// Writes pictures above, and the same with their classes in colour beside them.
pub fn sheet(fonts: &Fonts, out: &Path, seed: u64) -> Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let recipe = RECIPE;
    let side = recipe.side as u32;
    let mut image = RgbImage::new(COLUMNS * side, ROWS * side);
    for place in 0..ROWS * COLUMNS {
        let sample = sample(recipe, &fonts.training, &mut random);
        for at in 0..side * side {
            let grey = (sample.canvas.values[at as usize].clamp(0.0, 1.0) * 255.0) as u8;
            let colour = match sample.classes[at as usize] {
                1 => [grey, grey, grey / 2],
                2 => [grey / 2, grey, grey],
                255 => [grey, grey / 2, grey],
                _ => [grey; 3],
            };
            image.put_pixel(
                place % COLUMNS * side + at % side,
                place / COLUMNS * side + at / side,
                Rgb(colour),
            );
        }
    }
    image.save(out)?;
    Ok(())
}
