//! A whole data set as a tree over borrowed bytes: every sequence, private ones and those written as UN included. Counted
//! against the same limits as the training path's index, which keeps only what it needs.

use dicom_core::{DataDictionary as _, Tag, VR, dictionary::DataDictionaryEntry as _};
use dicom_dictionary_std::{StandardDataDictionary, tags};

use crate::{
    intake::Limits,
    read::element::{Encoding, dictionary_vr, is_short},
};

const UNDEFINED: u32 = u32::MAX;
const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);

/// One attribute.
#[derive(Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: Tag,
    /// As written; of public attributes written as UN, or without one, the dictionary's.
    pub(crate) vr: VR,
    pub(crate) value: Value<'a>,
    /// Whether its words stand in big endian.
    pub(crate) big: bool,
}

/// What an attribute holds.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    Bytes(&'a [u8]),
    Items(Vec<Vec<Element<'a>>>),
    /// The fragments of encapsulated pixels, without the offset table.
    Fragments(Vec<&'a [u8]>),
}

/// Why there is no tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    Truncated,
    Malformed,
    TooDeep,
}

/// The elements of `data`, in the order in which they stand.
pub(crate) fn parse<'a>(data: &'a [u8], encoding: Encoding, limits: &Limits) -> Result<Vec<Element<'a>>, Fault> {
    let mut reader = Reader {
        bytes: data,
        at: 0,
        depth_max: limits.sequence_depth_max,
        elements_left: limits.elements_max,
    };
    let mut elements = Vec::new();
    let mut has_pixels = false;
    while reader.at < data.len() {
        match reader.element(data.len(), encoding, 0) {
            Ok(element) => {
                has_pixels |= element.tag == tags::PIXEL_DATA;
                elements.push(element);
            }
            // After complete pixels nothing is needed any more: what follows is padding, and it is not written.
            Err(Fault::Truncated | Fault::Malformed) if has_pixels => break,
            Err(fault) => return Err(fault),
        }
    }
    Ok(elements)
}

struct Head {
    tag: Tag,
    vr: VR,
    length: u32,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth_max: u32,
    elements_left: u32,
}

impl<'a> Reader<'a> {
    fn element(&mut self, end: usize, encoding: Encoding, depth: u32) -> Result<Element<'a>, Fault> {
        let head = self.head(end, encoding)?;
        if head.tag.group() == 0xFFFE {
            return Err(Fault::Malformed);
        }
        let value = self.value(&head, end, encoding, depth)?;
        let vr = match (&value, head.vr) {
            (Value::Items(_), _) => VR::SQ,
            (_, VR::UN) => dictionary_vr(head.tag),
            (_, vr) => vr,
        };
        // CP-246: what is written as UN stands in implicit VR little endian.
        let big = encoding.big && head.vr != VR::UN;
        Ok(Element {
            tag: head.tag,
            vr,
            value,
            big,
        })
    }

    fn head(&mut self, end: usize, encoding: Encoding) -> Result<Head, Fault> {
        self.elements_left = self.elements_left.checked_sub(1).ok_or(Fault::Malformed)?;
        let big = encoding.big;
        let tag = Tag(self.u16(self.at, end, big)?, self.u16(self.at + 2, end, big)?);
        let delimiter = tag.group() == 0xFFFE;
        if delimiter || !encoding.explicit {
            let length = self.u32(self.at + 4, end, big)?;
            self.at += 8;
            let vr = if delimiter { VR::UN } else { dictionary_vr(tag) };
            return Ok(Head { tag, vr, length });
        }
        let code = self.bytes.get(self.at + 4..self.at + 6).ok_or(Fault::Truncated)?;
        let vr = VR::from_binary([code[0], code[1]]);
        if vr.is_none() && !code.iter().all(u8::is_ascii_graphic) && code != [0, 0] {
            return Err(Fault::Malformed);
        }
        let vr = vr.unwrap_or(VR::UN);
        let length = if is_short(vr) {
            let length = u32::from(self.u16(self.at + 6, end, big)?);
            self.at += 8;
            length
        } else {
            let length = self.u32(self.at + 8, end, big)?;
            self.at += 12;
            length
        };
        Ok(Head { tag, vr, length })
    }

    fn value(&mut self, head: &Head, end: usize, encoding: Encoding, depth: u32) -> Result<Value<'a>, Fault> {
        let inner = if head.vr == VR::SQ {
            encoding
        } else {
            Encoding::IMPLICIT
        };
        if head.length == UNDEFINED {
            return if head.tag == tags::PIXEL_DATA && depth == 0 {
                self.fragments(end, encoding).map(Value::Fragments)
            } else if matches!(head.vr, VR::OB | VR::OW) {
                // Pixels inside a sequence (an icon): never kept, so only passed over.
                self.fragments(end, encoding).map(|_| Value::Bytes(&[]))
            } else {
                self.items(end, true, inner, depth + 1).map(Value::Items)
            };
        }
        let start = self.at;
        let stop = start
            .checked_add(head.length as usize)
            .filter(|stop| *stop <= end)
            .ok_or(Fault::Truncated)?;
        let bytes = self.bytes.get(start..stop).ok_or(Fault::Truncated)?;
        let is_unknown = head.vr == VR::UN;
        let looks_nested = is_unknown && bytes.len() >= 8 && bytes.starts_with(&[0xFE, 0xFF, 0x00, 0xE0]);
        let mut value = Value::Bytes(bytes);
        if head.vr == VR::SQ || looks_nested || (is_unknown && dictionary_vr(head.tag) == VR::SQ) {
            match self.items(stop, false, inner, depth + 1) {
                Ok(items) => value = Value::Items(items),
                Err(Fault::TooDeep) => return Err(Fault::TooDeep),
                // Its extent is known; what does not parse stays opaque, and opaque sequences are not kept.
                Err(_) => {}
            }
        }
        self.at = stop;
        Ok(value)
    }

    fn items(
        &mut self,
        end: usize,
        delimited: bool,
        encoding: Encoding,
        depth: u32,
    ) -> Result<Vec<Vec<Element<'a>>>, Fault> {
        if depth > self.depth_max {
            return Err(Fault::TooDeep);
        }
        let mut items = Vec::new();
        while self.at < end {
            let head = self.head(end, encoding)?;
            match head.tag {
                SEQUENCE_END if delimited => return Ok(items),
                ITEM => items.push(self.item(&head, end, encoding, depth)?),
                _ => return Err(Fault::Malformed),
            }
        }
        if delimited { Err(Fault::Truncated) } else { Ok(items) }
    }

    fn item(&mut self, head: &Head, end: usize, encoding: Encoding, depth: u32) -> Result<Vec<Element<'a>>, Fault> {
        let delimited = head.length == UNDEFINED;
        let stop = if delimited {
            end
        } else {
            let stop = self.at.checked_add(head.length as usize);
            stop.filter(|stop| *stop <= end).ok_or(Fault::Truncated)?
        };
        let mut elements = Vec::new();
        while self.at < stop {
            if delimited
                && Tag(
                    self.u16(self.at, end, encoding.big)?,
                    self.u16(self.at + 2, end, encoding.big)?,
                ) == ITEM_END
            {
                self.at = (self.at + 8).min(end);
                return Ok(elements);
            }
            elements.push(self.element(stop, encoding, depth)?);
        }
        if delimited { Err(Fault::Truncated) } else { Ok(elements) }
    }

    fn fragments(&mut self, end: usize, encoding: Encoding) -> Result<Vec<&'a [u8]>, Fault> {
        let mut fragments = Vec::new();
        let mut table_passed = false;
        loop {
            let head = self.head(end, encoding)?;
            match head.tag {
                SEQUENCE_END => return Ok(fragments),
                ITEM if head.length != UNDEFINED => {
                    let stop = self.at.checked_add(head.length as usize).filter(|stop| *stop <= end);
                    let stop = stop.ok_or(Fault::Truncated)?;
                    if table_passed {
                        fragments.push(self.bytes.get(self.at..stop).ok_or(Fault::Truncated)?);
                    }
                    table_passed = true;
                    self.at = stop;
                }
                _ => return Err(Fault::Malformed),
            }
        }
    }

    fn u16(&self, at: usize, end: usize, big: bool) -> Result<u16, Fault> {
        let bytes: [u8; 2] = self.fixed(at, end)?;
        Ok(if big {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    }

    fn u32(&self, at: usize, end: usize, big: bool) -> Result<u32, Fault> {
        let bytes: [u8; 4] = self.fixed(at, end)?;
        Ok(if big {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    }

    fn fixed<const N: usize>(&self, at: usize, end: usize) -> Result<[u8; N], Fault> {
        let bytes = self.bytes.get(at..at + N).filter(|_| at + N <= end);
        bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(Fault::Truncated)
    }
}

/// The value representation that PS3.6 gives `tag`, where it gives one; US stands for `US or SS`.
pub(crate) fn standard_vr(tag: Tag) -> Option<VR> {
    tag.group()
        .is_multiple_of(2)
        .then(|| StandardDataDictionary.by_tag(tag).map(|entry| entry.vr().relaxed()))
        .flatten()
}

/// The bytes of the first `tag` in `elements`.
pub(crate) fn bytes_of<'a>(elements: &[Element<'a>], tag: Tag) -> Option<&'a [u8]> {
    elements
        .iter()
        .find(|element| element.tag == tag)
        .and_then(|element| match element.value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        })
}
