//! One picture searched at several scales.

use crate::{
    area::{Area, Kind, Patch, patches, patches_of},
    closer::{LEFT_MAX, PARTS_MAX, SUREST, left_without},
    judge,
    look::look,
    map::Map,
    markers::Markers,
    normal::Tones,
    reader,
    weights::{self, Networks},
    words,
};

/// A picture of more pixels is halved first: text that a person could read on it is larger than what is lost.
const PIXELS_MAX: usize = 2 << 20;
/// The coarsest scale keeps at least this many pixels on its shorter side.
const SIDE_MIN: usize = 40;
/// Scales at most.
const SCALES_MAX: usize = 6;
/// Areas less likely than this are nothing.
const LIKELIHOOD_MIN: f32 = 0.5;
/// A finding at least this likely stands for what coarser scales see there, and is worth a second reading.
const LIKELIHOOD_FINE: f32 = 0.85;
/// A letter is a marker if the markers that may stay are at least this likely.
const READ_MIN: f32 = 0.55;
/// The same, where it was taken for text.
const READ_AS_TEXT_MIN: f32 = 0.95;
/// The same, where the detector and the judge do not agree on that.
const READ_IN_DOUBT_MIN: f32 = 0.8;
/// The same, where only the surest cells of an area are read.
const READ_CLOSER_MIN: f32 = 0.9;
/// So is a word, if it is this much less likely than the most likely spelling at most, and this sure.
const SPELT_CLOSER_MARGIN_MAX: f32 = 0.05;
const SPELT_CLOSER_MIN: f32 = 0.8;
/// A word is a marker if its spelling is at least this sure.
const SPELT_MIN: f32 = 0.7;
/// What is longer than so many times its height is no word of the list.
const WORD_LENGTH_MAX: usize = 11;

/// What an area was read as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    /// A marker on the closed list.
    Marker,
    /// Something written that is not on it, or could not be read.
    Unread,
}

/// Something written in a picture.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Found {
    /// Where.
    pub area: Area,
    /// Text or a letter.
    pub kind: Kind,
    /// What it is.
    pub reading: Reading,
    /// How likely it is that something is written there, 0 to 1.
    pub likelihood: f32,
    /// Cells of the detector that say so.
    pub cells: usize,
    /// Pixels on a side of these, which is how exact the area is.
    pub cell: usize,
}

/// Searches pictures. It holds no state that changes, so that threads share one.
#[derive(Clone, Debug)]
pub struct Searcher {
    networks: Networks,
    markers: Markers,
}

impl Searcher {
    /// A searcher with the built-in networks.
    #[must_use]
    pub fn new(markers: Markers) -> Self {
        // The weights are built in and a test reads them.
        Self::with(weights::built_in().expect("the built-in weights"), markers)
    }

    /// A searcher with other networks, which is how they are measured before they are built in.
    #[must_use]
    pub fn with(networks: Networks, markers: Markers) -> Self {
        Self { networks, markers }
    }

    /// What is written in a picture of `rows` by `columns` values.
    #[must_use]
    pub fn find(&self, pixels: &[u16], rows: usize, columns: usize) -> Vec<Found> {
        if rows == 0 || columns == 0 {
            return Vec::new();
        }
        self.find_in([rows, columns], Self::tones(pixels, rows, columns), None, &[])
    }

    /// A picture as it is searched, and how many of its pixels are one there on a side.
    pub(crate) fn tones(pixels: &[u16], rows: usize, columns: usize) -> (Tones, usize) {
        Tones::within(pixels, rows, columns, PIXELS_MAX)
    }

    /// What is written in a picture, or only what is new beside `changed` areas of it since it was last searched, when `known`
    /// markers were read.
    pub(crate) fn find_in(
        &self,
        [rows, columns]: [usize; 2],
        (tones, scale): (Tones, usize),
        changed: Option<&[Area]>,
        known: &[Found],
    ) -> Vec<Found> {
        let mut found: Vec<(Patch, f32)> = Vec::new();
        for (tones, scale) in scales(tones, scale) {
            let scaled = |area: &Area| Area {
                x: area.x / scale,
                y: area.y / scale,
                width: area.width.div_ceil(scale),
                height: area.height.div_ceil(scale),
            };
            let near: Option<Vec<Area>> = changed.map(|areas| areas.iter().map(scaled).collect());
            let answer = look(&self.networks, &tones, near.as_deref());
            let mut surest: Option<Vec<Patch>> = None;
            for patch in patches(&answer, scale) {
                let here = Area {
                    x: patch.area.x / scale,
                    y: patch.area.y / scale,
                    width: patch.area.width / scale,
                    height: patch.area.height / scale,
                };
                let area = patch.area.grown(0, columns, rows);
                if patch.likelihood >= LIKELIHOOD_MIN && area.size() > 0 {
                    let judged = judge::judge(&self.networks.judge, &tones, here);
                    let seen_as = patch.kind;
                    let patch = judge::weighed(Patch { area, ..patch }, judged);
                    if patch.likelihood < LIKELIHOOD_MIN {
                        continue;
                    }
                    let mut read = self.marker(&tones, here, [seen_as, patch.kind]);
                    if read < READ_MIN && patch.likelihood >= LIKELIHOOD_FINE {
                        let surest = surest.get_or_insert_with(|| most_likely(&answer));
                        read = self.closer(&tones, here, surest);
                    }
                    found.push((patch, read));
                }
            }
        }
        Self::joined(known, found)
    }

    /// What the detector finds in a picture, before anything is judged or read: each scale with its pixels' size, and its patches
    /// in pixels of that scale. The judge is trained on these.
    #[must_use]
    pub fn candidates(&self, pixels: &[u16], rows: usize, columns: usize) -> Vec<(usize, Tones, Vec<Patch>)> {
        let mut found = Vec::new();
        let (tones, scale) = Self::tones(pixels, rows, columns);
        for (tones, scale) in scales(tones, scale) {
            let patches = patches(&look(&self.networks, &tones, None), 1);
            found.push((scale, tones, patches));
        }
        found
    }

    /// What stands in `area` is read as, which the detector took for `kind`.
    #[must_use]
    pub fn reading(&self, pixels: &[u16], rows: usize, columns: usize, area: Area, kind: Kind) -> Reading {
        read_as(self.marker(&Tones::of(pixels, rows, columns), area, [kind; 2]))
    }

    /// How likely what stands in `area` is to be any of the markers that may stay: which one does not matter.
    fn marker(&self, tones: &Tones, area: Area, kinds: [Kind; 2]) -> f32 {
        let letter = self.lone(tones, area, kinds);
        let (long, short) = (area.width.max(area.height), area.width.min(area.height));
        if letter >= READ_MIN || long > WORD_LENGTH_MAX * short {
            return letter;
        }
        let word = words::read(&self.networks.words, tones, area, self.markers.spelt());
        let word = if word >= SPELT_MIN { 1.0 } else { 0.0 };
        letter.max(word)
    }

    /// The same of a letter that stands alone.
    fn lone(&self, tones: &Tones, area: Area, kinds: [Kind; 2]) -> f32 {
        let (long, short) = (area.width.max(area.height), area.width.min(area.height));
        let needed = match kinds {
            [Kind::Letter, Kind::Letter] => READ_MIN,
            [Kind::Text, _] if long * 2 > short * 3 => return 0.0,
            // A letter that was taken for a short word has to be clearer.
            [Kind::Text, Kind::Text] => READ_AS_TEXT_MIN,
            _ => READ_IN_DOUBT_MIN,
        };
        self.letter(tones, area) * READ_MIN / needed
    }

    /// What the surest cells of `area` are read as, if nothing else is written in it.
    fn closer(&self, tones: &Tones, area: Area, surest: &[Patch]) -> f32 {
        let mut tried = vec![area];
        for part in surest.iter().filter(|part| part.area.shared(area) > 0) {
            if tried.contains(&part.area) {
                continue;
            }
            if tried.len() > PARTS_MAX {
                break;
            }
            tried.push(part.area);
            // A second look is a second chance to be wrong: it has to be surer than the first.
            let is_letter = match part.kind {
                Kind::Letter => self.letter(tones, part.area) >= READ_CLOSER_MIN,
                Kind::Text => self.lone(tones, part.area, [part.kind; 2]) >= READ_MIN,
            };
            let is_read = is_letter || self.is_spelt(tones, part.area);
            if is_read && left_without(&self.networks, tones, area, part.area) < LEFT_MAX {
                return 1.0;
            }
        }
        0.0
    }

    /// True if the most likely spelling of what stands in `area` is surely a word of the list.
    fn is_spelt(&self, tones: &Tones, area: Area) -> bool {
        let (long, short) = (area.width.max(area.height), area.width.min(area.height));
        let sure = |[margin, sure]: [f32; 2]| margin <= SPELT_CLOSER_MARGIN_MAX && sure >= SPELT_CLOSER_MIN;
        long <= WORD_LENGTH_MAX * short
            && words::spellings(&self.networks.words, tones, area, self.markers.spelt()).any(sure)
    }

    fn letter(&self, tones: &Tones, area: Area) -> f32 {
        let likely = reader::read(&self.networks.reader, tones, area);
        let allowed = reader::CLASSES
            .iter()
            .zip(likely)
            .filter(|(sign, _)| sign.is_some_and(|sign| self.markers.allows(sign)));
        allowed.map(|(_, likely)| likely).sum()
    }

    /// What several scales say of one place becomes one finding. Fine scales speak first, for their areas are exact; a coarser
    /// one counts where it sees what they did not. What is lost that way is found when the picture is searched again. Markers
    /// that an earlier search read speak too: a later one may look at a part of them only.
    fn joined(markers: &[Found], patches: Vec<(Patch, f32)>) -> Vec<Found> {
        let mut found = markers.to_vec();
        for (patch, marker) in patches {
            let reading = read_as(marker);
            let known = |known: &Found| known.cell < patch.cell && known.likelihood >= LIKELIHOOD_FINE;
            let covered: usize = found
                .iter()
                .filter(|found| known(found))
                .map(|known| known.area.with_margin(patch.cell / 2).shared(patch.area))
                .sum();
            if covered * 2 >= patch.area.size() {
                let same = found
                    .iter_mut()
                    .find(|found| known(found) && found.area.shared(patch.area) > 0);
                if let Some(same) = same.filter(|same| same.kind == patch.kind && reading == Reading::Marker) {
                    same.reading = Reading::Marker;
                }
                continue;
            }
            found.push(Found {
                area: patch.area,
                kind: patch.kind,
                reading,
                likelihood: patch.likelihood,
                cells: patch.cells,
                cell: patch.cell,
            });
        }
        found.split_off(markers.len())
    }
}

/// Tones and their pixels' size, then the same halved again and again.
fn scales(tones: Tones, scale: usize) -> impl Iterator<Item = (Tones, usize)> {
    std::iter::successors(Some((tones, scale)), |(tones, scale)| {
        (tones.rows.min(tones.columns) >= 2 * SIDE_MIN).then(|| (tones.halved(), scale * 2))
    })
    .take(SCALES_MAX)
}

/// The surest cells of an answer as patches of its own scale, those of the lowest bar first.
fn most_likely(answer: &Map) -> Vec<Patch> {
    SUREST.iter().flat_map(|joins| patches_of(answer, 1, *joins)).collect()
}

fn read_as(marker: f32) -> Reading {
    if marker >= READ_MIN {
        Reading::Marker
    } else {
        Reading::Unread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_that_was_read_speaks_for_coarser_scales_of_later_searches() {
        let area = |x, width| Area {
            x,
            y: 0,
            width,
            height: 16,
        };
        let marker = Found {
            area: area(8, 40),
            kind: Kind::Text,
            reading: Reading::Marker,
            likelihood: 0.99,
            cells: 40,
            cell: 4,
        };
        let coarse = |area| Patch {
            area,
            kind: Kind::Text,
            likelihood: 0.95,
            cells: 10,
            cell: 8,
        };
        assert_eq!(Searcher::joined(&[], vec![(coarse(area(0, 56)), 0.0)]).len(), 1);
        assert!(Searcher::joined(&[marker], vec![(coarse(area(0, 56)), 0.0)]).is_empty());
        // What reaches far beyond the marker is more than the marker.
        let beyond = Searcher::joined(&[marker], vec![(coarse(area(0, 120)), 0.0)]);
        assert_eq!((beyond.len(), beyond[0].reading), (1, Reading::Unread));
    }
}
