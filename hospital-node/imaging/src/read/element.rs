//! Walks the elements of a data set (PS3.5 section 7) over borrowed bytes: nothing is allocated by what a length claims,
//! and every level, element and fragment is counted against a limit.

use std::ops::Range;

use dicom_core::{DataDictionary as _, Tag, VR, dictionary::DataDictionaryEntry as _};
use dicom_dictionary_std::{StandardDataDictionary, tags};

use super::{
    dataset::{Dataset, PixelData},
    syntax::TransferSyntax,
};
use crate::{
    deidentify::{evidence::Tally, rules},
    intake::Limits,
};

const UNDEFINED: u32 = u32::MAX;
const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);
/// What lies above the pixels is trailing: padding and signatures.
const AFTER_PIXELS: u16 = 0x7FE0;

/// Why a walk stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// A value goes past the end.
    Truncated,
    /// Not a sequence of elements.
    Malformed,
    /// Nested deeper than the limit.
    TooDeep,
}

/// How element headers are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Encoding {
    pub(crate) explicit: bool,
    pub(crate) big: bool,
}

impl Encoding {
    pub(crate) const IMPLICIT: Self = Self {
        explicit: false,
        big: false,
    };

    /// The encoding of a syntax, corrected by the first element: files that declare one and hold the other are met.
    pub(crate) fn of(syntax: Option<TransferSyntax>, data: &[u8]) -> Self {
        let big = syntax == Some(TransferSyntax::ExplicitBig);
        let declared = syntax != Some(TransferSyntax::ImplicitLittle);
        let explicit = match data.get(4..6) {
            Some(vr) if !big => match (declared, VR::from_binary([vr[0], vr[1]])) {
                (false, Some(_)) => true,
                (true, None) if !vr.iter().all(u8::is_ascii_uppercase) => false,
                _ => declared,
            },
            _ => declared,
        };
        Self { explicit, big }
    }
}

/// One element's header.
struct Head {
    tag: Tag,
    vr: VR,
    length: u32,
}

/// A walk over one data set.
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    depth_max: u32,
    elements_left: u32,
    tally: &'a mut Tally,
}

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a [u8], limits: &Limits, tally: &'a mut Tally) -> Self {
        Self {
            bytes,
            depth_max: limits.sequence_depth_max,
            elements_left: limits.elements_max,
            tally,
        }
    }

    /// Walks the top level and notes in `dataset` where its attributes lie.
    pub(super) fn data_set(mut self, encoding: Encoding, dataset: &mut Dataset) -> Result<(), Fault> {
        let mut at = 0;
        while at < self.bytes.len() {
            let trailing = dataset.pixels.is_some();
            let start = at;
            match self.top(&mut at, encoding, dataset) {
                Ok(()) => {}
                // After complete pixels nothing is needed any more: what follows is trailing padding, of whatever kind.
                Err(Fault::Truncated | Fault::Malformed) if trailing => {
                    self.tally.trailing_bytes += (self.bytes.len() - start) as u64;
                    return Ok(());
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    fn top(&mut self, at: &mut usize, encoding: Encoding, dataset: &mut Dataset) -> Result<(), Fault> {
        let end = self.bytes.len();
        let head = self.head(at, end, encoding)?;
        self.tally.attribute(head.tag, None, 0);
        if head.tag == tags::PIXEL_DATA && head.length == UNDEFINED {
            let fragments = self.fragments(at, end, encoding)?;
            dataset.put_pixels(PixelData::Encapsulated(fragments));
            return Ok(());
        }
        let value = self.value(&head, at, end, encoding, 0, Some(head.tag), dataset)?;
        if head.tag == tags::PIXEL_DATA {
            dataset.put_pixels(PixelData::Native {
                value,
                words: head.vr == VR::OW,
            });
        } else {
            if head.tag.group() > AFTER_PIXELS {
                self.tally.trailing_bytes += value.len() as u64;
            }
            dataset.put(head.tag, value);
        }
        Ok(())
    }

    /// Reads one header at `at`, which must leave room for it before `end`.
    fn head(&mut self, at: &mut usize, end: usize, encoding: Encoding) -> Result<Head, Fault> {
        self.elements_left = self.elements_left.checked_sub(1).ok_or(Fault::Malformed)?;
        let big = encoding.big;
        let tag = Tag(self.u16(*at, end, big)?, self.u16(*at + 2, end, big)?);
        if tag.group() == 0xFFFE || !encoding.explicit {
            let length = self.u32(*at + 4, end, big)?;
            *at += 8;
            let vr = if tag.group() == 0xFFFE {
                VR::UN
            } else {
                dictionary_vr(tag)
            };
            return Ok(Head { tag, vr, length });
        }
        let code = self
            .bytes
            .get(*at + 4..(*at + 6).min(end))
            .filter(|code| code.len() == 2)
            .ok_or(Fault::Truncated)?;
        let vr = VR::from_binary([code[0], code[1]]);
        if vr.is_none() && !code.iter().all(u8::is_ascii_graphic) && code != [0, 0] {
            return Err(Fault::Malformed);
        }
        let vr = vr.unwrap_or(VR::UN);
        let length = if is_short(vr) {
            let length = u32::from(self.u16(*at + 6, end, big)?);
            *at += 8;
            length
        } else {
            let length = self.u32(*at + 8, end, big)?;
            *at += 12;
            length
        };
        Ok(Head { tag, vr, length })
    }

    /// Passes over the value of `head`, walking into sequences, and says where it lay.
    #[allow(clippy::too_many_arguments)]
    fn value(
        &mut self,
        head: &Head,
        at: &mut usize,
        end: usize,
        encoding: Encoding,
        depth: u32,
        root: Option<Tag>,
        dataset: &mut Dataset,
    ) -> Result<Range<usize>, Fault> {
        let start = *at;
        if head.length == UNDEFINED {
            if head.tag == tags::PIXEL_DATA {
                self.fragments(at, end, encoding)?;
            } else {
                // CP-246: an unknown value of undefined length is a sequence in implicit VR little endian.
                let inner = if head.vr == VR::SQ {
                    encoding
                } else {
                    Encoding::IMPLICIT
                };
                self.items(at, end, true, inner, depth + 1, root, dataset)?;
            }
            return Ok(start..*at);
        }
        let stop = start
            .checked_add(head.length as usize)
            .filter(|stop| *stop <= end)
            .ok_or(Fault::Truncated)?;
        let looks_nested = head.vr == VR::UN && self.bytes.get(start..start + 4) == Some(&[0xFE, 0xFF, 0x00, 0xE0]);
        if head.vr == VR::SQ || (looks_nested && stop - start >= 8) {
            let inner = if head.vr == VR::SQ {
                encoding
            } else {
                Encoding::IMPLICIT
            };
            let mut inside = start;
            match self.items(&mut inside, stop, false, inner, depth + 1, root, dataset) {
                Err(Fault::TooDeep) => return Err(Fault::TooDeep),
                // Its extent is known, and nothing needed lies in a sequence that does not parse: it is removed whole.
                Err(Fault::Malformed | Fault::Truncated) => self.tally.opaque_sequences += 1,
                Ok(()) => {}
            }
        }
        *at = stop;
        Ok(start..stop)
    }

    #[allow(clippy::too_many_arguments)]
    fn items(
        &mut self,
        at: &mut usize,
        end: usize,
        delimited: bool,
        encoding: Encoding,
        depth: u32,
        root: Option<Tag>,
        dataset: &mut Dataset,
    ) -> Result<(), Fault> {
        if depth > self.depth_max {
            return Err(Fault::TooDeep);
        }
        self.tally.sequences += 1;
        let mut item = 0;
        while *at < end {
            let head = self.head(at, end, encoding)?;
            match head.tag {
                SEQUENCE_END if delimited => return Ok(()),
                ITEM => {
                    let undefined = head.length == UNDEFINED;
                    let stop = if undefined {
                        end
                    } else {
                        at.checked_add(head.length as usize)
                            .filter(|stop| *stop <= end)
                            .ok_or(Fault::Truncated)?
                    };
                    self.item(
                        at,
                        stop,
                        undefined,
                        encoding,
                        depth,
                        root.map(|root| (root, item)),
                        dataset,
                    )?;
                    item += 1;
                }
                _ => return Err(Fault::Malformed),
            }
        }
        if delimited { Err(Fault::Truncated) } else { Ok(()) }
    }

    #[allow(clippy::too_many_arguments)]
    fn item(
        &mut self,
        at: &mut usize,
        end: usize,
        delimited: bool,
        encoding: Encoding,
        depth: u32,
        root: Option<(Tag, u32)>,
        dataset: &mut Dataset,
    ) -> Result<(), Fault> {
        while *at < end {
            let head = self.head(at, end, encoding)?;
            if head.tag == ITEM_END && delimited {
                return Ok(());
            }
            if head.tag.group() == 0xFFFE {
                return Err(Fault::Malformed);
            }
            self.tally.attribute(head.tag, root.map(|(root, _)| root), depth);
            let within = root.and_then(|outer| rules::within(outer, head.tag));
            let value = self.value(&head, at, end, encoding, depth, within, dataset)?;
            if let Some((root, item)) = root {
                dataset.put_nested(root, item, head.tag, value);
            }
        }
        if delimited { Err(Fault::Truncated) } else { Ok(()) }
    }

    /// The fragments of encapsulated pixels without the offset table (PS3.5 annex A.4).
    fn fragments(&mut self, at: &mut usize, end: usize, encoding: Encoding) -> Result<Vec<Range<usize>>, Fault> {
        let mut fragments = Vec::new();
        let mut table_passed = false;
        loop {
            let head = self.head(at, end, encoding)?;
            match head.tag {
                SEQUENCE_END => return Ok(fragments),
                ITEM if head.length != UNDEFINED => {
                    let stop = at.checked_add(head.length as usize).filter(|stop| *stop <= end);
                    let stop = stop.ok_or(Fault::Truncated)?;
                    if table_passed {
                        fragments.push(*at..stop);
                    }
                    table_passed = true;
                    *at = stop;
                }
                _ => return Err(Fault::Malformed),
            }
        }
    }

    fn u16(&self, at: usize, end: usize, big: bool) -> Result<u16, Fault> {
        let bytes = self
            .bytes
            .get(at..at + 2)
            .filter(|_| at + 2 <= end)
            .ok_or(Fault::Truncated)?;
        let bytes = [bytes[0], bytes[1]];
        Ok(if big {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    }

    fn u32(&self, at: usize, end: usize, big: bool) -> Result<u32, Fault> {
        let bytes = self
            .bytes
            .get(at..at + 4)
            .filter(|_| at + 4 <= end)
            .ok_or(Fault::Truncated)?;
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        Ok(if big {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    }
}

pub(crate) fn dictionary_vr(tag: Tag) -> VR {
    if tag.group() % 2 == 1 {
        return VR::UN;
    }
    StandardDataDictionary
        .by_tag(tag)
        .map_or(VR::UN, |entry| entry.vr().relaxed())
}

/// PS3.5 section 7.1.2: whose length takes 16 bits in explicit VR.
pub(crate) const fn is_short(vr: VR) -> bool {
    !matches!(
        vr,
        VR::OB
            | VR::OD
            | VR::OF
            | VR::OL
            | VR::OV
            | VR::OW
            | VR::SQ
            | VR::SV
            | VR::UC
            | VR::UN
            | VR::UR
            | VR::UT
            | VR::UV
    )
}
