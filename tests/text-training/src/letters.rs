//! Training of the reader of letters that stand alone.

use std::{path::Path, time::Instant};

use anyhow::{Context, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use snowball_service::say;
use snowball_text::{Area, map::Map, network::Network, normal::Tones, reader};

use crate::{
    adam::{Adam, chances, rate, start},
    backward::{backward, forward},
    sample::{Recipe, Sample, block, lone},
    train::write,
    writing::{Fonts, Stock},
};

const BATCH: usize = 64;
const RATE: f32 = 2e-3;
const RECIPE: Recipe = Recipe {
    side: 56,
    empty: 0.0,
    em: (7.0, 34.0),
};
/// Signs that are none of the reader's; those that look like one of them twice as often.
const OTHERS: &[u8] = b"ABCEFHIJKMNOPQSTUVWXYZ0123456789OQCBPJ7TVUFE06";

/// Trains `steps` batches and writes the weights to `out`.
pub fn reader(steps: usize, seed: u64, out: &Path) -> Result<()> {
    let fonts = Fonts::read()?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut values = start(reader::STEPS, reader::CHANNELS, &mut random);
    let mut adam = Adam::new(values.len());
    let begun = Instant::now();
    let (mut loss, mut right) = (0.0, [[0_u32; 2]; reader::CLASSES.len()]);
    for step in 0..steps {
        let network = Network::from_values(reader::STEPS, reader::CHANNELS, &values).context("weights")?;
        let mut gradient = vec![0.0; values.len()];
        for _ in 0..BATCH {
            let (seen, class) = example(&fonts.training, &mut random);
            let trace = forward(&network, seen);
            let parts = chances(&trace.answer.values[..reader::CLASSES.len()]);
            loss -= f64::from(parts[class].max(1e-9).ln()) / BATCH as f64;
            right[class][0] += u32::from(parts.iter().all(|part| *part <= parts[class]));
            right[class][1] += 1;
            let mut above = Map::zeros(1, 1, trace.answer.channels);
            for (other, part) in parts.iter().enumerate() {
                above.values[other] = (part - f32::from(u8::from(other == class))) / BATCH as f32;
            }
            backward(&network, &trace, above, &mut gradient);
        }
        adam.step(rate(RATE, step, steps), &mut values, &gradient);
        if (step + 1) % 100 == 0 {
            let shares = right.map(|[right, all]| format!("{:.3}", f64::from(right) / f64::from(all.max(1))));
            say!(
                "{:6} {:.4} right: {}  {:.0} s",
                step + 1,
                loss / 100.0,
                shares.join(" "),
                begun.elapsed().as_secs_f64()
            )?;
            (loss, right) = (0.0, Default::default());
        }
        if (step + 1) % 500 == 0 || step + 1 == steps {
            write(out, &values)?;
        }
    }
    Ok(())
}

/// One thing that the detector might have taken for a letter, and its class.
fn example(stock: &Stock, random: &mut ChaCha8Rng) -> (Map, usize) {
    let class = if random.random_bool(0.6) {
        random.random_range(1..reader::CLASSES.len())
    } else {
        0
    };
    let (pixels, area) = seen_letter(class, stock, random);
    (reader::seen(&Tones::of(&pixels, RECIPE.side, RECIPE.side), area), class)
}

/// A square picture with a sign of one of the reader's classes, and where the detector would see it.
pub fn seen_letter(class: usize, stock: &Stock, random: &mut ChaCha8Rng) -> (Vec<u16>, Area) {
    loop {
        let mut sample = Sample::empty(RECIPE.side, stock, random);
        match class {
            0 if random.random_bool(0.75) => {
                lone(
                    &mut sample,
                    RECIPE,
                    char::from(OTHERS[random.random_range(0..OTHERS.len())]),
                    stock,
                    random,
                );
            }
            0 => block(&mut sample, RECIPE, stock, random),
            _ => {
                if let Some(sign) = reader::CLASSES[class] {
                    lone(&mut sample, RECIPE, sign, stock, random);
                }
            }
        }
        let Some(drawn) = sample.drawn.first().cloned() else {
            continue;
        };
        if drawn.x == 0 || drawn.y == 0 || drawn.x + drawn.width >= RECIPE.side || drawn.y + drawn.height >= RECIPE.side
        {
            // Cut off by the border: not to be trusted as a letter.
            if class > 0 {
                continue;
            }
        }
        sample.wear(random);
        return (sample.pixels(), blurred(&drawn, RECIPE.side, random));
    }
}

/// The area as cells of four pixels give it: rounded outwards or inwards, at times a cell too large.
pub fn blurred(drawn: &crate::sample::Drawn, side: usize, random: &mut ChaCha8Rng) -> Area {
    let mut ends = |start: usize, length: usize, limit: usize| {
        let (mut low, mut high) = ((start as f32 / 4.0), (start + length) as f32 / 4.0);
        low = if random.random_bool(0.6) {
            low.floor()
        } else {
            low.round()
        } - f32::from(u8::from(random.random_bool(0.15)));
        high = if random.random_bool(0.6) {
            high.ceil()
        } else {
            high.round()
        } + f32::from(u8::from(random.random_bool(0.15)));
        let low = (low.max(0.0) as usize * 4).min(limit - 4);
        let high = (high as usize * 4).clamp(low + 4, limit);
        (low, high - low)
    };
    let (x, width) = ends(drawn.x, drawn.width, side);
    let (y, height) = ends(drawn.y, drawn.height, side);
    Area { x, y, width, height }
}
