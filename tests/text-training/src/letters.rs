//! Training of the reader of letters that stand alone.

use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use snowball_text::{
    Area,
    map::Map,
    network::{Network, Step},
    normal::Tones,
    reader,
};

use crate::{
    adam::chances,
    backward::{backward, forward},
    course::{Lesson, Score},
    sample::{Class, Recipe, Sample, block, lone, put, size},
    writing::{Fonts, Stock, line},
};

const RECIPE: Recipe = Recipe {
    side: 56,
    empty: 0.0,
    em: (7.0, 34.0),
};
/// Signs that are none of the reader's; those that look like one of them twice as often.
const OTHERS: &[u8] = b"ABCEFHIJKMNOPQSTUVWXYZ0123456789OQCBPJ7TVUFE06";

/// Of which short texts are made.
const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ01234567890123456789";

/// The lesson of the reader of letters.
pub struct Letters<'a> {
    pub fonts: &'a Fonts,
}

impl Lesson for Letters<'_> {
    type Example = (Map, usize);
    const BATCH: usize = 64;
    const RATE: f32 = 2e-3;
    const KINDS: &'static [&'static str] = &["others", "L", "R", "G", "D"];

    fn shape(&self) -> (&'static [Step], usize) {
        (reader::STEPS, reader::CHANNELS)
    }

    fn example(&self, random: &mut ChaCha8Rng) -> Self::Example {
        example(&self.fonts.training, random)
    }

    fn judge(&self, network: &Network, (seen, class): &Self::Example, gradient: &mut [f32]) -> Score {
        let trace = forward(network, seen.clone());
        let parts = chances(&trace.answer.values[..reader::CLASSES.len()]);
        let mut score = Score::new(Self::KINDS.len());
        score.loss = -f64::from(parts[*class].max(1e-9).ln()) / Self::BATCH as f64;
        score.count(*class, parts.iter().all(|part| *part <= parts[*class]));
        let mut above = Map::zeros(1, 1, trace.answer.channels);
        for (other, part) in parts.iter().enumerate() {
            above.values[other] = (part - f32::from(u8::from(other == *class))) / Self::BATCH as f32;
        }
        backward(network, &trace, above, gradient);
        score
    }
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
            0 if random.random_bool(0.45) => {
                lone(
                    &mut sample,
                    RECIPE,
                    char::from(OTHERS[random.random_range(0..OTHERS.len())]),
                    stock,
                    random,
                );
            }
            // Two or three signs so close that they may pass for one.
            0 if random.random_bool(0.75) => few(&mut sample, RECIPE, stock, random),
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

/// So many letters and digits.
pub fn signs(count: usize, random: &mut ChaCha8Rng) -> String {
    let sign = |_| char::from(SIGNS[random.random_range(0..SIGNS.len())]);
    (0..count).map(sign).collect()
}

pub fn few(sample: &mut Sample, recipe: Recipe, stock: &Stock, random: &mut ChaCha8Rng) {
    let count = random.random_range(2..4);
    let signs = signs(count, random);
    let Some(font) = stock.fonts.choose(random) else { return };
    let size = size(recipe, random).min(recipe.side as f32 / count as f32);
    if let Some(drawn) = line(&signs, font, size, 0.0) {
        put(sample, &[drawn.edged(random)], size, 0, Class::Text, random);
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
