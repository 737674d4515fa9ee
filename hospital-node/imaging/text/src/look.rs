//! Where one scale of a picture shows writing: a cheap look everywhere, a close one where that is needed.

use std::ops::Range;

use crate::{
    area::{Area, JOINS, likelihoods},
    convolve::BLOCK,
    detector,
    map::Map,
    normal::{Contrast, Tones},
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
/// Pixels around a cell that bear on its score: more than either network's reach.
const NETWORK_REACH: usize = 48;
/// The score of the background where nobody looked.
const UNSEEN: f32 = 30.0;

/// The detector's answer to `tones` where it is worth asking, and background elsewhere. With `changed` (areas of these tones),
/// only what changed since the last look.
pub(crate) fn look(networks: &Networks, tones: &Tones, changed: Option<&[Area]>) -> Map {
    let mut contrast = Contrast::of(tones);
    let (rows, columns) = (
        contrast.map().rows / detector::CELL,
        contrast.map().columns / detector::CELL,
    );
    let mut answer = Map::zeros(rows, columns, BLOCK);
    for cell in answer.values.chunks_exact_mut(BLOCK) {
        cell[0] = UNSEEN;
    }
    let [coarse_rows, coarse_columns] =
        [contrast.map().rows, contrast.map().columns].map(|length| length / proposer::CELL);
    let near = match changed {
        Some(areas) => around(areas, coarse_rows, coarse_columns),
        None => Places::all(coarse_rows, coarse_columns),
    };
    contrast.ask(&seen_by(&near, proposer::CELL));
    let mut wanted = proposed(networks, contrast.map(), &near)
        .unfolded(rows, columns)
        .grown(AROUND);
    let mut seen = Places::none(rows, columns);
    for _ in 0..FOLLOWS_MAX {
        if wanted.is_empty() {
            break;
        }
        contrast.ask(&seen_by(&wanted, detector::CELL));
        networks.detector.answer_at(contrast.map(), &wanted, &mut answer);
        let mut beyond = vec![false; rows * columns];
        seen = seen.with(&wanted);
        let mut goes_on = false;
        for (row, spans) in wanted.rows.iter().enumerate() {
            for span in spans {
                let cells = answer.values[(row * columns + span.start) * BLOCK..].chunks_exact(BLOCK);
                for (column, scores) in span.clone().zip(cells) {
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

/// The proposer's cells within `near`.
fn proposed(networks: &Networks, contrast: &Map, near: &Places) -> Places {
    let mut answer = Map::zeros(near.rows.len(), near.columns, BLOCK);
    networks.proposer.answer_at(contrast, near, &mut answer);
    let mut marks = vec![false; near.rows.len() * near.columns];
    for (row, spans) in near.rows.iter().enumerate() {
        for at in spans
            .iter()
            .flat_map(|span| row * near.columns + span.start..row * near.columns + span.end)
        {
            let scores = &answer.values[at * BLOCK..];
            marks[at] = 1.0 / (1.0 + (scores[0] - scores[1]).exp()) >= PROPOSED_MIN;
        }
    }
    Places::marked(&marks, near.columns)
}

/// The rows of pixels that bear on the scores of cells of so many pixels.
fn seen_by(places: &Places, cell: usize) -> Vec<Range<usize>> {
    let rows = places.rows.iter().enumerate().filter(|(_, spans)| !spans.is_empty());
    rows.map(|(row, _)| (row * cell).saturating_sub(NETWORK_REACH)..(row + 1) * cell + NETWORK_REACH)
        .collect()
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
