//! Reads short words of the closed list, however they are turned or mirrored.
//!
//! A network spells what stands in a strip, frame by frame, as capitals, digits, other signs and gaps. A word of the list is
//! read only if spelling it is hardly less likely than the most likely spelling: a word that is one letter away is another word.

use crate::{
    area::Area,
    map::Map,
    network::{Network, Step},
    normal::Tones,
};

/// Rows of a strip.
pub const ROWS: usize = 16;
/// Columns of a strip at most; what is longer is no marker.
pub const COLUMNS_MAX: usize = 176;
/// Columns of one frame.
pub const FRAME: usize = 2;
/// Channels of what it sees.
pub const CHANNELS: usize = 1;
/// Signs that are told apart, from class 1.
pub const SIGNS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// Class of what stands between signs.
pub const GAP: usize = 0;
/// Class of every other sign.
pub const OTHER: usize = 37;
/// Classes.
pub const CLASSES: usize = 38;
/// Its steps.
pub const STEPS: &[Step] = &[
    Step::Fold,
    Step::Convolve {
        outputs: 16,
        dilation: 1,
    },
    Step::Add { dilation: 1 },
    Step::Stack { rows: ROWS / 2 },
    Step::Mix { outputs: 64 },
    Step::Add { dilation: 1 },
    Step::Add { dilation: 1 },
    Step::Add { dilation: 2 },
    Step::Head { outputs: 48 },
];
/// A word is read if the best spelling is at most this much more likely (natural logarithm).
const MARGIN_MAX: f32 = 0.5;
/// Rows that hold no ink, above and below what does, as a share of it.
const AROUND: f32 = 0.16;

/// The class of a sign.
#[must_use]
pub fn class(sign: char) -> usize {
    let plain = match sign {
        'É' | 'È' => 'E',
        other => other,
    };
    SIGNS.find(plain).map_or(OTHER, |at| at + 1)
}

/// A line of writing, laid straight.
#[derive(Clone, Debug)]
pub struct Strip {
    /// [`ROWS`] rows, a multiple of two columns.
    pub map: Map,
    /// Pixels from the start of the area to the strip's first column, along the line.
    pub start: f32,
    /// Pixels of the picture a column.
    pub step: f32,
}

/// The writing in `area` of `tones`, read as if it were turned by `turns` quarters counter-clockwise and perhaps mirrored
/// before that. Rows and columns without ink are cut off. `None` if there is no contrast or it is too long for a marker.
#[must_use]
pub fn strip(tones: &Tones, area: Area, turns: u8, mirrored: bool) -> Option<Strip> {
    let (width, height) = if turns.is_multiple_of(2) {
        (area.width, area.height)
    } else {
        (area.height, area.width)
    };
    if height == 0 || width == 0 || width > height * COLUMNS_MAX / 4 {
        return None;
    }
    // The tone of a place of the straight line, u along it and v down.
    let tone = |u: f32, v: f32| {
        let (w, h) = (width as f32 - 1.0, height as f32 - 1.0);
        let u = if mirrored { w - u } else { u };
        let (x, y) = match turns % 4 {
            0 => (u, v),
            1 => (v, w - u),
            2 => (w - u, h - v),
            _ => (h - v, u),
        };
        tones.between(area.x as f32 + x, area.y as f32 + y)
    };
    let straight: Vec<f32> = (0..width * height)
        .map(|at| tone((at % width) as f32, (at / width) as f32))
        .collect();
    let mut sorted = straight.clone();
    let middle = *sorted.select_nth_unstable_by(width * height / 2, f32::total_cmp).1;
    let ink: Vec<f32> = straight.iter().map(|value| (value - middle).abs()).collect();
    let rows: Vec<f32> = ink.chunks_exact(width).map(|row| row.iter().sum()).collect();
    let (top, bottom) = inked(&rows, 0.33)?;
    let columns: Vec<f32> = (0..width)
        .map(|u| (top..=bottom).map(|v| ink[v * width + u]).fold(0.0, f32::max))
        .collect();
    let (left, right) = inked(&columns, 0.33)?;
    let high = (bottom - top + 1) as f32;
    let step = high * (1.0 + 2.0 * AROUND) / ROWS as f32;
    let first = left as f32 - high * 0.3;
    let count = (((right + 1) as f32 + high * 0.3 - first) / step).ceil() as usize;
    if count > COLUMNS_MAX {
        return None;
    }
    let mut map = Map::zeros(ROWS, count.next_multiple_of(FRAME), CHANNELS);
    let parts = step.ceil().clamp(1.0, 4.0) as usize;
    for at in 0..map.values.len() {
        let (row, column) = (at / map.columns, at % map.columns);
        let mut sum = 0.0;
        for part in 0..parts * parts {
            let inside = |part: usize| (part as f32 + 0.5) / parts as f32;
            let u = first + (column as f32 + inside(part % parts)) * step - 0.5;
            let v = top as f32 - high * AROUND + (row as f32 + inside(part / parts)) * step - 0.5;
            sum += tone(u, v);
        }
        map.values[at] = sum / (parts * parts) as f32;
    }
    let count = map.values.len() as f32;
    let mean = map.values.iter().sum::<f32>() / count;
    let deviation = (map.values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / count).sqrt();
    if deviation < 1e-4 {
        return None;
    }
    map.values
        .iter_mut()
        .for_each(|value| *value = (*value - mean) / (deviation + 0.01));
    Some(Strip {
        map,
        start: first,
        step,
    })
}

/// First and last of `sums` above `share` of the way from the least to the most.
fn inked(sums: &[f32], share: f32) -> Option<(usize, usize)> {
    let (least, most) = (
        sums.iter().copied().fold(f32::MAX, f32::min),
        sums.iter().copied().fold(0.0, f32::max),
    );
    let level = least + (most - least) * share;
    Some((
        sums.iter().position(|sum| *sum > level)?,
        sums.iter().rposition(|sum| *sum > level)?,
    ))
}

/// Natural logarithms of how likely each class is in each frame.
#[must_use]
pub fn frames(network: &Network, strip: Strip) -> Vec<[f32; CLASSES]> {
    let answer = network.answer(&strip.map);
    let places = answer.values.chunks_exact(answer.channels);
    places
        .map(|scores| {
            let most = scores[..CLASSES].iter().copied().fold(f32::MIN, f32::max);
            let sum: f32 = scores[..CLASSES].iter().map(|score| (score - most).exp()).sum();
            std::array::from_fn(|class| scores[class] - most - sum.ln())
        })
        .collect()
}

/// How likely the most likely spelling of `word` (classes) is, and the most likely spelling of anything: logarithms.
#[must_use]
pub fn spelt(frames: &[[f32; CLASSES]], word: &[usize]) -> (f32, f32) {
    // States: gap, first sign, gap, second sign ... gap; a gap may be left out between unlike signs.
    let state = |at: usize| if at % 2 == 1 { word[at / 2] } else { GAP };
    let count = 2 * word.len() + 1;
    let mut best = vec![f32::NEG_INFINITY; count];
    let mut any = 0.0;
    for (frame, chances) in frames.iter().enumerate() {
        any += chances.iter().copied().fold(f32::MIN, f32::max);
        let before = best.clone();
        for at in 0..count {
            let from = if frame == 0 {
                if at < 2 { 0.0 } else { f32::NEG_INFINITY }
            } else {
                let step = if at > 0 { before[at - 1] } else { f32::NEG_INFINITY };
                let skips = at > 2 && at % 2 == 1 && state(at) != state(at - 2);
                let skip = if skips { before[at - 2] } else { f32::NEG_INFINITY };
                before[at].max(step).max(skip)
            };
            best[at] = from + chances[state(at)];
        }
    }
    let spelt = best[count - 1].max(if count > 1 { best[count - 2] } else { f32::NEG_INFINITY });
    (spelt, any)
}

/// How sure it is that a word of `words` (classes) and nothing else stands in `area`: 0 if none does, else the mean
/// likelihood of its frames.
#[must_use]
pub fn read(network: &Network, tones: &Tones, area: Area, words: &[Vec<usize>]) -> f32 {
    let spellings = spellings(network, tones, area, words);
    let sure = spellings
        .filter(|[margin, _]| *margin <= MARGIN_MAX)
        .map(|[_, sure]| sure);
    sure.fold(0.0, f32::max)
}

/// For each way in which the writing may stand, of the word that comes nearest: how much less likely it is than the most
/// likely spelling (natural logarithm), and the mean likelihood of its frames.
pub fn spellings<'a>(
    network: &'a Network,
    tones: &'a Tones,
    area: Area,
    words: &'a [Vec<usize>],
) -> impl Iterator<Item = [f32; 2]> + 'a {
    let (long, short) = (area.width.max(area.height), area.width.min(area.height));
    let squat = long * 2 < short * 3;
    // Writing runs along the longer side, where one is.
    let runs = move |turns: &u8| squat || turns.is_multiple_of(2) == (area.width >= area.height);
    let ways = (0..4).filter(runs).flat_map(|turns| [(turns, false), (turns, true)]);
    ways.filter_map(move |(turns, mirrored)| {
        let frames = frames(network, strip(tones, area, turns, mirrored)?);
        let margins = words.iter().map(|word| {
            let (spelt, any) = spelt(&frames, word);
            [any - spelt, (spelt / frames.len().max(1) as f32).exp()]
        });
        margins.min_by(|a, b| a[0].total_cmp(&b[0]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certain(text: &str) -> Vec<[f32; CLASSES]> {
        let frame = |letter: char| {
            let wanted = if letter == ' ' { GAP } else { class(letter) };
            std::array::from_fn(|class| if class == wanted { -0.01 } else { -7.0 })
        };
        text.chars().map(frame).collect()
    }

    fn word(text: &str) -> Vec<usize> {
        text.chars().map(class).collect()
    }

    #[test]
    fn a_word_is_spelt_and_its_neighbours_are_not() {
        let frames = certain(" PP A ");
        for (text, reads) in [("PA", true), ("PAA", false), ("P", false), ("AP", false), ("PO", false)] {
            let (spelt, any) = spelt(&frames, &word(text));
            assert_eq!(any - spelt <= MARGIN_MAX, reads, "{text}");
        }
        let twice = certain("ASS IS");
        let (one, any) = spelt(&twice, &word("ASIS"));
        assert!(any - one <= MARGIN_MAX);
        let (two, any) = spelt(&twice, &word("ASSIS"));
        assert!(any - two > MARGIN_MAX);
        assert!(spelt(&certain("AS SIS"), &word("ASSIS")).0 > -1.0);
        assert!(spelt(&certain("ASSIS"), &word("ASSIS")).0 < -1.0);
    }

    #[test]
    fn writing_is_laid_straight_from_every_side() {
        // A bar with a foot: like an L, so that each turn differs.
        let side = 40;
        let upright = |u: usize, v: usize| {
            (10..13).contains(&u) && (8..20).contains(&v) || (10..28).contains(&u) && (17..20).contains(&v)
        };
        let straight = {
            let tones = picture(side, upright);
            strip(
                &tones,
                Area {
                    x: 4,
                    y: 4,
                    width: 32,
                    height: 20,
                },
                0,
                false,
            )
            .unwrap()
        };
        let turned = picture(side, |x, y| upright(side - 1 - y, x));
        let strip = strip(
            &turned,
            Area {
                x: 4,
                y: 4,
                width: 20,
                height: 32,
            },
            1,
            false,
        )
        .unwrap();
        assert_eq!(strip.map.columns, straight.map.columns);
        let pairs = strip.map.values.iter().zip(&straight.map.values);
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-3));
    }

    fn picture(side: usize, ink: impl Fn(usize, usize) -> bool) -> Tones {
        let pixels: Vec<u16> = (0..side * side)
            .map(|at| if ink(at % side, at / side) { 900 } else { 100 })
            .collect();
        Tones::of(&pixels, side, side)
    }
}
