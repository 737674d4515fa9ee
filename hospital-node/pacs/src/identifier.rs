//! Identifiers of queries: small flat data sets in implicit VR little endian (PS3.4 annex C, PS3.5 annex A.1).

use std::collections::BTreeMap;

use crate::PacsError;

/// A tag as (group, element).
pub(crate) type Tag = (u16, u16);

pub(crate) const INSTANCE: Tag = (0x0008, 0x0018);
pub(crate) const STUDY_DATE: Tag = (0x0008, 0x0020);
pub(crate) const QUERY_LEVEL: Tag = (0x0008, 0x0052);
pub(crate) const FAILED_INSTANCES: Tag = (0x0008, 0x0058);
pub(crate) const MODALITY: Tag = (0x0008, 0x0060);
pub(crate) const MODALITIES_IN_STUDY: Tag = (0x0008, 0x0061);
pub(crate) const STUDY: Tag = (0x0020, 0x000d);
pub(crate) const SERIES: Tag = (0x0020, 0x000e);
pub(crate) const INSTANCES_IN_SERIES: Tag = (0x0020, 0x1209);

const ITEM: Tag = (0xfffe, 0xe000);
const ITEM_END: Tag = (0xfffe, 0xe00d);
const SEQUENCE_END: Tag = (0xfffe, 0xe0dd);
const UNDEFINED: u32 = u32::MAX;
const DEPTH_MAX: u32 = 8;
/// Values of more bytes are no use in a query's answer; but the list of what failed is as long as it is.
const VALUE_BYTES_MAX: usize = 1024;

/// Attributes with text, by tag.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Identifier(BTreeMap<Tag, String>);

impl Identifier {
    /// Adds one attribute; an empty text asks for it.
    pub fn with(mut self, tag: Tag, text: &str) -> Self {
        self.0.insert(tag, text.to_owned());
        self
    }

    /// The text of an attribute, `None` if absent or blank.
    pub fn text(&self, tag: Tag) -> Option<&str> {
        self.0.get(&tag).map(String::as_str).filter(|text| !text.is_empty())
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (tag, text) in &self.0 {
            let mut value = text.as_bytes().to_vec();
            if value.len() % 2 == 1 {
                let is_uid = matches!(*tag, STUDY | SERIES | INSTANCE);
                value.push(if is_uid { 0 } else { b' ' });
            }
            bytes.extend(tag.0.to_le_bytes());
            bytes.extend(tag.1.to_le_bytes());
            bytes.extend((value.len() as u32).to_le_bytes());
            bytes.extend(value);
        }
        bytes
    }

    /// Reads the top level of an answer. Sequences are passed over, long values too.
    pub fn decode(bytes: &[u8]) -> Result<Self, PacsError> {
        let mut attributes = BTreeMap::new();
        let mut walk = Walk { bytes };
        while !walk.bytes.is_empty() {
            let (tag, length) = walk.header()?;
            if length == UNDEFINED {
                walk.skip_items(0)?;
                continue;
            }
            let value = walk.take(length)?;
            if (value.len() <= VALUE_BYTES_MAX || tag == FAILED_INSTANCES)
                && let Ok(text) = std::str::from_utf8(value)
            {
                attributes.insert(tag, text.trim_matches([' ', '\0']).to_owned());
            }
        }
        Ok(Self(attributes))
    }
}

struct Walk<'a> {
    bytes: &'a [u8],
}

impl<'a> Walk<'a> {
    fn header(&mut self) -> Result<(Tag, u32), PacsError> {
        let head = self.take(8)?;
        let word = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        Ok((
            (word(0), word(2)),
            u32::from_le_bytes([head[4], head[5], head[6], head[7]]),
        ))
    }

    fn take(&mut self, length: u32) -> Result<&'a [u8], PacsError> {
        let (value, rest) = (self.bytes.split_at_checked(length as usize)).ok_or(PacsError::Message {
            what: "its identifier does not parse",
        })?;
        self.bytes = rest;
        Ok(value)
    }

    /// Passes over a sequence of undefined length, its delimiter included.
    fn skip_items(&mut self, depth: u32) -> Result<(), PacsError> {
        if depth >= DEPTH_MAX {
            return Err(PacsError::Message {
                what: "its identifier is nested too deeply",
            });
        }
        loop {
            match self.header()? {
                (SEQUENCE_END, _) => return Ok(()),
                (ITEM, UNDEFINED) => self.skip_item(depth + 1)?,
                (_, UNDEFINED) => self.skip_items(depth + 1)?,
                (_, length) => drop(self.take(length)?),
            }
        }
    }

    fn skip_item(&mut self, depth: u32) -> Result<(), PacsError> {
        loop {
            match self.header()? {
                (ITEM_END, _) => return Ok(()),
                (_, UNDEFINED) => self.skip_items(depth)?,
                (_, length) => drop(self.take(length)?),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_identifier_comes_back() {
        let identifier = Identifier::default()
            .with(QUERY_LEVEL, "SERIES")
            .with(STUDY, "1.2.3")
            .with(MODALITY, "");
        let read = Identifier::decode(&identifier.encode()).unwrap();
        assert_eq!(read, identifier);
        assert_eq!(read.text(MODALITY), None);
        assert_eq!(read.text(STUDY), Some("1.2.3"));
    }

    #[test]
    fn sequences_are_passed_over() {
        let mut bytes = Vec::new();
        for word in [0x0008u16, 0x1110, 0xffff, 0xffff] {
            bytes.extend(word.to_le_bytes());
        }
        for word in [0xfffeu16, 0xe000, 0xffff, 0xffff, 0x0008, 0x1150, 0, 0] {
            bytes.extend(word.to_le_bytes());
        }
        for word in [0xfffeu16, 0xe00d, 0, 0, 0xfffe, 0xe0dd, 0, 0] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(Identifier::default().with(STUDY, "1.2").encode());
        assert_eq!(Identifier::decode(&bytes).unwrap().text(STUDY), Some("1.2"));
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Identifier::decode(&bytes);
        }
    }
}
