//! A closer look at an area that could not be read. Where a marker stands close to a bright edge, the detector's cells of both hang
//! together and the readers are shown too much. They are shown the surest cells alone; what is read there may stay only if
//! nothing is written in the area once it is gone. A name whose first letter is an L is not a marker: the rest of it is seen.

use crate::{
    area::{Area, patches},
    judge,
    look::look,
    normal::Tones,
    proposer,
    weights::Networks,
};

/// Cells at least this likely are the surest, from many to few.
pub(crate) const SUREST: [f32; 3] = [0.8, 0.9, 0.96];
/// What is less likely than this is not removed even beside text.
pub(crate) const LEFT_MAX: f32 = 0.6;
/// Parts of one area that are read at most: writing of several letters has more.
pub(crate) const PARTS_MAX: usize = 6;
/// Pixels around an area that bear on what is seen in it: the networks' reach and that of the contrast.
const REACH: usize = 72;
/// Pixels of a part's soft edge.
const EDGE: usize = 1;

/// How likely it is that something is written in `area` once `part` of it is filled with what surrounds it.
pub(crate) fn left_without(networks: &Networks, tones: &Tones, area: Area, part: Area) -> f32 {
    let around = area.grown(REACH, tones.columns, tones.rows);
    // The networks' cells are to lie as they lay in the whole picture.
    let [x, y] = [around.x, around.y].map(|start| start / proposer::CELL * proposer::CELL);
    let mut seen = Tones {
        rows: around.y + around.height - y,
        columns: around.x + around.width - x,
        values: Vec::new(),
        ends: tones.ends,
    };
    let lines = tones.values.chunks_exact(tones.columns.max(1)).skip(y).take(seen.rows);
    seen.values = lines.flat_map(|line| &line[x..x + seen.columns]).copied().collect();
    let inside = |area: Area| Area {
        x: area.x.saturating_sub(x),
        y: area.y.saturating_sub(y),
        ..area
    };
    fill(&mut seen, inside(part.grown(EDGE, tones.columns, tones.rows)));
    let area = inside(area);
    let answer = look(networks, &seen, Some(&[area]));
    let left = patches(&answer, 1)
        .into_iter()
        .filter(|patch| patch.area.shared(area) > 0);
    left.map(|patch| judge::weighed(patch, judge::judge(&networks.judge, &seen, patch.area)))
        .map(|patch| patch.likelihood)
        .fold(0.0, f32::max)
}

/// Fills an area with the median of what surrounds it.
fn fill(tones: &mut Tones, area: Area) {
    let outer = area.grown(2, tones.columns, tones.rows);
    let mut surround = Vec::new();
    for y in outer.y..outer.y + outer.height {
        for x in outer.x..outer.x + outer.width {
            let place = Area {
                x,
                y,
                width: 1,
                height: 1,
            };
            if area.shared(place) == 0 {
                surround.push(tones.values[y * tones.columns + x]);
            }
        }
    }
    if surround.is_empty() {
        return;
    }
    let middle = surround.len() / 2;
    let value = *surround.select_nth_unstable_by(middle, f32::total_cmp).1;
    for y in area.y..area.y + area.height {
        tones.values[y * tones.columns + area.x..][..area.width].fill(value);
    }
}
