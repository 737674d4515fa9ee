//! Training of the detector and the proposer: Adam over small pictures made on the fly, one thread, the same weights from the same seed.

use std::{path::Path, time::Instant};

use anyhow::{Context, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use snowball_service::say;
use snowball_text::{
    detector,
    map::Map,
    network::{Network, Step},
    normal::Tones,
    proposer,
};

use crate::{
    adam::{Adam, chances, rate, start},
    backward::{backward, forward},
    sample::{Class, Recipe, sample},
    writing::Fonts,
};

/// Pictures whose gradients are averaged.
const BATCH: usize = 8;
/// Classes told apart at most: background, text, single letters.
const CLASSES: usize = 3;
const RATE: f32 = 2.5e-3;

/// What they are trained on.
pub const RECIPE: Recipe = Recipe {
    side: 144,
    empty: 0.35,
    em: (6.5, 60.0),
};

/// What is trained on whole pictures.
#[derive(Clone, Copy)]
pub enum Task {
    Detector,
    Proposer,
}

impl Task {
    fn shape(self) -> (&'static [Step], usize) {
        match self {
            Self::Detector => (detector::STEPS, detector::CHANNELS),
            Self::Proposer => (proposer::STEPS, proposer::CHANNELS),
        }
    }

    fn classes(self) -> usize {
        match self {
            Self::Detector => CLASSES,
            Self::Proposer => 2,
        }
    }

    /// What each of the network's cells is.
    fn wanted(self, classes: &[u8], side: usize) -> Vec<u8> {
        let fine = cells(classes, side);
        match self {
            Self::Detector => fine,
            Self::Proposer => {
                let columns = side / 4;
                let count = side / 8;
                let of = |cell: usize| {
                    let (row, column) = (cell / count * 2, cell % count * 2);
                    let parts = [0, 1, columns, columns + 1].map(|part| fine[row * columns + column + part]);
                    let is = |class: Class| parts.contains(&(class as u8));
                    if is(Class::Text) || is(Class::Letter) {
                        1
                    } else if is(Class::Open) {
                        Class::Open as u8
                    } else {
                        0
                    }
                };
                (0..count * count).map(of).collect()
            }
        }
    }
}

/// Trains `steps` batches and writes the weights to `out`, every five hundred steps too.
pub fn train(task: Task, steps: usize, seed: u64, from: Option<&Path>, out: &Path) -> Result<()> {
    let fonts = Fonts::read()?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (shape, channels) = task.shape();
    let mut values = match from {
        Some(path) => read(path)?,
        None => start(shape, channels, &mut random),
    };
    let mut adam = Adam::new(values.len());
    let recipe = RECIPE;
    let begun = Instant::now();
    let (mut loss, mut counts) = (0.0, [[0_u32; CLASSES]; CLASSES]);
    for step in 0..steps {
        let network = Network::from_values(shape, channels, &values).context("weights")?;
        let mut gradient = vec![0.0; values.len()];
        for _ in 0..BATCH {
            let sample = sample(recipe, &fonts.training, &mut random);
            let tones = Tones::of(&sample.pixels(), recipe.side, recipe.side);
            let trace = forward(&network, tones.contrast());
            let wanted = task.wanted(&sample.classes, recipe.side);
            let (one, above) = judge(&trace.answer, &wanted, task.classes(), &mut counts);
            loss += one / BATCH as f64;
            backward(&network, &trace, above, &mut gradient);
        }
        gradient.iter_mut().for_each(|value| *value /= BATCH as f32);
        adam.step(rate(RATE, step, steps), &mut values, &gradient);
        if (step + 1) % 100 == 0 {
            let share =
                |class: usize| f64::from(counts[class][class]) / f64::from(counts[class].iter().sum::<u32>().max(1));
            say!(
                "{:6} {:.4} right: {:.4} {:.4} {:.4}  {:.0} s",
                step + 1,
                loss / 100.0,
                share(0),
                share(1),
                share(2),
                begun.elapsed().as_secs_f64()
            )?;
            (loss, counts) = (0.0, Default::default());
        }
        if (step + 1) % 500 == 0 || step + 1 == steps {
            write(out, &values)?;
        }
    }
    Ok(())
}

/// What each cell of four by four pixels is: a class if half of it is, open if a little of it is.
pub fn cells(classes: &[u8], side: usize) -> Vec<u8> {
    let cells = side / 4;
    (0..cells * cells)
        .map(|cell| {
            let mut counts = [0; 4];
            for at in 0..16 {
                let (x, y) = (cell % cells * 4 + at % 4, cell / cells * 4 + at / 4);
                counts[usize::from(classes[y * side + x]).min(3)] += 1;
            }
            match counts {
                [_, text, letter, open] if open > 0 && text + letter < 8 => Class::Open as u8,
                [_, text, letter, _] if text >= 7 && text >= letter => Class::Text as u8,
                [_, _, letter, _] if letter >= 7 => Class::Letter as u8,
                [_, 0, 0, 0] => Class::Background as u8,
                _ => Class::Open as u8,
            }
        })
        .collect()
}

/// Cross-entropy, weighted towards cells that are still wrong and towards ink, and its gradient.
fn judge(answer: &Map, wanted: &[u8], classes: usize, counts: &mut [[u32; CLASSES]; CLASSES]) -> (f64, Map) {
    let mut above = Map::zeros(answer.rows, answer.columns, answer.channels);
    let scale = 1.0 / wanted.len() as f32;
    let mut loss = 0.0;
    for (cell, class) in wanted.iter().enumerate() {
        if *class == Class::Open as u8 {
            continue;
        }
        let class = usize::from(*class);
        let parts = chances(&answer.values[cell * answer.channels..][..classes]);
        let chance = parts[class];
        let weight = [1.0, 3.0, 3.0][class] * (0.1 + (1.0 - chance).powf(1.5));
        loss -= f64::from(weight * chance.max(1e-9).ln() * scale);
        for (other, part) in parts.iter().enumerate() {
            let target = f32::from(u8::from(other == class));
            above.values[cell * answer.channels + other] = weight * scale * (part - target) * 4.0;
        }
        let best = (0..classes).max_by(|a, b| parts[*a].total_cmp(&parts[*b])).unwrap_or(0);
        counts[class][best] += 1;
    }
    (loss, above)
}

/// Weights as little-endian numbers of 32 bits, one after another.
pub fn read(path: &Path) -> Result<Vec<f32>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|value| f32::from_le_bytes(*value))
        .collect())
}

pub fn write(path: &Path, values: &[f32]) -> Result<()> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
