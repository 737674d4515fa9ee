//! Training of the detector and the proposer, which look at whole pictures.

use rand_chacha::ChaCha8Rng;
use snowball_text::{
    detector,
    map::Map,
    network::{Network, Step},
    normal::Tones,
    proposer,
};

use crate::{
    adam::chances,
    backward::{backward, forward},
    course::{Lesson, Score},
    sample::{Class, Recipe, sample},
    writing::Fonts,
};

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

/// The lesson of one of them.
pub struct Pictures<'a> {
    pub task: Task,
    pub fonts: &'a Fonts,
}

/// A picture's contrast and what each of the network's cells is.
pub struct Seen {
    contrast: Map,
    wanted: Vec<u8>,
}

impl Lesson for Pictures<'_> {
    type Example = Seen;
    const BATCH: usize = 16;
    const RATE: f32 = 2.5e-3;
    const KINDS: &'static [&'static str] = &["background", "text", "letters"];

    fn shape(&self) -> (&'static [Step], usize) {
        match self.task {
            Task::Detector => (detector::STEPS, detector::CHANNELS),
            Task::Proposer => (proposer::STEPS, proposer::CHANNELS),
        }
    }

    fn example(&self, random: &mut ChaCha8Rng) -> Seen {
        let sample = sample(RECIPE, &self.fonts.training, random);
        Seen {
            contrast: Tones::of(&sample.pixels(), RECIPE.side, RECIPE.side).contrast(),
            wanted: self.task.wanted(&sample.classes, RECIPE.side),
        }
    }

    fn judge(&self, network: &Network, seen: &Seen, gradient: &mut [f32]) -> Score {
        let trace = forward(network, seen.contrast.clone());
        let mut score = Score::new(Self::KINDS.len());
        let above = judge(&trace.answer, &seen.wanted, self.task.classes(), &mut score);
        backward(network, &trace, above, gradient);
        score
    }
}

impl Task {
    fn classes(self) -> usize {
        match self {
            Self::Detector => 3,
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
fn judge(answer: &Map, wanted: &[u8], classes: usize, score: &mut Score) -> Map {
    let mut above = Map::zeros(answer.rows, answer.columns, answer.channels);
    let scale = 1.0 / (wanted.len() * Pictures::BATCH) as f32;
    for (cell, class) in wanted.iter().enumerate() {
        if *class == Class::Open as u8 {
            continue;
        }
        let class = usize::from(*class);
        let parts = chances(&answer.values[cell * answer.channels..][..classes]);
        let chance = parts[class];
        let weight = [1.0, 3.0, 3.0][class] * (0.1 + (1.0 - chance).powf(1.5));
        score.loss -= f64::from(weight * chance.max(1e-9).ln() * scale);
        for (other, part) in parts.iter().enumerate() {
            let target = f32::from(u8::from(other == class));
            above.values[cell * answer.channels + other] = weight * scale * (part - target) * 4.0;
        }
        let best = (0..classes).max_by(|a, b| parts[*a].total_cmp(&parts[*b])).unwrap_or(0);
        score.count(class, best == class);
    }
    above
}
