//! Judges what the detector found: a closer look at few places, by a network that is larger than could look everywhere.
//! It sees the part of the picture around an area, and which of it is the area.

use crate::{
    area::{Area, Kind, Patch},
    convolve::BLOCK,
    map::Map,
    network::{Network, Step},
    normal::Tones,
};

/// Pixels on a side of what it sees.
pub const SIDE: usize = 64;
/// Channels of what it sees: the tones in their own contrast, and where the area lies.
pub const CHANNELS: usize = 2;
/// What it tells apart: nothing that is written, two signs or more, one sign that stands alone.
pub const CLASSES: usize = 3;
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
        outputs: 48,
        dilation: 1,
    },
    Step::Add { dilation: 1 },
    Step::Add { dilation: 2 },
    Step::Fold,
    Step::Convolve {
        outputs: 64,
        dilation: 1,
    },
    Step::Add { dilation: 1 },
    Step::Fold,
    Step::Mix { outputs: 64 },
    Step::Fold,
    Step::Mix { outputs: 64 },
    Step::Fold,
    Step::Mix { outputs: 64 },
    Step::Head { outputs: BLOCK },
];
/// Of a long area a part is looked at for each so many pixels of its length.
const APART: usize = 40;
/// Parts of an area that are looked at, at most, along and across.
const PARTS_MAX: usize = 4;
/// The part that the detector has in what both say.
const DETECTOR_SHARE: f32 = 0.45;
/// Nobody is surer than this.
const UNSURE_MIN: f32 = 1e-5;
/// Beyond the picture's border, where the area cannot lie.
const BEYOND: f32 = -1.0;

/// The parts of `area` that are looked at one by one.
#[must_use]
pub fn parts(area: Area) -> Vec<Area> {
    let count = |length: usize| length.div_ceil(APART).clamp(1, PARTS_MAX);
    let (across, down) = (count(area.width), count(area.height));
    let part = |start: usize, length: usize, count: usize, at: usize| {
        let [from, to] = [at, at + 1].map(|at| length * at / count);
        (start + from, to - from)
    };
    let places = (0..down).flat_map(|row| (0..across).map(move |column| (row, column)));
    places
        .map(|(row, column)| {
            let (x, width) = part(area.x, area.width, across, column);
            let (y, height) = part(area.y, area.height, down, row);
            Area { x, y, width, height }
        })
        .collect()
}

/// What it sees of `part` of `area`.
#[must_use]
pub fn seen(tones: &Tones, area: Area, part: Area) -> Map {
    let middle = |start: usize, length: usize| (start + length / 2) as i64 - SIDE as i64 / 2;
    let (left, top) = (middle(part.x, part.width), middle(part.y, part.height));
    let mut map = Map::zeros(SIDE, SIDE, CHANNELS);
    let (mut sum, mut squares) = (0.0_f64, 0.0_f64);
    for (at, place) in map.values.chunks_exact_mut(CHANNELS).enumerate() {
        let (x, y) = (left + (at % SIDE) as i64, top + (at / SIDE) as i64);
        let near = |place: i64, length: usize| place.clamp(0, length as i64 - 1) as usize;
        let (column, row) = (near(x, tones.columns), near(y, tones.rows));
        let tone = tones.values[row * tones.columns + column];
        let is_beyond = column as i64 != x || row as i64 != y;
        let within = (area.x..area.x + area.width).contains(&column) && (area.y..area.y + area.height).contains(&row);
        place[0] = tone;
        place[1] = match (is_beyond, within) {
            (true, _) => BEYOND,
            (false, within) => f32::from(u8::from(within)),
        };
        sum += f64::from(tone);
        squares += f64::from(tone).powi(2);
    }
    let count = (SIDE * SIDE) as f64;
    let mean = sum / count;
    let deviation = (squares / count - mean * mean).max(0.0).sqrt() as f32;
    for place in map.values.chunks_exact_mut(CHANNELS) {
        place[0] = (place[0] - mean as f32) / (deviation + 0.01);
    }
    map
}

/// How likely each of its classes is for what stands in `area`: of the parts, the one that is most likely written on. `None` of an area
/// so large that its parts are not seen whole: nobody may say of what he does not see that nothing is written there.
#[must_use]
pub fn judge(network: &Network, tones: &Tones, area: Area) -> Option<[f32; CLASSES]> {
    if area.width.max(area.height) > PARTS_MAX * SIDE {
        return None;
    }
    let parts = parts(area).into_iter();
    let said = parts.map(|part| chances(&network.answer(&seen(tones, area, part)).values));
    said.min_by(|a, b| a[0].total_cmp(&b[0]))
}

/// A patch with what the judge says of it: as likely as the judge and the detector say together (a weighed mean of their log
/// odds), and of the kind that the judge says. A judge that is quite sure has the last word.
#[must_use]
pub fn weighed(patch: Patch, judged: Option<[f32; CLASSES]>) -> Patch {
    let Some([nothing, text, letter]) = judged else {
        return patch;
    };
    let odds = (1.0 - DETECTOR_SHARE) * log_odds(1.0 - nothing) + DETECTOR_SHARE * log_odds(patch.likelihood);
    Patch {
        likelihood: 1.0 / (1.0 + (-odds).exp()),
        kind: if text >= letter { Kind::Text } else { Kind::Letter },
        ..patch
    }
}

fn log_odds(chance: f32) -> f32 {
    let chance = chance.clamp(UNSURE_MIN, 1.0 - UNSURE_MIN);
    (chance / (1.0 - chance)).ln()
}

fn chances(scores: &[f32]) -> [f32; CLASSES] {
    let most = scores[..CLASSES].iter().copied().fold(f32::MIN, f32::max);
    let parts: [f32; CLASSES] = std::array::from_fn(|class| (scores[class] - most).exp());
    let sum: f32 = parts.iter().sum();
    parts.map(|part| part / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_tile_an_area() {
        for (width, height) in [(1, 1), (40, 12), (41, 12), (300, 16), (500, 400)] {
            let area = Area {
                x: 8,
                y: 4,
                width,
                height,
            };
            let parts = parts(area);
            assert_eq!(parts.iter().map(|part| part.size()).sum::<usize>(), area.size());
            assert_eq!(parts.iter().copied().reduce(Area::with), Some(area));
            assert!(parts.len() <= PARTS_MAX * PARTS_MAX);
        }
        assert_eq!(
            super::parts(Area {
                x: 0,
                y: 0,
                width: 300,
                height: 16
            })
            .len(),
            4
        );
    }

    #[test]
    fn detector_and_judge_speak_together() {
        let patch = Patch {
            area: Area {
                x: 0,
                y: 0,
                width: 8,
                height: 8,
            },
            kind: Kind::Letter,
            likelihood: 0.9,
            cells: 4,
            cell: 4,
        };
        let said = |nothing: f32, text: f32| weighed(patch, Some([nothing, text, 1.0 - nothing - text]));
        assert!(said(0.01, 0.9).likelihood > 0.93 && said(0.01, 0.9).kind == Kind::Text);
        assert!(said(0.99, 0.0).likelihood < 0.2 && said(0.99, 0.0).kind == Kind::Letter);
        let sure = Patch {
            likelihood: 1.0,
            ..patch
        };
        assert!(
            weighed(sure, Some([1.0, 0.0, 0.0])).likelihood < 0.5,
            "the judge has the last word"
        );
        assert!(said(0.0, 1.0).likelihood > 0.99);
        assert_eq!(weighed(patch, None), patch);
    }

    #[test]
    fn an_area_that_is_judged_is_seen_whole_and_a_larger_one_is_not_judged() {
        let area = |width| Area {
            x: 0,
            y: 0,
            width,
            height: 12,
        };
        for width in 1..=PARTS_MAX * SIDE {
            assert!(
                super::parts(area(width)).iter().all(|part| part.width <= SIDE),
                "{width}"
            );
        }
        let network = crate::weights::built_in().unwrap().judge;
        let tones = Tones::of(&vec![500; 12 * 300], 12, 300);
        assert!(judge(&network, &tones, area(PARTS_MAX * SIDE)).is_some());
        assert!(judge(&network, &tones, area(PARTS_MAX * SIDE + 1)).is_none());
    }

    #[test]
    fn what_is_seen_is_in_its_own_contrast_and_says_where_the_area_is() {
        let tones = Tones::of(
            &(0..100 * 80).map(|at| (at % 100 * 30) as u16).collect::<Vec<_>>(),
            80,
            100,
        );
        let area = Area {
            x: 0,
            y: 20,
            width: 30,
            height: 10,
        };
        let map = seen(&tones, area, area);
        assert_eq!((map.rows, map.columns, map.channels), (SIDE, SIDE, CHANNELS));
        let mean = map.values.iter().step_by(2).sum::<f32>() / (SIDE * SIDE) as f32;
        assert!(mean.abs() < 1e-3);
        let count = |mark: f32| {
            map.values
                .iter()
                .skip(1)
                .step_by(2)
                .filter(|value| **value == mark)
                .count()
        };
        // Its middle is the picture's (15, 25): 17 columns and 7 rows lie beyond the border.
        assert_eq!(count(1.0), 300);
        assert_eq!(count(BEYOND), 64 * 64 - 47 * 57);
    }
}
