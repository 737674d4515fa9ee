//! The ten kinds of check of the MIDI-B challenge (MICCAI 2024), as functions over a file before and after.

use std::collections::{BTreeMap, BTreeSet};

use dicom_core::{
    Tag,
    dictionary::{DataDictionary as _, DataDictionaryEntry as _},
    header::Header as _,
    value::Value,
};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_object::{InMemDicomObject, from_reader};
use serde::{Deserialize, Serialize};

use crate::{Limits, intake::quiet};

/// A kind of check.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The attribute is still there.
    TagRetained,
    /// Its value is not empty.
    TextNotNull,
    /// The text is still in its value.
    TextRetained,
    /// The text is not in its value any more.
    TextRemoved,
    /// The date is another one, and all of a patient moved alike.
    DateShifted,
    /// The UID is another one.
    UidChanged,
    /// Equal UIDs before are equal after, and different ones different.
    UidConsistent,
    /// The same for patient numbers.
    PatientIdConsistent,
    /// The pixels in a box are not what they were.
    PixelsHidden,
    /// All other pixels are what they were.
    PixelsRetained,
}

impl Check {
    /// All ten, in the order of the challenge.
    pub const ALL: [Self; 10] = [
        Self::TagRetained,
        Self::TextNotNull,
        Self::TextRetained,
        Self::TextRemoved,
        Self::DateShifted,
        Self::UidChanged,
        Self::UidConsistent,
        Self::PatientIdConsistent,
        Self::PixelsHidden,
        Self::PixelsRetained,
    ];

    /// The check in words, as the challenge names it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::TagRetained => "tag retained",
            Self::TextNotNull => "text not null",
            Self::TextRetained => "text retained",
            Self::TextRemoved => "text removed",
            Self::DateShifted => "date shifted",
            Self::UidChanged => "uid changed",
            Self::UidConsistent => "uid consistent",
            Self::PatientIdConsistent => "patid consistent",
            Self::PixelsHidden => "pixels hidden",
            Self::PixelsRetained => "pixels retained",
        }
    }

    /// Whether a failure leaves somebody known, or tears apart what belongs together; the others cost use only.
    #[must_use]
    pub const fn must_hold(self) -> bool {
        !matches!(
            self,
            Self::TagRetained | Self::TextNotNull | Self::TextRetained | Self::PixelsRetained
        )
    }
}

/// The place of a path of keywords: `AnatomicRegionSequence[0].CodeValue` is `(0008,2218)[0]/(0008,0100)`. Tags may stand as
/// they are. `None` where a word is no attribute.
#[must_use]
pub fn place_of(path: &str) -> Option<String> {
    let place = |word: &str| {
        let (name, item) = word
            .split_once('[')
            .map_or((word, None), |(name, item)| (name, Some(item)));
        let tag = match name.parse::<snowball_confidentiality::Tag>() {
            Ok(tag) => tag,
            Err(_) => super::apply::ours(StandardDataDictionary.by_name(name)?.tag()),
        };
        Some(item.map_or_else(|| tag.to_string(), |item| format!("{tag}[{item}")))
    };
    let places: Option<Vec<String>> = path.split('.').map(place).collect();
    places.map(|places| places.join("/"))
}

/// What is expected of one attribute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expectation {
    /// Which check.
    pub check: Check,
    /// Its place: `(0010,0010)`, or `(0008,2218)[0]/(0008,0104)` inside a sequence.
    pub place: String,
    /// The text that should stay or go.
    pub text: String,
}

/// The texts of an object by place.
#[derive(Clone, Default, Debug)]
pub struct Texts(BTreeMap<String, String>);

impl Texts {
    /// Reads a DICOM file (PS3.10); `None` if the object reader does not take it.
    #[must_use]
    pub fn read(file: &[u8]) -> Option<Self> {
        let has_preamble = file.get(128..132) == Some(b"DICM");
        let object = if has_preamble {
            from_reader(file).ok()?
        } else {
            // A file that begins with its elements is one all the same.
            from_reader([[0; 128].as_slice(), b"DICM", file].concat().as_slice()).ok()?
        };
        let mut texts = Self::default();
        texts.gather(&object, "");
        Some(texts)
    }

    fn gather(&mut self, object: &InMemDicomObject, place: &str) {
        for element in object {
            let tag: Tag = element.tag();
            match element.value() {
                Value::Sequence(items) => {
                    self.0.insert(super::apply::inside_tag(place, tag), String::new());
                    for (number, item) in items.items().iter().enumerate() {
                        self.gather(item, &super::apply::inside(place, tag, number));
                    }
                }
                Value::Primitive(value) if tag != tags::PIXEL_DATA => {
                    let text = value.to_str().trim_matches([' ', '\0']).to_owned();
                    self.0.insert(super::apply::inside_tag(place, tag), text);
                }
                _ => {
                    self.0.insert(super::apply::inside_tag(place, tag), String::new());
                }
            }
        }
    }

    /// The text at a place.
    #[must_use]
    pub fn get(&self, place: &str) -> Option<&str> {
        self.0.get(place).map(String::as_str)
    }
}

/// Whether `after` is as expected where `before` was as it was. Checks that need many files, or pixels, hold here: see
/// [`consistent`], [`shifted_alike`] and [`pixels`].
#[must_use]
pub fn holds(expected: &Expectation, before: &Texts, after: &Texts) -> bool {
    let (old, new) = (before.get(&expected.place), after.get(&expected.place));
    let has = |text: Option<&str>| text.is_some_and(|text| text.contains(&expected.text));
    match expected.check {
        Check::TagRetained => new.is_some(),
        Check::TextNotNull => new.is_some_and(|text| !text.is_empty()),
        Check::TextRetained => has(new),
        Check::TextRemoved => !has(new),
        Check::DateShifted | Check::UidChanged => new.is_some_and(|text| !text.is_empty()) && new != old,
        Check::UidConsistent | Check::PatientIdConsistent | Check::PixelsHidden | Check::PixelsRetained => true,
    }
}

/// Whether pairs of (before, after) are a one-to-one map: for UIDs and for patient numbers.
#[must_use]
pub fn consistent<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> bool {
    let pairs: BTreeSet<_> = pairs.into_iter().collect();
    let before: BTreeSet<_> = pairs.iter().map(|(before, _)| before).collect();
    let after: BTreeSet<_> = pairs.iter().map(|(_, after)| after).collect();
    before.len() == pairs.len() && after.len() == pairs.len()
}

/// Whether all pairs of dates (YYYYMMDD) of one patient moved by the same number of days, and not by none.
#[must_use]
pub fn shifted_alike<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> bool {
    let moved: Option<BTreeSet<i32>> = pairs.into_iter().map(|(old, new)| days_between(old, new)).collect();
    moved.is_some_and(|moved| moved.len() == 1 && !moved.contains(&0))
}

fn days_between(old: &str, new: &str) -> Option<i32> {
    let date = |text: &str| {
        let digits = super::values::date_digits(text)?;
        let part = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i16>().ok();
        let (month, day) = (i8::try_from(part(4..6)?).ok()?, i8::try_from(part(6..8)?).ok()?);
        jiff::civil::Date::new(part(0..4)?, month, day).ok()
    };
    date(new)?.since(date(old)?).ok().map(|span| span.get_days())
}

/// A box of pixels that must be hidden, in columns and rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PixelBox {
    /// Left column.
    pub x: usize,
    /// Upper row.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// Whether the pixels inside the boxes are hidden (of one value each), and whether those outside are what they were.
/// `before` and `after` hold `columns` stored values a row.
#[must_use]
pub fn pixels(before: &[u16], after: &[u16], columns: usize, boxes: &[PixelBox]) -> (bool, bool) {
    if columns == 0 || before.len() != after.len() {
        return (false, false);
    }
    let is_inside = |place: usize, one: &PixelBox| {
        let (x, y) = (place % columns, place / columns);
        (one.x..one.x + one.width).contains(&x) && (one.y..one.y + one.height).contains(&y)
    };
    let hidden = boxes.iter().all(|one| {
        let mut inside = (0..after.len())
            .filter(|place| is_inside(*place, one))
            .map(|place| after[place]);
        let first = inside.next();
        inside.all(|value| Some(value) == first)
    });
    let retained = (0..after.len())
        .filter(|place| !boxes.iter().any(|one| is_inside(*place, one)))
        .all(|place| before[place] == after[place]);
    (hidden, retained)
}

/// The stored values of a picture, before and after.
pub struct Stored {
    /// Values in a row.
    pub columns: usize,
    /// Row by row.
    pub values: Vec<u16>,
}

impl Stored {
    /// Decodes the picture of a file; `None` where it does not decode.
    #[must_use]
    pub fn read(file: &[u8]) -> Option<Self> {
        quiet::catch(|| {
            let limits = Limits::default();
            let file = crate::read::DicomFile::parse(file, &limits).ok()?;
            let description = crate::pixels::Description::read(&file, &limits).ok()?;
            let words = crate::pixels::words(&file, file.syntax?, &description).ok()?.words;
            Some(Self {
                columns: usize::try_from(description.columns).ok()?,
                values: words.iter().map(|word| description.stored(*word)).collect(),
            })
        })
        .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(entries: &[(&str, &str)]) -> Texts {
        Texts(
            entries
                .iter()
                .map(|(place, text)| ((*place).to_owned(), (*text).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn paths_of_keywords_are_places() {
        for (path, place) in [
            ("PatientName", "(0010,0010)"),
            ("AnatomicRegionSequence[0].CodeValue", "(0008,2218)[0]/(0008,0100)"),
            ("(0029,1020)[0].PatientID", "(0029,1020)[0]/(0010,0020)"),
        ] {
            assert_eq!(place_of(path).as_deref(), Some(place));
        }
        assert_eq!(place_of("preamble"), None);
    }

    #[test]
    fn each_check_can_fail() {
        let place = "(0010,0010)";
        let before = texts(&[(place, "DOE^JANE")]);
        let cases = [
            (Check::TagRetained, texts(&[(place, "")]), texts(&[])),
            (Check::TextNotNull, texts(&[(place, "x")]), texts(&[(place, "")])),
            (Check::TextRetained, before.clone(), texts(&[(place, "x")])),
            (Check::TextRemoved, texts(&[]), before.clone()),
            (Check::UidChanged, texts(&[(place, "x")]), before.clone()),
            (Check::DateShifted, texts(&[(place, "x")]), before.clone()),
        ];
        for (check, good, bad) in cases {
            let expected = Expectation {
                check,
                place: place.to_owned(),
                text: "DOE".to_owned(),
            };
            assert!(holds(&expected, &before, &good), "{check:?}");
            assert!(!holds(&expected, &before, &bad), "{check:?}");
        }
        assert!(consistent([("1", "a"), ("2", "b"), ("1", "a")]));
        assert!(!consistent([("1", "a"), ("1", "b")]) && !consistent([("1", "a"), ("2", "a")]));
        assert!(shifted_alike([("20140617", "20140601"), ("20140301", "20140213")]));
        assert!(!shifted_alike([("20140617", "20140617")]));
        assert!(!shifted_alike([("20140617", "20140601"), ("20140301", "20140301")]));
        let one = PixelBox {
            x: 1,
            y: 0,
            width: 1,
            height: 2,
        };
        assert_eq!(pixels(&[1, 2, 3, 4], &[1, 0, 3, 0], 2, &[one]), (true, true));
        assert_eq!(pixels(&[1, 2, 3, 4], &[9, 2, 3, 4], 2, &[one]), (false, false));
    }
}
