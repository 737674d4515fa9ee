//! Radiographs drawn again: what the network is shown of them, how far off its drawing is, and drawings for people to look at.
//!
//! A masked study hides square patches, drawn anew for each picture, by setting them to the recipe's mean, and counts the error there
//! alone, as SimMIM does (Xie et al. 2022) and MAE (He et al. 2022). From SimMIM it has that the whole picture, hidden patches and all, goes
//! through the encoder, which a convolution needs, and that nothing but a constant stands for what is hidden; from MAE the squared error
//! and the light decoder that is thrown away afterwards. With U-Net's decoder it is near SparK (Tian et al. 2023), without its sparse
//! convolutions.

use burn::tensor::{Tensor, TensorData};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use snowball_layout::to_le_bytes;
use snowball_models::Network;
use snowball_protocol::{
    Sha256Digest, StudyPlan,
    evaluation::{Evaluation, ReconstructionEvaluation},
    plan::{Masked, Reconstruction},
};
use snowball_worker::shard::Part;

use crate::{
    device::Place, examples::Examples, failure::Failure, passes::read, places::Places, random::JobSeed, recipe,
};

/// Pictures that are drawn at once.
const SLICE: usize = 32;
/// Evaluations and drawings hide the same patches of the same radiograph whatever the round.
const STREAM: u64 = u64::MAX;

/// A picture as the network gets it, and where its error counts.
pub struct Shown {
    /// The picture with what is hidden set to the mean.
    pub input: Vec<f32>,
    /// Where the error counts: what is hidden, or everywhere.
    pub counts: Vec<bool>,
}

/// What of `picture` is shown. The mean of the recipe is zero.
pub fn show(masked: Option<Masked>, side: usize, picture: &[f32], mut random: ChaCha8Rng) -> Shown {
    let mut input = picture.to_vec();
    let Some(masked) = masked else {
        let counts = vec![true; picture.len()];
        return Shown { input, counts };
    };
    let patch = masked.patch as usize;
    let patches_a_side = side / patch;
    let mut patches: Vec<usize> = (0..patches_a_side * patches_a_side).collect();
    let hidden = masked.of(patches.len());
    let (hidden, _) = patches.partial_shuffle(&mut random, hidden);
    let mut counts = vec![false; picture.len()];
    for place in hidden {
        let (top, left) = (*place / patches_a_side * patch, *place % patches_a_side * patch);
        for row in top..top + patch {
            let stretch = row * side + left..row * side + left + patch;
            input[stretch.clone()].fill(0.0);
            counts[stretch].fill(true);
        }
    }
    Shown { input, counts }
}

/// The loss of some pictures of a batch of `batch`: each one's mean squared error where it counts, its share of the batch's mean.
pub fn loss(drawn: Tensor<4>, pictures: &[f32], counts: &[bool], batch: usize) -> Tensor<1> {
    let (shape, device) = (drawn.dims(), drawn.device());
    let pixels = shape[2] * shape[3];
    let mut shares = vec![0.0; counts.len()];
    for (shares, counts) in shares.chunks_mut(pixels).zip(counts.chunks(pixels)) {
        let counted = counts.iter().filter(|counts| **counts).count().max(1);
        let share = 1.0 / (counted as f32 * batch as f32);
        let counted = shares.iter_mut().zip(counts).filter(|(_, counts)| **counts);
        counted.for_each(|(place, _)| *place = share);
    }
    let tensor = |values: Vec<f32>| Tensor::<4>::from_data(TensorData::new(values, shape), &device);
    let errors = (drawn - tensor(pictures.to_vec())).square();
    (errors * tensor(shares)).sum()
}

/// One radiograph of the dataset with what the network makes of it.
struct Drawing {
    picture: Vec<f32>,
    shown: Shown,
    drawn: Vec<f32>,
}

/// Evaluates `parameters` on `part`: the squared error beside that of each radiograph's mean.
pub fn evaluate(
    plan: &StudyPlan,
    reconstruction: Reconstruction,
    examples: &Examples,
    places: &Places,
    parameters: &[f32],
    part: Part,
) -> Result<Evaluation, Failure> {
    let positions = examples.labelled(part);
    let slices: Vec<&[usize]> = positions.chunks(SLICE).collect();
    let pass = |place: &Place, slice: &&[usize]| -> Result<Vec<(f64, f64)>, Failure> {
        let drawings = draw(plan, reconstruction, examples, place, parameters, slice)?;
        Ok(drawings.iter().map(Drawing::errors).collect())
    };
    let errors = places.share(&slices, pass)?;
    let mut sums = ReconstructionEvaluation {
        images: positions.len() as u64,
        squared_error_sum: 0.0,
        constant_squared_error_sum: 0.0,
    };
    for errors in errors {
        for (error, constant) in errors {
            sums.squared_error_sum += error;
            sums.constant_squared_error_sum += constant;
        }
    }
    Ok(Evaluation {
        model_digest: Sha256Digest::of(&to_le_bytes(parameters)),
        images: positions.len() as u64,
        heads: Vec::new(),
        reconstruction: Some(sums),
        contrast: None,
    })
}

/// For people: at most `count` radiographs of `part`, each as it is, as it is shown, and as it is drawn where its error counts, from 0
/// black to 1 white.
pub fn drawings(
    plan: &StudyPlan,
    examples: &Examples,
    place: &Place,
    parameters: &[f32],
    part: Part,
    count: usize,
) -> Result<Vec<f32>, Failure> {
    let Some(reconstruction) = plan.reconstruction() else {
        return Err(Failure::new(
            "the plan asks for no reconstruction",
            "take a plan with [pretext.reconstruction]",
        ));
    };
    let positions = examples.labelled(part);
    let count = count.min(positions.len());
    let chosen: Vec<usize> = (0..count)
        .map(|number| positions[number * positions.len() / count])
        .collect();
    let mut tones = Vec::new();
    for slice in chosen.chunks(SLICE) {
        for drawing in draw(plan, reconstruction, examples, place, parameters, slice)? {
            let filled = drawing.drawn.iter().zip(&drawing.shown.counts).zip(&drawing.picture);
            let filled = filled.map(|((drawn, counts), seen)| if *counts { *drawn } else { *seen });
            let pictures = [drawing.picture.clone(), drawing.shown.input, filled.collect()];
            tones.extend(pictures.into_iter().flatten().map(recipe::tone));
        }
    }
    Ok(tones)
}

fn draw(
    plan: &StudyPlan,
    reconstruction: Reconstruction,
    examples: &Examples,
    place: &Place,
    parameters: &[f32],
    slice: &[usize],
) -> Result<Vec<Drawing>, Failure> {
    let side = examples.side();
    let seed = JobSeed::new(plan.seed, STREAM);
    let mut drawings = Vec::with_capacity(slice.len());
    for position in slice {
        let mut picture = vec![0.0; side * side];
        recipe::plain(plan.preprocessing, &examples.square(*position)?, &mut picture);
        let shown = show(reconstruction.masked, side, &picture, seed.mask(*position as u64));
        drawings.push(Drawing {
            picture,
            shown,
            drawn: Vec::new(),
        });
    }
    let inputs: Vec<f32> = drawings
        .iter()
        .flat_map(|drawing| &drawing.shown.input)
        .copied()
        .collect();
    let network = Network::load(plan, parameters, &place.device)?;
    let inputs = Tensor::from_data(TensorData::new(inputs, [slice.len(), 1, side, side]), &place.device);
    let drawn = read(network.draw(inputs)?.flatten(1, 3))?;
    for (drawing, drawn) in drawings.iter_mut().zip(drawn.chunks(side * side)) {
        drawing.drawn = drawn.to_vec();
    }
    Ok(drawings)
}

impl Drawing {
    /// The mean squared error where it counts, of the drawing and of the mean of what was shown.
    fn errors(&self) -> (f64, f64) {
        let is_masked = self.shown.counts.iter().any(|counts| !counts);
        let seen = self.picture.iter().zip(&self.shown.counts);
        let seen = seen.filter(|(_, counts)| !(is_masked && **counts));
        let mean = mean(seen.map(|(value, _)| f64::from(*value)));
        let squared = |guess: &dyn Fn(usize) -> f64| {
            let pixels = self.picture.iter().zip(&self.shown.counts).enumerate();
            let counted = pixels.filter(|(_, (_, counts))| **counts);
            self::mean(counted.map(|(place, (value, _))| (guess(place) - f64::from(*value)).powi(2)))
        };
        (squared(&|place| f64::from(self.drawn[place])), squared(&|_| mean))
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0_f64), |(sum, count), value| (sum + value, count + 1.0));
    sum / count.max(1.0)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    const SIDE: usize = 16;
    const MASKED: Option<Masked> = Some(Masked { patch: 4, share: 0.5 });

    fn picture() -> Vec<f32> {
        (0..SIDE * SIDE).map(|place| 1.0 + place as f32).collect()
    }

    #[test]
    fn whole_patches_are_hidden_as_many_as_asked_and_others_each_time() {
        let seed = JobSeed::new(1, 1);
        let shown = show(MASKED, SIDE, &picture(), seed.mask(1));
        for (patch, place) in (0..SIDE * SIDE).map(|place| (place / (SIDE * 4) * 4 + place % SIDE / 4, place)) {
            let first = patch / 4 * 4 * SIDE + patch % 4 * 4;
            assert_eq!(shown.counts[place], shown.counts[first]);
            let expected = if shown.counts[place] { 0.0 } else { 1.0 + place as f32 };
            assert_eq!(shown.input[place], expected);
        }
        assert_eq!(shown.counts.iter().filter(|counts| **counts).count(), SIDE * SIDE / 2);
        assert_eq!(shown.counts, show(MASKED, SIDE, &picture(), seed.mask(1)).counts);
        assert_ne!(shown.counts, show(MASKED, SIDE, &picture(), seed.mask(2)).counts);
        let whole = show(None, SIDE, &picture(), seed.mask(1));
        assert!(whole.input == picture() && whole.counts.iter().all(|counts| *counts));
    }

    #[test]
    fn errors_count_where_they_should_and_the_constant_is_the_mean_of_what_was_shown() {
        let random = JobSeed::new(1, 1).mask(1);
        let half: Vec<f32> = (0..SIDE * SIDE).map(|place| (place % 2) as f32).collect();
        let mut drawing = Drawing {
            shown: show(MASKED, SIDE, &half, random.clone()),
            drawn: half.clone(),
            picture: half.clone(),
        };
        assert_eq!(drawing.errors(), (0.0, 0.25));
        // What is drawn over what was shown costs nothing.
        let (drawn, counts) = (&mut drawing.drawn, &drawing.shown.counts);
        drawn
            .iter_mut()
            .zip(counts)
            .filter(|(_, counts)| !**counts)
            .for_each(|(value, _)| *value = 9.0);
        assert_eq!(drawing.errors().0, 0.0);
        drawn_worse(&mut drawing);
        assert_eq!(drawing.errors().0, 1.0);
        let whole = Drawing {
            shown: show(None, SIDE, &half, random),
            drawn: vec![0.5; SIDE * SIDE],
            picture: half,
        };
        assert_eq!(whole.errors(), (0.25, 0.25));
    }

    fn drawn_worse(drawing: &mut Drawing) {
        let hidden = drawing
            .drawn
            .iter_mut()
            .zip(&drawing.shown.counts)
            .filter(|(_, counts)| **counts);
        hidden.for_each(|(value, _)| *value += 1.0);
    }

    #[test]
    fn the_loss_is_the_mean_of_the_errors_of_all_pictures() {
        let seed = JobSeed::new(1, 1);
        let drawings: Vec<Drawing> = (0..3)
            .map(|number| Drawing {
                shown: show(MASKED, SIDE, &picture(), seed.mask(number)),
                drawn: picture().iter().map(|value| value * 0.9).collect(),
                picture: picture(),
            })
            .collect();
        let expected = mean(drawings.iter().map(|drawing| drawing.errors().0));
        let flat = |of: fn(&Drawing) -> &Vec<f32>| drawings.iter().flat_map(of).copied().collect::<Vec<f32>>();
        let drawn = TensorData::new(flat(|drawing| &drawing.drawn), [3, 1, SIDE, SIDE]);
        let counts: Vec<bool> = drawings
            .iter()
            .flat_map(|drawing| &drawing.shown.counts)
            .copied()
            .collect();
        let drawn = Tensor::from_data(drawn, &Device::flex());
        let found = loss(drawn, &flat(|drawing| &drawing.picture), &counts, 3);
        let found = f64::from(found.into_scalar::<f32>());
        assert!((found / expected - 1.0).abs() < 1e-5, "{found} {expected}");
    }
}
