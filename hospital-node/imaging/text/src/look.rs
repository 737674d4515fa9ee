//! Where one scale of a picture shows writing: a cheap look everywhere, a close one where that is needed.

use crate::{
    area::{Area, JOINS, likelihoods},
    detector,
    map::Map,
    normal::Tones,
    places::Places,
    proposer,
    weights::Networks,
};

/// The detector looks where the proposer's cells are at least this likely. Far below one half, for what is not looked at is
/// not found.
const PROPOSED_MIN: f32 = 0.08;
/// The detector's cells around a proposed one that are looked at too, and around one that holds writing.
const AROUND: usize = 3;
/// How often the part looked at follows writing beyond its border.
const FOLLOWS_MAX: usize = 24;
/// Pixels around a changed area whose scores it bears on: the detector's reach and the wider window of the contrast.
const REACH: usize = 34 + 20;
/// The score of the background where nobody looked.
const UNSEEN: f32 = 30.0;

/// The detector's answer to `tones` where it is worth asking, and background elsewhere. With `changed` (areas of these tones),
/// only what changed since the last look.
pub(crate) fn look(networks: &Networks, tones: &Tones, changed: Option<&[Area]>) -> Map {
    let contrast = tones.contrast();
    let (rows, columns) = (contrast.rows / detector::CELL, contrast.columns / detector::CELL);
    let mut answer = Map::zeros(rows, columns, crate::convolve::BLOCK);
    for cell in answer.values.chunks_exact_mut(crate::convolve::BLOCK) {
        cell[0] = UNSEEN;
    }
    let near = changed.map(|areas| around(areas, contrast.rows / proposer::CELL, contrast.columns / proposer::CELL));
    let mut wanted = proposed(networks, &contrast, near.as_ref())
        .unfolded(rows, columns)
        .grown(AROUND);
    let mut seen = Places::none(rows, columns);
    for _ in 0..FOLLOWS_MAX {
        if wanted.is_empty() {
            break;
        }
        let part = networks.detector.answer_at(&contrast, &wanted);
        let width = part.channels;
        let mut beyond = vec![false; rows * columns];
        seen = seen.with(&wanted);
        let mut goes_on = false;
        for (row, spans) in wanted.rows.iter().enumerate() {
            for span in spans {
                let at = (row * columns + span.start) * width..(row * columns + span.end) * width;
                answer.values[at.clone()].copy_from_slice(&part.values[at.clone()]);
                for (column, scores) in span.clone().zip(part.values[at].chunks_exact(width)) {
                    if likelihoods(scores).iter().sum::<f32>() < JOINS {
                        continue;
                    }
                    for y in row.saturating_sub(1)..(row + 2).min(rows) {
                        for x in column.saturating_sub(1)..(column + 2).min(columns) {
                            if !seen.holds(y, x) {
                                beyond[y * columns + x] = true;
                                goes_on = true;
                            }
                        }
                    }
                }
            }
        }
        if !goes_on {
            break;
        }
        wanted = Places::marked(&beyond, columns).grown(2 * AROUND);
    }
    answer
}

/// The proposer's cells, within `near` where it is given.
fn proposed(networks: &Networks, contrast: &Map, near: Option<&Places>) -> Places {
    let answer = match near {
        Some(near) => networks.proposer.answer_at(contrast, near),
        None => networks.proposer.answer(contrast),
    };
    let is = |(at, scores): (usize, &[f32])| {
        let likely = 1.0 / (1.0 + (scores[0] - scores[1]).exp());
        likely >= PROPOSED_MIN && near.is_none_or(|near| near.holds(at / answer.columns, at % answer.columns))
    };
    let marks: Vec<bool> = answer
        .values
        .chunks_exact(answer.channels)
        .enumerate()
        .map(is)
        .collect();
    Places::marked(&marks, answer.columns)
}

fn around(areas: &[Area], rows: usize, columns: usize) -> Places {
    let mut marks = vec![false; rows * columns];
    for area in areas {
        let area = area.with_margin(REACH);
        let end = |start: usize, length: usize, limit: usize| (start + length).div_ceil(proposer::CELL).min(limit);
        for row in area.y / proposer::CELL..end(area.y, area.height, rows) {
            for column in area.x / proposer::CELL..end(area.x, area.width, columns) {
                marks[row * columns + column] = true;
            }
        }
    }
    Places::marked(&marks, columns)
}
