//! From a stored square to a network's input, varied or not: the recipes that plans name, operation by operation.
//!
//! The numbers come from a generator that the caller gives, so the same seed makes the same picture, and a page of pictures shows what
//! training sees. A picture costs one resampling, whatever its recipe turns, slants and bends; tones go through one table. This crate
//! must never mirror a picture, keep one, or know a label's meaning.
//!
//! Start at [`vary`], or [`vary_with`] where a mask lies over the picture; [`made`] is what the trainer itself does to a picture so that there is something to tell, [`mixup`] lays one
//! picture over another.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod blur;
mod cover;
mod elastic;
pub mod made;
pub mod mixup;
mod noise;
mod placement;
mod tones;

use rand_chacha::ChaCha8Rng;
use snowball_protocol::plan::{Augmentation, Operation, Preprocessing};

use crate::{elastic::Bending, placement::Placement, tones::Tones};

const MEAN: f32 = 0.5;
const DEVIATION: f32 = 0.25;

/// The network's input for a tone from 0 black to 1 white.
fn value(tone: f32) -> f32 {
    (tone - MEAN) / DEVIATION
}

/// How bright a value of an input is, from 0 black to 1 white.
#[must_use]
pub fn tone(value: f32) -> f32 {
    (value * DEVIATION + MEAN).clamp(0.0, 1.0)
}

/// Writes the network's input for a training picture into `input`: `square` of `side` by `side` varied by `recipe` with numbers from
/// `random`. `square` is used up: corners are covered in it.
pub fn vary(recipe: Augmentation, square: &mut [u16], side: usize, random: ChaCha8Rng, input: &mut [f32]) {
    vary_with(recipe, square, None, side, random, input);
}

/// As [`vary`], where `mask` goes wherever the picture does: turned, slanted, scaled, moved, cropped and bent with it. What only changes
/// tones, or covers, leaves it as it is.
pub fn vary_with(
    recipe: Augmentation,
    square: &mut [u16],
    mask: Option<&mut Vec<u8>>,
    side: usize,
    mut random: ChaCha8Rng,
    input: &mut [f32],
) {
    let operations = recipe.operations();
    if operations.is_empty() {
        return plain(Preprocessing::LetterboxV1, square, input);
    }
    for operation in operations {
        if let Operation::Markers { probability } = operation {
            cover::corners(*probability, square, side, &mut random);
        }
    }
    let placement = Placement::draw(operations, side, &mut random);
    let bending = Bending::draw(operations, side, &mut random);
    let tones = Tones::draw(operations, &mut random);
    // A recipe that keeps to small steps repeats the edge; one that goes far shows what the letterbox is filled with.
    let beyond = (recipe != Augmentation::XrLightV1).then(|| cover::border_tone(square, side));
    placement::resample(square, side, &placement, bending.as_ref(), beyond, &tones, input);
    if let Some(mask) = mask {
        let mut moved = vec![0; mask.len()];
        placement::move_mask(mask, side, &placement, bending.as_ref(), beyond.is_none(), &mut moved);
        *mask = moved;
    }
    for operation in operations {
        match *operation {
            Operation::Blur { probability, share } => blur::blur(probability, share, side, &mut random, input),
            Operation::Border { probability, share } => cover::borders(probability, share, side, &mut random, input),
            Operation::Cutout { area_max } => cover::cutout(area_max, side, &mut random, input),
            Operation::Noise { deviation } => noise::add(deviation, &mut random, input),
            // Where a point comes from, how bright it is, and what needs another picture.
            Operation::Rotate { .. }
            | Operation::Shift { .. }
            | Operation::Scale { .. }
            | Operation::Shear { .. }
            | Operation::Crop { .. }
            | Operation::Elastic { .. }
            | Operation::Gamma { .. }
            | Operation::Contrast { .. }
            | Operation::Curve { .. }
            | Operation::Invert { .. }
            | Operation::Markers { .. }
            | Operation::Mixup { .. } => {}
        }
    }
}

/// Writes the network's input for a picture as it is.
pub fn plain(preprocessing: Preprocessing, square: &[u16], input: &mut [f32]) {
    match preprocessing {
        Preprocessing::LetterboxV1 | Preprocessing::PatchesV1 => {}
    }
    for (place, stored) in input.iter_mut().zip(square) {
        *place = value(f32::from(*stored) / 65_535.0);
    }
}

#[cfg(test)]
mod tests;
