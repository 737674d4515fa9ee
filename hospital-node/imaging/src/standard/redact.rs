//! Text burned into the pixels: searched for in the picture that the intake would search, filled in the stored values, and
//! searched for again until nothing is found.
//!
//! Nothing is painted in: an area gets one value, the middle of the stored values around it. Every stored value outside the
//! areas stays what it was.

use serde::Serialize;
use snowball_protocol::{Sha256Digest, digest::RunningDigest, intake::IntakeReason};
use snowball_text::{Area, Searcher};

use crate::{
    LossyMethod,
    intake::Limits,
    pixels::{self, Description, Transform, Words, page},
    read::DicomFile,
    second::Second,
};

/// Searches of one frame after which text that still shows sends it to a person.
const SEARCHES_MAX: u32 = 4;
/// A frame of which more than this share would be filled goes to a person.
const SHARE_MAX: f64 = 0.35;
/// How far around an area the values lie that its own is taken from.
const MARGIN: usize = 2;
/// Areas of one file at most: more is no text.
const AREAS_MAX: usize = 20_000;

/// An area of the pixels that was filled with one value: a place, and no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct FilledArea {
    /// Number of the frame, from 1.
    pub frame: u32,
    /// Columns to its left.
    pub x: usize,
    /// Rows above.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// What came of looking at the pixels of a file: in all of it the last search found nothing.
pub(super) struct Looked {
    /// What was filled, frame by frame.
    pub(super) filled: Vec<FilledArea>,
    /// Digest of the stored values of all frames, as they are to be written.
    pub(super) stored: Sha256Digest,
    /// All frames as native little endian container words.
    pub(super) native: Vec<u8>,
    /// The smallest and the largest stored value, with sign.
    pub(super) range: (i32, i32),
    /// `HighBit` of the native words.
    pub(super) high_bit: u16,
    /// How the pixels were coded with loss before: the method (PS3.3 C.7.6.1.1.5.1) and how many times smaller they were.
    pub(super) lossy: Option<(LossyMethod, f64)>,
}

/// Looks at every frame of the file `bytes` and fills what is written there and is no marker.
///
/// # Errors
/// If the pixels are not grey frames that decode within the limits, are a scanned page, or keep on showing text.
pub(super) fn look(
    searcher: &Searcher,
    second: Option<&Second>,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Looked, IntakeReason> {
    let file = DicomFile::parse(bytes, limits)?;
    let description = Description::read_frames(&file, limits)?;
    let syntax = file.syntax.ok_or(IntakeReason::TransferSyntax)?;
    let native_bytes = description.frame_bytes() as u64 * u64::from(description.frames);
    if native_bytes > limits.file_bytes_max {
        return Err(IntakeReason::SizeBomb);
    }
    let mut lossy = false;
    let mut frames = Vec::new();
    for number in 0..description.frames as usize {
        let words = if description.frames == 1 {
            pixels::words(&file, syntax, &description)?
        } else {
            pixels::words_of(&file, syntax, &description, number)?
        };
        lossy |= words.lossy;
        let mut frame = Frame {
            stored: words.stored(&description),
            filled: Vec::new(),
        };
        frame.clean(searcher, &description)?;
        frames.push(frame);
        if frames.iter().map(|frame| frame.filled.len()).sum::<usize>() > AREAS_MAX {
            return Err(IntakeReason::BurnedInText);
        }
    }
    for (number, areas) in standing(&frames) {
        if let Some(frame) = frames.get_mut(number) {
            frame.fill(&areas, &description)?;
            frame.clean(searcher, &description)?;
        }
    }
    if let Some(second) = second {
        let shows = |frame: &Frame| {
            let grey = pixels::render(Words::of_stored(&frame.stored, &description), &description);
            second.finds([description.rows, description.columns], &grey.pixels)
        };
        if frames.iter().any(shows) {
            return Err(IntakeReason::BurnedInText);
        }
    }
    let ratio = native_bytes as f64 / bytes.len().max(1) as f64;
    Ok(Looked {
        lossy: LossyMethod::of(syntax).filter(|_| lossy).map(|method| (method, ratio)),
        ..looked(&frames, &description)
    })
}

/// One frame's stored values, without sign, and what was filled in them.
struct Frame {
    stored: Vec<u16>,
    filled: Vec<Area>,
}

impl Frame {
    /// Searches and fills until a search finds nothing.
    fn clean(&mut self, searcher: &Searcher, description: &Description) -> Result<(), IntakeReason> {
        let (rows, columns) = (description.rows as usize, description.columns as usize);
        for _ in 0..SEARCHES_MAX {
            let mut grey = pixels::render(Words::of_stored(&self.stored, description), description);
            if self.filled.is_empty() && page::is_page(&grey.pixels) {
                return Err(IntakeReason::Document);
            }
            let found = searcher
                .clean(&mut grey.pixels, rows, columns)
                .map_err(|_| IntakeReason::BurnedInText)?;
            if found.removed.is_empty() {
                return Ok(());
            }
            self.fill(&found.removed, description)?;
        }
        Err(IntakeReason::BurnedInText)
    }

    /// Fills `areas` one after the other, each with the middle of what lies around it by then: as the search did it in its own
    /// picture, so that the picture it found clean is the one that comes of this.
    fn fill(&mut self, areas: &[Area], description: &Description) -> Result<(), IntakeReason> {
        let (rows, columns) = (description.rows as usize, description.columns as usize);
        for area in areas {
            let inside = |place: &usize| {
                let (x, y) = (place % columns, place / columns);
                (area.x..area.x + area.width).contains(&x) && (area.y..area.y + area.height).contains(&y)
            };
            let around = rows_of(area.grown(MARGIN, columns, rows), columns)
                .flatten()
                .filter(|place| !inside(place))
                .map(|place| self.stored[place])
                .collect();
            let value = middle(around, description);
            rows_of(*area, columns).for_each(|line| self.stored[line].fill(value));
            self.filled.push(*area);
        }
        let mut gone = vec![false; self.stored.len()];
        for area in &self.filled {
            rows_of(*area, columns).for_each(|line| gone[line].fill(true));
        }
        let share = gone.iter().filter(|gone| **gone).count() as f64 / gone.len() as f64;
        if share > SHARE_MAX {
            return Err(IntakeReason::BurnedInText);
        }
        Ok(())
    }
}

/// The places of each row of `area`.
fn rows_of(area: Area, columns: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (area.y..area.y + area.height).map(move |row| row * columns + area.x..row * columns + area.x + area.width)
}

/// The value in the middle of what surrounds an area. Where most of that is padding, it is padding; else padding does not
/// count, so that no hole appears inside the picture. Where nothing surrounds it, the darkest value.
fn middle(around: Vec<u16>, description: &Description) -> u16 {
    let signed = |value: &u16| pixels::signed_value(*value, description);
    let padding = pixels::padding_range(description);
    let is_padding = |value: &u16| padding.as_ref().is_some_and(|range| range.contains(&signed(value)));
    let (outside, inside): (Vec<u16>, Vec<u16>) = around.into_iter().partition(is_padding);
    let mut values = if outside.len() > inside.len() { outside } else { inside };
    let place = values.len() / 2;
    // From dark to bright, as in the picture that is searched.
    let order = if is_turned(description) { -1 } else { 1 };
    if values.is_empty() {
        darkest(description)
    } else {
        *values
            .select_nth_unstable_by_key(place, |value| order * signed(value))
            .1
    }
}

/// The stored value that is shown darkest.
fn darkest(description: &Description) -> u16 {
    let least = if description.signed {
        1 << (description.bits_stored - 1)
    } else {
        0
    };
    if is_turned(description) {
        description.stored_max() ^ least
    } else {
        least
    }
}

/// Whether larger stored values are shown darker.
fn is_turned(description: &Description) -> bool {
    (description.transform == Transform::Linear { falling: true }) != description.inverted
}

/// What stands in at least half of many frames stands in all of them, also where one search missed it: what is to be filled
/// besides, frame by frame.
fn standing(frames: &[Frame]) -> Vec<(usize, Vec<Area>)> {
    const FRAMES_MIN: usize = 4;
    if frames.len() < FRAMES_MIN {
        return Vec::new();
    }
    let has = |frame: &Frame, area: &Area| {
        frame
            .filled
            .iter()
            .any(|filled| filled.shared(*area) * 2 >= area.size())
    };
    let mut common: Vec<Area> = Vec::new();
    // Half of the frames lack it at most, so that it stands in one of the first that are more than half.
    for area in frames.iter().take(frames.len() / 2 + 1).flat_map(|frame| &frame.filled) {
        let is_new = !common.iter().any(|known| known.shared(*area) * 2 >= area.size());
        if is_new && frames.iter().filter(|frame| has(frame, area)).count() * 2 >= frames.len() {
            common.push(*area);
        }
    }
    let missing = |frame: &Frame| -> Vec<Area> { common.iter().filter(|area| !has(frame, area)).copied().collect() };
    let lists = frames.iter().map(missing).enumerate();
    lists.filter(|(_, areas)| !areas.is_empty()).collect()
}

/// The frames as they are to be written.
fn looked(frames: &[Frame], description: &Description) -> Looked {
    let mut digest = RunningDigest::default();
    let mut native = Vec::with_capacity(frames.len() * description.frame_bytes() + 1);
    let mut range = (i32::MAX, i32::MIN);
    for frame in frames {
        digest.update(&stored_bytes(&frame.stored));
        for value in &frame.stored {
            let signed = pixels::signed_value(*value, description);
            range = (range.0.min(signed), range.1.max(signed));
        }
        let words = frame.stored.iter().map(|value| container(*value, description));
        if description.bits_allocated == 8 {
            native.extend(words.map(|word| word.to_le_bytes()[0]));
        } else {
            native.extend(words.flat_map(u16::to_le_bytes));
        }
    }
    if native.len() % 2 == 1 {
        native.push(0);
    }
    let filled = frames.iter().zip(1..).flat_map(|(frame, number)| {
        frame.filled.iter().map(move |area| FilledArea {
            frame: number,
            x: area.x,
            y: area.y,
            width: area.width,
            height: area.height,
        })
    });
    Looked {
        filled: filled.collect(),
        stored: digest.finish(),
        native,
        range,
        high_bit: u16::from(description.shift + description.bits_stored - 1),
        lossy: None,
    }
}

/// Stored values as they are digested: little endian words without sign.
pub(super) fn stored_bytes(stored: &[u16]) -> Vec<u8> {
    stored.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The container word of a stored value; above a signed one stand copies of its sign.
fn container(stored: u16, description: &Description) -> u16 {
    let is_negative = description.signed && stored >> (description.bits_stored - 1) & 1 == 1;
    if is_negative && description.shift == 0 {
        stored | !description.stored_max()
    } else {
        stored << description.shift
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::tests::grey;

    fn area(x: usize, y: usize, width: usize, height: usize) -> Area {
        Area { x, y, width, height }
    }

    #[test]
    fn each_area_gets_one_value_and_all_else_stays() {
        let description = grey(10, 20, 16, 12);
        let stored: Vec<u16> = (0..200).map(|place| place % 20).collect();
        let mut frame = Frame {
            stored: stored.clone(),
            filled: Vec::new(),
        };
        frame
            .fill(&[area(2, 2, 3, 3), area(16, 6, 2, 2)], &description)
            .unwrap();
        let at = |x: usize, y: usize| frame.stored[y * 20 + x];
        assert_eq!((at(2, 2), at(4, 4), at(5, 3)), (at(3, 3), at(2, 2), 5));
        assert!((14..=19).contains(&at(16, 6)) && at(16, 6) == at(17, 7));
        let inside = |place: usize| {
            frame.filled.iter().any(|area| {
                let (x, y) = (place % 20, place / 20);
                (area.x..area.x + area.width).contains(&x) && (area.y..area.y + area.height).contains(&y)
            })
        };
        assert!((0..200).all(|place| inside(place) || frame.stored[place] == stored[place]));
        let all = frame.fill(&[area(0, 0, 20, 5)], &description);
        assert_eq!(all, Err(IntakeReason::BurnedInText), "half of the picture");
    }

    #[test]
    fn a_fill_is_in_the_order_of_signed_values_and_makes_no_hole() {
        let signed = Description {
            signed: true,
            ..grey(1, 1, 16, 12)
        };
        // -2, -1, 1 as stored.
        assert_eq!(middle(vec![1, 0xFFE, 0xFFF], &signed), 0xFFF);
        let padded = Description {
            padding: Some((0, 0)),
            ..grey(1, 1, 16, 12)
        };
        assert_eq!(
            middle(vec![0, 0, 7, 8, 9], &padded),
            8,
            "padding beside a picture does not count"
        );
        assert_eq!(middle(vec![0, 0, 0, 7, 8], &padded), 0, "in padding it is padding");
        let inverted = Description {
            inverted: true,
            ..grey(1, 1, 16, 12)
        };
        assert_eq!(
            (darkest(&inverted), darkest(&signed), darkest(&padded)),
            (4095, 0x800, 0)
        );
    }

    #[test]
    fn a_container_word_honours_high_bit_and_sign() {
        let shifted = Description {
            shift: 4,
            ..grey(1, 1, 16, 12)
        };
        let signed = Description {
            signed: true,
            ..grey(1, 1, 16, 12)
        };
        assert_eq!(container(0xABC, &shifted), 0xABC0);
        assert_eq!((container(0xFFF, &signed), container(0x7FF, &signed)), (0xFFFF, 0x7FF));
    }

    #[test]
    fn what_stands_in_most_frames_is_filled_in_all() {
        let frame = |filled: &[Area]| Frame {
            stored: Vec::new(),
            filled: filled.to_vec(),
        };
        let (text, chance) = (area(10, 10, 40, 8), area(60, 60, 8, 8));
        let frames = [
            frame(&[text]),
            frame(&[area(11, 10, 40, 8), chance]),
            frame(&[]),
            frame(&[area(9, 9, 44, 10)]),
        ];
        let missing = standing(&frames);
        assert_eq!(missing.len(), 1);
        assert_eq!((missing[0].0, missing[0].1.len()), (2, 1));
        assert!(standing(&frames[..3]).is_empty());
    }
}
