//! A contact sheet: a few radiographs as the network sees them, for a person to look at before anything is trained.

use std::{collections::BTreeMap, io::Cursor};

use image::{GrayImage, ImageFormat, Luma, imageops};
use rayon::prelude::*;
use serde::Serialize;
use snowball_crypto::Pseudonym;
use snowball_protocol::labels::{BodyPart, View};
use snowball_worker::shard::Part;

use crate::{Store, StoreError, census::age_band, fact::Fact};

/// Most pictures on a sheet.
const PICTURES_MAX: u32 = 400;
/// Largest side of one picture, in pixels.
const SIDE_MAX: u32 = 512;
/// Between two pictures, in pixels.
const GAP: u32 = 2;

/// Which sheet is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SheetRequest {
    /// Pictures in a row.
    pub columns: u32,
    /// Rows of pictures; `columns * rows` is at most 400.
    pub rows: u32,
    /// Side of each picture, in pixels, at most 512.
    pub side: u32,
    /// Chooses which radiographs are shown.
    pub seed: u64,
}

/// What one picture shows, in words that identify nobody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Caption {
    /// Its column on the sheet, from 0.
    pub column: u32,
    /// Its row on the sheet, from 0.
    pub row: u32,
    /// Body part.
    pub body_part: Option<BodyPart>,
    /// View.
    pub view: Option<View>,
    /// Age, as a decade.
    pub age_band: Option<&'static str>,
    /// Which part of the data its patient belongs to.
    pub part: Part,
}

/// A contact sheet. The pixels are patients': it stays at the site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContactSheet {
    /// The sheet as PNG, 8-bit grey: pictures of `side` pixels with two white pixels between them.
    pub png: Vec<u8>,
    /// What is where; fewer than places where there are fewer radiographs.
    pub captions: Vec<Caption>,
}

impl Store {
    /// Draws a contact sheet: as many radiographs of each body part as there is room for, none shown twice, neighbours of
    /// one body part side by side. The same seed over the same store draws the same sheet.
    ///
    /// # Errors
    /// When the request is out of bounds or a stored picture is damaged.
    pub fn contact_sheet(&self, request: &SheetRequest) -> Result<ContactSheet, StoreError> {
        let places = request.columns.saturating_mul(request.rows);
        if places == 0 || places > PICTURES_MAX || request.side == 0 || request.side > SIDE_MAX {
            return Err(StoreError::Unreasonable {
                what: "a contact sheet has 1 to 400 pictures of 1 to 512 pixels a side",
            });
        }
        let chosen = choose(self.facts()?, places as usize, request.seed);
        let squares = self.prepared(&chosen, request.side)?;

        let pitch = request.side + GAP;
        let mut sheet = GrayImage::from_pixel(request.columns * pitch - GAP, request.rows * pitch - GAP, Luma([255]));
        let mut captions = Vec::with_capacity(chosen.len());
        for (place, (fact, square)) in (0..).zip(chosen.iter().zip(&squares)) {
            let (column, row) = (place % request.columns, place / request.columns);
            let picture = GrayImage::from_fn(request.side, request.side, |x, y| {
                Luma([(square[(y * request.side + x) as usize] >> 8) as u8])
            });
            imageops::replace(&mut sheet, &picture, i64::from(column * pitch), i64::from(row * pitch));
            captions.push(Caption {
                column,
                row,
                body_part: fact.labels.body_part,
                view: fact.labels.view,
                age_band: fact.labels.age_years.and_then(age_band),
                part: fact.part,
            });
        }
        let mut png = Cursor::new(Vec::new());
        sheet.write_to(&mut png, ImageFormat::Png)?;
        Ok(ContactSheet {
            png: png.into_inner(),
            captions,
        })
    }

    /// As many radiographs as there are, `count` at most, chosen as a contact sheet chooses them and prepared as the network sees them.
    /// The pixels are patients': they stay at the site.
    ///
    /// # Errors
    /// When more or larger ones are asked for than a contact sheet has, or a stored picture is damaged.
    pub fn squares(&self, count: usize, side: u32, seed: u64) -> Result<Vec<Vec<u16>>, StoreError> {
        if count > PICTURES_MAX as usize || side == 0 || side > SIDE_MAX {
            return Err(StoreError::Unreasonable {
                what: "at most 400 radiographs of 1 to 512 pixels a side are shown",
            });
        }
        self.prepared(&choose(self.facts()?, count, seed), side)
    }

    fn prepared(&self, chosen: &[Fact], side: u32) -> Result<Vec<Vec<u16>>, StoreError> {
        let squares = chosen.par_iter();
        squares.map(|fact| self.square(fact, side)).collect()
    }
}

/// Takes from each body part in turn, in an order that only the seed decides, until the places are full.
fn choose(facts: Vec<Fact>, places: usize, seed: u64) -> Vec<Fact> {
    let mut groups: BTreeMap<Option<BodyPart>, Vec<(u64, Fact)>> = BTreeMap::new();
    for fact in facts {
        groups
            .entry(fact.labels.body_part)
            .or_default()
            .push((rank(&fact.radiograph, seed), fact));
    }
    for group in groups.values_mut() {
        group.sort_by(|(left, _), (right, _)| right.cmp(left));
    }
    let mut chosen: BTreeMap<Option<BodyPart>, Vec<Fact>> = BTreeMap::new();
    let mut left = places;
    while left > 0 && groups.values().any(|group| !group.is_empty()) {
        for (body_part, group) in &mut groups {
            if left > 0
                && let Some((_, fact)) = group.pop()
            {
                chosen.entry(*body_part).or_default().push(fact);
                left -= 1;
            }
        }
    }
    chosen.into_values().flatten().collect()
}

/// A number that is as good as random, from the pseudonym and the seed (SplitMix64, Steele et al. 2014).
fn rank(radiograph: &Pseudonym, seed: u64) -> u64 {
    let start = radiograph
        .as_bytes()
        .iter()
        .fold(0u64, |number, byte| number.rotate_left(8) ^ u64::from(*byte))
        ^ seed;
    let mut state = start.wrapping_add(0x9E37_79B9_7F4A_7C15);
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::cohort;

    const REQUEST: SheetRequest = SheetRequest {
        columns: 4,
        rows: 3,
        side: 20,
        seed: 7,
    };

    #[test]
    fn body_parts_share_the_sheet_and_pictures_are_where_captions_say() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        store.add_all(&cohort(40)).unwrap();
        let sheet = store.contact_sheet(&REQUEST).unwrap();
        let picture = image::load_from_memory(&sheet.png).unwrap().into_luma8();
        assert_eq!(picture.dimensions(), (4 * 22 - 2, 3 * 22 - 2));
        assert_eq!(sheet.captions.len(), 12);
        for part in [BodyPart::Chest, BodyPart::Hand, BodyPart::Knee] {
            assert_eq!(
                sheet
                    .captions
                    .iter()
                    .filter(|caption| caption.body_part == Some(part))
                    .count(),
                4
            );
        }
        for caption in &sheet.captions {
            let (x, y) = (caption.column * 22, caption.row * 22);
            let tones: std::collections::BTreeSet<u8> = (0..400)
                .map(|at| picture.get_pixel(x + at % 20, y + at / 20).0[0])
                .collect();
            assert!(tones.len() > 10, "a picture with tones");
        }
        assert_eq!(picture.get_pixel(20, 5).0[0], 255, "the gap");
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        store.add_all(&cohort(40)).unwrap();
        assert_eq!(
            store.contact_sheet(&REQUEST).unwrap(),
            store.contact_sheet(&REQUEST).unwrap()
        );
        let other = store.contact_sheet(&SheetRequest { seed: 8, ..REQUEST }).unwrap();
        assert_ne!(store.contact_sheet(&REQUEST).unwrap().png, other.png);
    }

    #[test]
    fn few_radiographs_leave_places_empty_and_absurd_sheets_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        assert!(store.contact_sheet(&REQUEST).unwrap().captions.is_empty());
        store.add_all(&cohort(5)).unwrap();
        assert_eq!(store.contact_sheet(&REQUEST).unwrap().captions.len(), 5);
        for (columns, rows, side) in [
            (0, 1, 1),
            (1, 0, 1),
            (1, 1, 0),
            (21, 20, 9),
            (1, 1, 513),
            (u32::MAX, u32::MAX, 1),
        ] {
            assert!(
                store
                    .contact_sheet(&SheetRequest {
                        columns,
                        rows,
                        side,
                        seed: 0
                    })
                    .is_err()
            );
        }
    }
}
