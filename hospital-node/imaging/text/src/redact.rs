//! Removes what is written and may not stay.

use crate::{
    area::{Area, Kind},
    line::{between, is_line, whole},
    search::{Found, Reading, Searcher},
};

/// Text at least this likely is removed.
const TEXT_MIN: f32 = 0.88;
/// So is text this likely that has the shape of a line of several letters: chance does not draw those.
const LINE_MIN: f32 = 0.75;
/// A single letter at least this likely that could not be read is removed.
const LETTER_MIN: f32 = 0.97;
/// Beside such text, text this likely is removed too: where there is one line there are more.
const BESIDE_MIN: f32 = 0.7;
/// Cells of the least text that is removed where it stands alone.
const CELLS_MIN: usize = 3;
/// A picture of which more than this share would be removed goes to a person.
const SHARE_MAX: f64 = 0.35;
/// Searches of one picture; what still shows text after the last goes to a person.
const SEARCHES_MAX: u32 = 8;
/// If the picture's range moves by more than this share while text goes, all of it is searched again.
const RANGE_MOVED_MAX: f32 = 0.03;

/// What was done to a picture.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cleaned {
    /// Areas that were removed. They may overlap.
    pub removed: Vec<Area>,
    /// Pixels in any of them.
    pub removed_pixels: u64,
    /// Markers that were read and stayed.
    pub markers_kept: u32,
}

/// A picture whose text could not be removed with confidence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// What would be removed covers too much of it.
    Covered,
    /// It shows text each time it is searched.
    Persists,
}

impl Searcher {
    /// Removes from `pixels` what is written there and is no marker. Each area is filled with one value, the median of what
    /// surrounds it.
    ///
    /// # Errors
    /// If the text covers too much of the picture, or more shows up each time it is searched. `pixels` may then be changed in
    /// part and is not to be used.
    pub fn clean(&self, pixels: &mut [u16], rows: usize, columns: usize) -> Result<Cleaned, Refused> {
        let mut cleaned = Cleaned::default();
        if rows == 0 || columns == 0 {
            return Ok(cleaned);
        }
        // Of each pixel, once anything is removed.
        let mut removed: Vec<bool> = Vec::new();
        let mut markers: Vec<Found> = Vec::new();
        let mut seen = Self::tones(pixels, rows, columns);
        let mut changed: Option<Vec<Area>> = None;
        for _ in 0..SEARCHES_MAX {
            let ends = seen.0.ends;
            if changed.is_none() {
                markers.clear();
            }
            let found = self.find_in([rows, columns], seen, changed.as_deref(), &markers);
            for finding in found.iter().filter(|found| found.reading == Reading::Marker) {
                if markers.iter().all(|known| known.area.shared(finding.area) == 0) {
                    markers.push(*finding);
                }
            }
            let bad = to_remove(&found, !cleaned.removed.is_empty());
            let between = between(&bad);
            if bad.is_empty() && changed.take().is_some() {
                // Whoever searches what comes out searches all of it, and is to find nothing.
                seen = Self::tones(pixels, rows, columns);
                continue;
            }
            if bad.is_empty() {
                cleaned.markers_kept = u32::try_from(markers.len()).unwrap_or(u32::MAX);
                cleaned.removed_pixels = removed.iter().filter(|gone| **gone).count() as u64;
                return Ok(cleaned);
            }
            removed.resize(pixels.len(), false);
            let mut now = Vec::new();
            let found = bad
                .iter()
                .map(|finding| whole(finding).grown(finding.cell / 2, columns, rows));
            for area in found.chain(between) {
                let value = around(pixels, area, rows, columns);
                for row in area.y..area.y + area.height {
                    let line = row * columns + area.x..row * columns + area.x + area.width;
                    pixels[line.clone()].fill(value);
                    removed[line].fill(true);
                }
                markers.retain(|marker| marker.area.shared(area) == 0);
                now.push(area);
            }
            cleaned.removed.extend_from_slice(&now);
            let gone = removed.iter().filter(|gone| **gone).count();
            if gone as f64 > SHARE_MAX * pixels.len() as f64 {
                return Err(Refused::Covered);
            }
            seen = Self::tones(pixels, rows, columns);
            let moved = (seen.0.ends[0] - ends[0]).abs() + (seen.0.ends[1] - ends[1]).abs();
            changed = (moved <= RANGE_MOVED_MAX * (ends[1] - ends[0])).then_some(now);
        }
        Err(Refused::Persists)
    }
}

/// What has to go. Text that is less likely goes where other text is or was.
fn to_remove(found: &[Found], has_text: bool) -> Vec<Found> {
    let sure = |found: &&Found| {
        found.reading == Reading::Unread
            && match found.kind {
                Kind::Text if is_line(found) => found.likelihood >= LINE_MIN,
                Kind::Text => found.likelihood >= TEXT_MIN && found.cells >= CELLS_MIN,
                Kind::Letter => found.likelihood >= LETTER_MIN,
            }
    };
    let has_text = has_text || found.iter().filter(sure).any(|found| found.kind == Kind::Text);
    let beside = |found: &&Found| {
        has_text && found.reading == Reading::Unread && found.likelihood >= BESIDE_MIN && found.cells >= 2
    };
    found
        .iter()
        .filter(|found| sure(found) || beside(found))
        .copied()
        .collect()
}

/// The median of the pixels just outside `area`; black where there are none.
fn around(pixels: &[u16], area: Area, rows: usize, columns: usize) -> u16 {
    let outer = area.grown(2, columns, rows);
    let mut values: Vec<u16> = (outer.y..outer.y + outer.height)
        .flat_map(|y| (outer.x..outer.x + outer.width).map(move |x| (x, y)))
        .filter(|(x, y)| !((area.x..area.x + area.width).contains(x) && (area.y..area.y + area.height).contains(y)))
        .map(|(x, y)| pixels[y * columns + x])
        .collect();
    let middle = values.len() / 2;
    if values.is_empty() {
        0
    } else {
        *values.select_nth_unstable(middle).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fill_is_what_surrounds() {
        let mut pixels = vec![7; 100];
        pixels[44] = 900;
        let area = |x, y, width, height| Area { x, y, width, height };
        assert_eq!(around(&pixels, area(4, 4, 1, 1), 10, 10), 7);
        assert_eq!(around(&pixels, area(0, 0, 10, 10), 10, 10), 0);
    }

    #[test]
    fn less_likely_text_goes_only_beside_text() {
        let text = |likelihood, reading| Found {
            area: Area {
                x: 0,
                y: 0,
                width: 20,
                height: 8,
            },
            kind: Kind::Text,
            reading,
            likelihood,
            cells: 10,
            cell: 4,
        };
        assert!(to_remove(&[text(0.7, Reading::Unread)], false).is_empty());
        assert_eq!(to_remove(&[text(0.7, Reading::Unread)], true).len(), 1);
        assert_eq!(
            to_remove(&[text(0.7, Reading::Unread), text(0.95, Reading::Unread)], false).len(),
            2
        );
        assert!(to_remove(&[text(0.95, Reading::Marker)], true).is_empty());
    }
}
