//! Where the attributes of one data set lie in its bytes, and how the few that are needed read.

use std::ops::Range;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::charset::Charset;
use crate::deidentify::rules;

/// No attribute that is read holds more; a longer text is cut here before it is decoded.
const TEXT_BYTES_MAX: usize = 1024;
/// Items of a sequence that are read.
const ITEMS_MAX: u32 = 16;

/// Where the pixels lie.
#[derive(Debug)]
pub(crate) enum PixelData {
    /// As they are, in bytes or in 16-bit words.
    Native { value: Range<usize>, words: bool },
    /// Compressed, in fragments.
    Encapsulated(Vec<Range<usize>>),
}

/// An index over the bytes of one data set.
#[derive(Debug)]
pub(crate) struct Dataset {
    big: bool,
    top: Vec<(Tag, Range<usize>)>,
    nested: Vec<(Tag, u32, Tag, Range<usize>)>,
    pub(crate) pixels: Option<PixelData>,
}

impl Dataset {
    pub(super) const fn new(big: bool) -> Self {
        Self {
            big,
            top: Vec::new(),
            nested: Vec::new(),
            pixels: None,
        }
    }

    /// True if values stand in big endian.
    pub(crate) const fn is_big(&self) -> bool {
        self.big
    }

    /// Notes an attribute that a rule asks for, and no other; the first of several under one tag counts.
    pub(super) fn put(&mut self, tag: Tag, value: Range<usize>) {
        if rules::rule(tag).is_some()
            && let Err(place) = self.top.binary_search_by_key(&tag, |(tag, _)| *tag)
        {
            self.top.insert(place, (tag, value));
        }
    }

    pub(super) fn put_nested(&mut self, root: Tag, item: u32, tag: Tag, value: Range<usize>) {
        let known = |entry: &(Tag, u32, Tag, Range<usize>)| (entry.0, entry.1, entry.2) == (root, item, tag);
        if item < ITEMS_MAX && rules::nested_rule(root, tag).is_some() && !self.nested.iter().any(known) {
            self.nested.push((root, item, tag, value));
        }
    }

    pub(super) fn put_pixels(&mut self, pixels: PixelData) {
        self.pixels.get_or_insert(pixels);
    }

    /// True if the attribute is there, blank or not.
    pub(crate) fn holds(&self, tag: Tag) -> bool {
        self.range(tag).is_some()
    }

    fn range(&self, tag: Tag) -> Option<&Range<usize>> {
        let place = self.top.binary_search_by_key(&tag, |(tag, _)| *tag).ok()?;
        self.top.get(place).map(|(_, range)| range)
    }

    pub(super) fn value<'a>(&self, bytes: &'a [u8], tag: Tag) -> Option<&'a [u8]> {
        bytes.get(self.range(tag)?.clone())
    }

    pub(super) fn text(&self, bytes: &[u8], tag: Tag) -> Option<String> {
        self.decoded(bytes, self.value(bytes, tag)?)
    }

    pub(super) fn word(&self, bytes: &[u8], tag: Tag) -> Option<u16> {
        let word = self.value(bytes, tag)?.first_chunk::<2>()?;
        Some(if self.big {
            u16::from_be_bytes(*word)
        } else {
            u16::from_le_bytes(*word)
        })
    }

    pub(super) fn decimals(&self, bytes: &[u8], tag: Tag) -> Vec<f64> {
        let text = self.text(bytes, tag).unwrap_or_default();
        text.split('\\')
            .filter_map(|part| part.trim().parse().ok())
            .filter(|number: &f64| number.is_finite())
            .collect()
    }

    pub(super) fn item_texts(&self, bytes: &[u8], sequence: Tag, tag: Tag) -> Vec<Option<String>> {
        let items = self
            .nested
            .iter()
            .filter(|(root, ..)| *root == sequence)
            .map(|(_, item, ..)| item + 1)
            .max();
        (0..items.unwrap_or(0))
            .map(|item| {
                let mut found = self
                    .nested
                    .iter()
                    .filter(|entry| (entry.0, entry.1, entry.2) == (sequence, item, tag));
                found
                    .next()
                    .and_then(|entry| self.decoded(bytes, bytes.get(entry.3.clone())?))
            })
            .collect()
    }

    pub(super) fn item_value<'a>(&self, bytes: &'a [u8], sequence: Tag, tag: Tag) -> Option<&'a [u8]> {
        let mut found = self
            .nested
            .iter()
            .filter(|entry| (entry.0, entry.1, entry.2) == (sequence, 0, tag));
        bytes.get(found.next()?.3.clone())
    }

    fn decoded(&self, bytes: &[u8], value: &[u8]) -> Option<String> {
        let charset = self
            .value(bytes, tags::SPECIFIC_CHARACTER_SET)
            .map_or(Charset::DEFAULT, Charset::named);
        let text = charset.decode(&value[..value.len().min(TEXT_BYTES_MAX)]);
        let text = text.trim_matches([' ', '\0']);
        (!text.is_empty()).then(|| text.to_owned())
    }
}
