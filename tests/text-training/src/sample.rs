//! Training pictures: text and single letters over [`crate::background`], with what each pixel is.

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use crate::{
    background::{Canvas, background, speckle},
    writing::{self, Line, Stock, line},
};

/// What a pixel belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Class {
    Background = 0,
    Text = 1,
    Letter = 2,
    /// Neither wanted nor punished.
    Open = 255,
}

/// How text stands out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Look {
    Light,
    Dark,
    Outlined,
    Boxed,
    Faint,
}

/// One line or letter as drawn.
#[derive(Clone, Debug)]
pub struct Drawn {
    pub text: String,
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
    /// Text or a letter, whatever its size.
    pub class: Class,
    pub look: Look,
    /// Quarter turns counter-clockwise.
    pub turns: u8,
    pub mirrored: bool,
}

impl Drawn {
    /// Height of the line, however it is turned.
    pub fn across(&self) -> usize {
        if self.turns.is_multiple_of(2) {
            self.height
        } else {
            self.width
        }
    }
}

/// One picture with its truth.
pub struct Sample {
    pub canvas: Canvas,
    pub classes: Vec<u8>,
    pub drawn: Vec<Drawn>,
}

/// What may stand in a sample.
#[derive(Clone, Copy)]
pub struct Recipe {
    pub side: usize,
    /// Share of pictures without anything written.
    pub empty: f64,
    /// Pixels an em, smallest and largest.
    pub em: (f32, f32),
}

/// Makes one sample.
pub fn sample(recipe: Recipe, stock: &Stock, random: &mut ChaCha8Rng) -> Sample {
    let side = recipe.side;
    let mut sample = Sample::empty(side, stock, random);
    if !random.random_bool(recipe.empty) {
        let area = side * side / 20_000 + 2;
        for _ in 0..random.random_range(0..=area.min(4)) {
            block(&mut sample, recipe, stock, random);
        }
        for _ in 0..random.random_range(0..3) {
            letter(&mut sample, recipe, stock, random);
        }
    }
    sample.wear(random);
    sample
}

impl Sample {
    /// A background with nothing written on it.
    pub fn empty(side: usize, stock: &Stock, random: &mut ChaCha8Rng) -> Self {
        Self {
            canvas: background(side, &stock.phantoms, random),
            classes: vec![Class::Background as u8; side * side],
            drawn: Vec::new(),
        }
    }

    /// What happens to a picture after it was written on: scaling, noise, a lossy codec.
    pub fn wear(&mut self, random: &mut ChaCha8Rng) {
        if random.random_bool(0.25) {
            blur(&mut self.canvas, random.random_range(0.1..0.6));
        }
        if random.random_bool(0.3) {
            let height = random.random_range(0.002..0.03);
            speckle(&mut self.canvas, height, 1, random);
        }
        if random.random_bool(0.2) {
            lossy(&mut self.canvas, random.random_range(0.01..0.08));
        }
    }

    /// The picture as stored values of twelve bits.
    pub fn pixels(&self) -> Vec<u16> {
        let values = self.canvas.values.iter();
        values.map(|value| (value.clamp(0.0, 1.0) * 4095.0) as u16).collect()
    }
}

/// Several lines of one hand.
pub fn block(sample: &mut Sample, recipe: Recipe, stock: &Stock, random: &mut ChaCha8Rng) {
    let Some(font) = stock.fonts.choose(random) else { return };
    let size = size(recipe, random);
    let doubled = size > 14.0 && random.random_bool(0.12);
    let gap = if random.random_bool(0.2) {
        random.random_range(0.0..size * 0.2)
    } else {
        0.0
    };
    let count = if random.random_bool(0.4) {
        1
    } else {
        random.random_range(2..6)
    };
    // All lines of a hand have the same edges.
    let seed = random.random();
    let lines: Vec<Line> = (0..count)
        .filter_map(|_| {
            let drawn = line(
                &writing::text(random),
                font,
                if doubled { size / 2.0 } else { size },
                gap,
            )?;
            let drawn = drawn.edged(&mut ChaCha8Rng::seed_from_u64(seed));
            Some(if doubled { drawn.doubled() } else { drawn })
        })
        .collect();
    let pitch = size * random.random_range(1.05..1.7);
    let lean = random.random_range(0..3);
    put(sample, &lines, pitch, lean, Class::Text, random);
}

fn letter(sample: &mut Sample, recipe: Recipe, stock: &Stock, random: &mut ChaCha8Rng) {
    let sign = writing::letter(random);
    lone(sample, recipe, sign, stock, random);
}

/// Puts `sign` somewhere in the picture, if there is room.
pub fn lone(sample: &mut Sample, recipe: Recipe, sign: char, stock: &Stock, random: &mut ChaCha8Rng) {
    let Some(font) = stock.fonts.choose(random) else { return };
    // Pictures are often kept so small that their letters have five to eight rows.
    let size = if random.random_bool(0.4) {
        random.random_range(SMALL)
    } else {
        size(recipe, random) * random.random_range(1.0..1.4)
    };
    let Some(drawn) = line(&sign.to_string(), font, size, 0.0) else {
        return;
    };
    put(sample, &[drawn.edged(random)], size, 0, Class::Letter, random);
}

/// Pixels an em of the smallest letters that can be told apart.
const SMALL: std::ops::Range<f32> = 7.0..12.0;

/// Small letters are drawn more often than large ones.
pub fn size(recipe: Recipe, random: &mut ChaCha8Rng) -> f32 {
    let (low, high) = recipe.em;
    low * (high / low).powf(random.random_range(0.0_f32..1.0).powf(1.4))
}

pub fn put(sample: &mut Sample, lines: &[Line], pitch: f32, lean: u8, class: Class, random: &mut ChaCha8Rng) {
    let margin = random.random_range(1..5_usize);
    let Some(widest) = lines.iter().map(|line| line.width).max() else {
        return;
    };
    let width = widest + 2 * margin;
    let mut cover = Vec::new();
    let mut spans = Vec::new();
    let mut top = margin;
    for line in lines {
        let left = margin + (widest - line.width) * usize::from(lean) / 2;
        cover.resize((top + line.height) * width, 0.0);
        for (place, value) in line.cover.iter().enumerate() {
            cover[(top + place / line.width) * width + left + place % line.width] = *value;
        }
        spans.push((left, top, line));
        top += line.height.max(pitch as usize).max(line.height + 1);
    }
    let height = cover.len() / width + margin;
    cover.resize(height * width, 0.0);

    let turns = if random.random_bool(0.3) {
        0
    } else {
        random.random_range(0..4_u8)
    };
    let mirrored = random.random_bool(0.15);
    let turned = if turns % 2 == 0 {
        (width, height)
    } else {
        (height, width)
    };
    // Where a place of the block lies in the picture, from the block's corner.
    let place = |x: usize, y: usize| {
        let x = if mirrored { width - 1 - x } else { x };
        match turns {
            0 => (x, y),
            1 => (y, width - 1 - x),
            2 => (width - 1 - x, height - 1 - y),
            _ => (height - 1 - y, x),
        }
    };
    let side = sample.canvas.side as i64;
    let origin = (0..6).find_map(|_| {
        let free = |length: usize| (-(length as i64) / 4, (side - length as i64 * 3 / 4).max(1));
        let ((left, right), (up, down)) = (free(turned.0), free(turned.1));
        let edge = random.random_bool(0.5);
        let mut ox = if left < right {
            random.random_range(left..right)
        } else {
            left
        };
        let mut oy = if up < down { random.random_range(up..down) } else { up };
        if edge {
            // Most text stands near a border.
            ox = ox.clamp(0, (side - turned.0 as i64).max(0));
            oy = if random.random_bool(0.5) {
                0
            } else {
                (side - turned.1 as i64).max(0)
            };
        }
        let overlaps = (0..turned.1 as i64).any(|dy| {
            (0..turned.0 as i64).any(|dx| {
                let (x, y) = (ox + dx, oy + dy);
                (0..side).contains(&x) && (0..side).contains(&y) && sample.classes[(y * side + x) as usize] != 0
            })
        });
        (!overlaps).then_some((ox, oy))
    });
    let Some((ox, oy)) = origin else { return };
    let inside = |x: usize, y: usize| {
        let (x, y) = (ox + x as i64, oy + y as i64);
        ((0..side).contains(&x) && (0..side).contains(&y)).then(|| (y * side + x) as usize)
    };

    let under: Vec<f32> = (0..width * height)
        .filter_map(|at| {
            let (x, y) = place(at % width, at / width);
            inside(x, y).map(|at| sample.canvas.values[at])
        })
        .collect();
    if under.len() < width * height / 3 {
        return;
    }
    let mean = under.iter().sum::<f32>() / under.len() as f32;
    let deviation = (under.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / under.len() as f32).sqrt();
    let mut look = [
        Look::Light,
        Look::Light,
        Look::Dark,
        Look::Outlined,
        Look::Boxed,
        Look::Boxed,
        Look::Faint,
    ][random.random_range(0..7)];
    let needed = 0.12 + 1.5 * deviation;
    let mut ink = match look {
        Look::Light => random.random_range(0.75..1.0),
        Look::Dark => random.random_range(0.0..0.2),
        Look::Faint => mean + random.random_range(0.12..0.35) * if random.random_bool(0.7) { 1.0 } else { -1.0 },
        _ if random.random_bool(0.75) => random.random_range(0.7..1.0),
        _ => random.random_range(0.0..0.3),
    };
    if matches!(look, Look::Light | Look::Dark | Look::Faint) && (ink - mean).abs() < needed {
        ink = if mean < 0.5 { 1.0 } else { 0.0 };
        look = if mean < 0.5 { Look::Light } else { Look::Dark };
        if (ink - mean).abs() < needed {
            look = Look::Outlined;
        }
    }
    let against = if ink > 0.5 {
        random.random_range(0.0..(ink - 0.4).max(0.05))
    } else {
        random.random_range((ink + 0.4).min(0.95)..1.0)
    };
    if look == Look::Boxed {
        let level = if random.random_bool(0.6) {
            against.round()
        } else {
            against
        };
        for at in 0..width * height {
            let (x, y) = place(at % width, at / width);
            if let Some(at) = inside(x, y) {
                sample.canvas.values[at] = level;
            }
        }
    }
    if look == Look::Outlined {
        for at in 0..width * height {
            let (x, y) = (at % width, at / width);
            let around = (y.saturating_sub(1)..(y + 2).min(height))
                .flat_map(|y| (x.saturating_sub(1)..(x + 2).min(width)).map(move |x| (x, y)))
                .map(|(x, y)| cover[y * width + x])
                .fold(0.0_f32, f32::max);
            let (px, py) = place(x, y);
            if let Some(at) = inside(px, py) {
                let value = &mut sample.canvas.values[at];
                *value += (against - *value) * around;
            }
        }
    }
    let strength = random.random_range(0.8..1.0);
    for (at, cover) in cover.iter().enumerate() {
        let (x, y) = place(at % width, at / width);
        if let Some(at) = inside(x, y) {
            let value = &mut sample.canvas.values[at];
            *value += (ink - *value) * cover * strength;
        }
    }

    // Letters too large for this scale are found in the halved picture; their strokes are nothing here.
    let painted = match lines.iter().map(|line| line.height).max().unwrap_or(0) {
        0..=27 => class,
        28..=34 => Class::Open,
        _ => Class::Background,
    };
    for (left, top, line) in spans {
        let (line_width, line_height) = (line.width, line.height);
        let mut corners = [usize::MAX, usize::MAX, 0, 0];
        let mut seen = 0;
        for y in top.saturating_sub(1)..(top + line_height + 1).min(height) {
            for x in left.saturating_sub(1)..(left + line_width + 1).min(width) {
                let (px, py) = place(x, y);
                let Some(at) = inside(px, py) else { continue };
                sample.classes[at] = painted as u8;
                let (px, py) = (at % side as usize, at / side as usize);
                corners = [
                    corners[0].min(px),
                    corners[1].min(py),
                    corners[2].max(px),
                    corners[3].max(py),
                ];
                seen += 1;
            }
        }
        if seen > 0 {
            sample.drawn.push(Drawn {
                text: line.text.clone(),
                x: corners[0],
                y: corners[1],
                width: corners[2] - corners[0] + 1,
                height: corners[3] - corners[1] + 1,
                class,
                look,
                turns,
                mirrored,
            });
        }
    }
}

/// Each pixel mixed with its four neighbours.
fn blur(canvas: &mut Canvas, part: f32) {
    let (side, before) = (canvas.side, canvas.values.clone());
    for (at, value) in canvas.values.iter_mut().enumerate() {
        let (x, y) = (at % side, at / side);
        let around = [
            before[y * side + x.saturating_sub(1)],
            before[y * side + (x + 1).min(side - 1)],
            before[y.saturating_sub(1) * side + x],
            before[(y + 1).min(side - 1) * side + x],
        ];
        *value += part * (around.iter().sum::<f32>() / 4.0 - *value);
    }
}

/// Blocks of eight by eight with coarse cosine coefficients, as baseline JPEG leaves them.
fn lossy(canvas: &mut Canvas, step: f32) {
    let side = canvas.side;
    let wave: Vec<f32> = (0..64)
        .map(|at| {
            let (frequency, place) = ((at / 8) as f32, (at % 8) as f32);
            let scale = if at < 8 { (1.0_f32 / 8.0).sqrt() } else { 0.5 };
            scale * ((2.0 * place + 1.0) * frequency * std::f32::consts::PI / 16.0).cos()
        })
        .collect();
    for top in (0..side / 8 * 8).step_by(8) {
        for left in (0..side / 8 * 8).step_by(8) {
            let mut block = [0.0_f32; 64];
            for (at, value) in block.iter_mut().enumerate() {
                *value = canvas.at(left + at % 8, top + at / 8);
            }
            let pass = |block: &[f32; 64], back: bool| {
                let mut out = [0.0_f32; 64];
                for (at, value) in out.iter_mut().enumerate() {
                    let (y, x) = (at / 8, at % 8);
                    *value = (0..8)
                        .map(|k| block[y * 8 + k] * if back { wave[k * 8 + x] } else { wave[x * 8 + k] })
                        .sum();
                }
                let mut turned = [0.0_f32; 64];
                (0..64).for_each(|at| turned[at % 8 * 8 + at / 8] = out[at]);
                turned
            };
            let mut coefficients = pass(&pass(&block, false), false);
            for (at, value) in coefficients.iter_mut().enumerate() {
                let coarse = step * (1.0 + (at / 8 + at % 8) as f32 * 0.6);
                *value = (*value / coarse).round() * coarse;
            }
            let block = pass(&pass(&coefficients, true), true);
            for (at, value) in block.iter().enumerate() {
                canvas.values[(top + at / 8) * side + left + at % 8] = *value;
            }
        }
    }
}
