//! Training of the judge, on what the detector finds in made-up pictures.

use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use snowball_text::{
    Area, Searcher, judge,
    map::Map,
    network::{Network, Step},
};

use crate::{
    adam::chances,
    backward::{backward, forward},
    card,
    course::{Lesson, Score},
    letters::few,
    sample::{Recipe, Sample, block, lone, sample},
    writing::{self, Fonts, Stock},
};

const RECIPE: Recipe = Recipe {
    side: 160,
    empty: 0.4,
    em: (6.5, 60.0),
};
/// Parts of each class that are learnt from in one picture.
const TAKEN_MAX: usize = 4;
/// Part of what is looked at that has to be written on.
const WRITTEN_MIN: f64 = 0.2;
/// Letters higher than this in a scale's pixels are found in the next one: their strokes are neither wanted nor punished.
const HEIGHT_MAX: usize = 34;

/// The lesson of the judge.
pub struct Judging<'a> {
    pub fonts: &'a Fonts,
    pub searcher: Searcher,
}

impl Lesson for Judging<'_> {
    type Example = Vec<(Map, usize)>;
    const BATCH: usize = 16;
    const RATE: f32 = 2e-3;
    const KINDS: &'static [&'static str] = &["nothing", "text", "letters"];

    fn shape(&self) -> (&'static [Step], usize) {
        (judge::STEPS, judge::CHANNELS)
    }

    fn example(&self, random: &mut ChaCha8Rng) -> Self::Example {
        let sample = picture(&self.fonts.training, random);
        taken(found(&self.searcher, &sample, RECIPE.side), random)
    }

    fn judge(&self, network: &Network, seen: &Self::Example, gradient: &mut [f32]) -> Score {
        let mut score = Score::new(Self::KINDS.len());
        // A picture gives six parts, more or less.
        let scale = 1.0 / (6 * Self::BATCH) as f32;
        for (map, class) in seen {
            let trace = forward(network, map.clone());
            let parts = chances(&trace.answer.values[..judge::CLASSES]);
            score.loss -= f64::from(parts[*class].max(1e-9).ln() * scale);
            score.count(*class, parts.iter().all(|part| *part <= parts[*class]));
            let mut above = Map::zeros(1, 1, trace.answer.channels);
            for (other, part) in parts.iter().enumerate() {
                above.values[other] = scale * (part - f32::from(u8::from(other == *class)));
            }
            backward(network, &trace, above, gradient);
        }
        score
    }
}

/// A picture with anything in it, or with few signs: these are what a detector takes for one letter.
pub fn picture(stock: &Stock, random: &mut ChaCha8Rng) -> Sample {
    if random.random_bool(0.6) {
        return sample(RECIPE, stock, random);
    }
    let mut sample = Sample::empty(RECIPE.side, stock, random);
    for _ in 0..random.random_range(1..4) {
        match random.random_range(0..4) {
            0 => block(&mut sample, RECIPE, stock, random),
            1 => lone(&mut sample, RECIPE, writing::letter(random), stock, random),
            _ => few(&mut sample, RECIPE, stock, random),
        }
    }
    sample.wear(random);
    sample
}

/// What the judge would be shown of a picture, and what it is.
pub fn found(searcher: &Searcher, sample: &Sample, side: usize) -> Vec<(Map, usize)> {
    let mut seen = Vec::new();
    for (scale, tones, patches) in searcher.candidates(&sample.pixels(), side, side) {
        for patch in patches {
            for part in judge::parts(patch.area) {
                let whole = Area {
                    x: part.x * scale,
                    y: part.y * scale,
                    width: part.width * scale,
                    height: part.height * scale,
                };
                if let Some(class) = class(sample, whole, scale) {
                    seen.push((judge::seen(&tones, patch.area, part), class));
                }
            }
        }
    }
    seen
}

/// What stands in a part of the picture; `None` if that is not to be told.
fn class(sample: &Sample, part: Area, scale: usize) -> Option<usize> {
    let mut written = [0; 3];
    for drawn in &sample.drawn {
        let shared = part.shared(card::area(drawn));
        if shared > 0 && drawn.across() > HEIGHT_MAX * scale {
            return None;
        }
        written[drawn.class as usize] += shared;
    }
    let enough = (WRITTEN_MIN * part.size() as f64) as usize;
    match written {
        [_, 0, 0] => Some(0),
        [_, text, letter] if text >= letter && text >= enough => Some(1),
        [_, _, letter] if letter >= enough => Some(2),
        _ => None,
    }
}

/// Not all of a page of text: a few of each class.
fn taken(seen: Vec<(Map, usize)>, random: &mut ChaCha8Rng) -> Vec<(Map, usize)> {
    let mut taken = Vec::new();
    for wanted in 0..judge::CLASSES {
        let of: Vec<&(Map, usize)> = seen.iter().filter(|(_, class)| *class == wanted).collect();
        taken.extend(of.choose_multiple(random, TAKEN_MAX).map(|one| (*one).clone()));
    }
    taken
}
