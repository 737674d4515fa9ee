//! Reads one letter that stands alone, however it is turned or mirrored.

use crate::{
    area::Area,
    convolve::BLOCK,
    map::Map,
    network::{Network, Step},
    normal::Tones,
};

/// Pixels on a side of what it sees.
pub const SIDE: usize = 32;
/// Channels of what it sees.
pub const CHANNELS: usize = 1;
/// What it tells apart. The first is everything else: other signs, several letters, bone.
pub const CLASSES: [Option<char>; 5] = [None, Some('L'), Some('R'), Some('G'), Some('D')];
/// Its steps.
pub const STEPS: &[Step] = &[
    Step::Fold,
    Step::Convolve {
        outputs: 16,
        dilation: 1,
    },
    Step::Convolve {
        outputs: 16,
        dilation: 1,
    },
    Step::Fold,
    Step::Convolve {
        outputs: 32,
        dilation: 1,
    },
    Step::Add { dilation: 1 },
    Step::Fold,
    Step::Convolve {
        outputs: 32,
        dilation: 1,
    },
    Step::Fold,
    Step::Fold,
    Step::Mix { outputs: 64 },
    Step::Head { outputs: BLOCK },
];

/// The part of the picture around `area` as the reader sees it: a square half again as large as the area's longer side, in
/// its own contrast.
#[must_use]
pub fn seen(tones: &Tones, area: Area) -> Map {
    let side = area.width.max(area.height) as f32 * 1.25;
    let (left, top) = (
        area.x as f32 + area.width as f32 / 2.0 - side / 2.0,
        area.y as f32 + area.height as f32 / 2.0 - side / 2.0,
    );
    let step = side / SIDE as f32;
    let mut map = Map::zeros(SIDE, SIDE, CHANNELS);
    for (at, value) in map.values.iter_mut().enumerate() {
        let x = left + ((at % SIDE) as f32 + 0.5) * step - 0.5;
        let y = top + ((at / SIDE) as f32 + 0.5) * step - 0.5;
        *value = mean_at(tones, x, y, step);
    }
    let count = map.values.len() as f32;
    let mean = map.values.iter().sum::<f32>() / count;
    let deviation = (map.values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / count).sqrt();
    map.values
        .iter_mut()
        .for_each(|value| *value = (*value - mean) / (deviation + 0.01));
    map
}

/// The tone at a place between pixels; where a step covers several pixels, the mean of some.
fn mean_at(tones: &Tones, x: f32, y: f32, step: f32) -> f32 {
    if step <= 1.0 {
        return tones.between(x, y);
    }
    let quarter = step / 4.0;
    let corners = [(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)];
    corners
        .iter()
        .map(|(dx, dy)| tones.between(x + dx * quarter, y + dy * quarter))
        .sum::<f32>()
        / 4.0
}

/// How likely each of [`CLASSES`] is for what stands in `area`, 0 to 1.
#[must_use]
pub fn read(network: &Network, tones: &Tones, area: Area) -> [f32; CLASSES.len()] {
    // As it stands and in its seven other positions: the classes do not depend on how a letter is turned or mirrored.
    let seen = seen(tones, area);
    let mut likely = [0.0; CLASSES.len()];
    for position in 0..8 {
        let mut turned = Map::zeros(SIDE, SIDE, CHANNELS);
        for (at, value) in turned.values.iter_mut().enumerate() {
            let (mut x, mut y) = (at % SIDE, at / SIDE);
            if position & 1 == 1 {
                x = SIDE - 1 - x;
            }
            if position & 2 == 2 {
                y = SIDE - 1 - y;
            }
            if position & 4 == 4 {
                (x, y) = (y, x);
            }
            *value = seen.values[y * SIDE + x];
        }
        let answer = network.answer(&turned);
        let scores: [f32; CLASSES.len()] = std::array::from_fn(|class| answer.values[class]);
        let most = scores.iter().copied().fold(f32::MIN, f32::max);
        let parts = scores.map(|score| (score - most).exp());
        let sum: f32 = parts.iter().sum();
        likely
            .iter_mut()
            .zip(parts)
            .for_each(|(likely, part)| *likely += part / sum / 8.0);
    }
    likely
}
