//! Pixels as they may be written: stored bits only, no comments in the stream, nothing behind the last frame.

mod jpeg;
mod jpeg2000;
mod rle;

use snowball_protocol::intake::IntakeReason;

use super::tree::{Element, Value, bytes_of};
use crate::pixels::{self, fragments};
use dicom_dictionary_std::tags;

/// What the header says of the container words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Layout {
    pub(super) bits_allocated: u16,
    pub(super) bits_stored: u16,
    pub(super) high_bit: u16,
    pub(super) signed: bool,
    frames: usize,
    samples: usize,
    pixels: usize,
    subsampled: bool,
}

/// Pixels to write.
#[derive(PartialEq, Debug)]
pub(super) enum Frames {
    /// Little endian container words.
    Native(Vec<u8>),
    /// One fragment a frame.
    Encapsulated(Vec<Vec<u8>>),
}

/// Pixels, and how much was taken out of them.
#[derive(Debug)]
pub(super) struct Cleaned {
    pub(super) frames: Frames,
    /// Bytes of comments and application segments.
    pub(super) comment_bytes: u64,
    /// A compressed stream whose samples are wider than the stored bits: it must be decoded to be trusted.
    pub(super) is_wider: bool,
}

impl Layout {
    /// Reads the header's claims (PS3.3 C.7.6.3), bounded by `pixels_max` in each frame.
    pub(super) fn read(elements: &[Element<'_>], pixels_max: u64) -> Result<Self, IntakeReason> {
        let word = |tag| {
            let element = elements.iter().find(|element| element.tag == tag)?;
            let Value::Bytes(bytes) = element.value else {
                return None;
            };
            let word = *bytes.first_chunk::<2>()?;
            Some(if element.big {
                u16::from_be_bytes(word)
            } else {
                u16::from_le_bytes(word)
            })
        };
        let pixels = u64::from(word(tags::ROWS).unwrap_or(0)) * u64::from(word(tags::COLUMNS).unwrap_or(0));
        if pixels == 0 {
            return Err(IntakeReason::SizeMismatch);
        }
        if pixels > pixels_max {
            return Err(IntakeReason::SizeBomb);
        }
        let text = |tag| String::from_utf8_lossy(bytes_of(elements, tag).unwrap_or_default()).into_owned();
        let digits: String = text(tags::NUMBER_OF_FRAMES)
            .trim_start()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        let bits_allocated = word(tags::BITS_ALLOCATED).unwrap_or(0);
        let bits_stored = word(tags::BITS_STORED).unwrap_or(bits_allocated);
        let high_bit = word(tags::HIGH_BIT).unwrap_or(bits_stored.wrapping_sub(1));
        let sound = matches!(bits_allocated, 1 | 8 | 16) && (1..=bits_allocated).contains(&bits_stored);
        // An impossible high bit is met; the lowest bits are the only ones that the standard still allows.
        let possible = high_bit < bits_allocated && high_bit + 1 >= bits_stored;
        sound
            .then(|| Self {
                bits_allocated,
                bits_stored,
                high_bit: if possible { high_bit } else { bits_stored - 1 },
                signed: word(tags::PIXEL_REPRESENTATION) == Some(1),
                frames: digits.parse().unwrap_or(1).max(1),
                samples: usize::from(word(tags::SAMPLES_PER_PIXEL).unwrap_or(1)),
                pixels: usize::try_from(pixels).unwrap_or(0),
                subsampled: text(tags::PHOTOMETRIC_INTERPRETATION).contains("422"),
            })
            .ok_or(IntakeReason::SizeMismatch)
    }

    /// Bytes of all native frames; `None` if no memory could hold them.
    fn native_bytes(&self) -> Option<usize> {
        let samples = if self.subsampled { 2 } else { self.samples };
        let values = self.pixels.checked_mul(samples)?.checked_mul(self.frames)?;
        Some(match self.bits_allocated {
            1 => values.div_ceil(8),
            bits => values.checked_mul(usize::from(bits) / 8)?,
        })
    }

    /// A container word with its stored bits only; above a signed value stand copies of its sign.
    pub(super) const fn masked(&self, word: u16) -> u16 {
        let lowest = self.high_bit + 1 - self.bits_stored;
        let mask = (u16::MAX >> (16 - self.bits_stored)) << lowest;
        let kept = word & mask;
        if self.signed && lowest == 0 && word >> self.high_bit & 1 == 1 {
            kept | !mask
        } else {
            kept
        }
    }
}

/// Whether pixels of the transfer syntax with this UID are written in it again; those of others are written uncompressed.
pub(super) fn is_kept(syntax: &str) -> bool {
    matches!(
        syntax.strip_prefix("1.2.840.10008.1.2."),
        Some("5" | "4.50" | "4.51" | "4.57" | "4.70" | "4.80" | "4.81" | "4.90" | "4.91" | "4.201" | "4.202" | "4.203")
    )
}

/// The pixels of `element`, cleaned. `syntax` is the UID of the transfer syntax.
pub(super) fn clean(element: &Element<'_>, syntax: &str, layout: &Layout) -> Result<Cleaned, IntakeReason> {
    match &element.value {
        Value::Bytes(bytes) => native(bytes, element.big, layout),
        Value::Fragments(fragments) => encapsulated(fragments, syntax, layout),
        Value::Items(_) => Err(IntakeReason::Malformed),
    }
}

fn native(bytes: &[u8], big: bool, layout: &Layout) -> Result<Cleaned, IntakeReason> {
    let wanted = layout.native_bytes().ok_or(IntakeReason::SizeBomb)?;
    // What lies behind the last frame is not pixels.
    let bytes = bytes.get(..wanted).ok_or(IntakeReason::SizeMismatch)?;
    let mut kept = Vec::with_capacity(wanted + 1);
    match layout.bits_allocated {
        16 => kept.extend(bytes.chunks_exact(2).flat_map(|pair| {
            let word = if big { [pair[1], pair[0]] } else { [pair[0], pair[1]] };
            layout.masked(u16::from_le_bytes(word)).to_le_bytes()
        })),
        8 if layout.bits_stored < 8 => kept.extend(bytes.iter().map(|byte| {
            let [low, _] = layout.masked(u16::from(*byte)).to_le_bytes();
            low
        })),
        _ => kept.extend_from_slice(bytes),
    }
    if kept.len() % 2 == 1 {
        kept.push(0);
    }
    Ok(Cleaned {
        frames: Frames::Native(kept),
        comment_bytes: 0,
        is_wider: false,
    })
}

fn encapsulated(fragments: &[&[u8]], syntax: &str, layout: &Layout) -> Result<Cleaned, IntakeReason> {
    let frames = fragments::frames(fragments, layout.frames).ok_or(IntakeReason::SizeMismatch)?;
    let mut cleaned = Cleaned {
        frames: Frames::Encapsulated(Vec::new()),
        comment_bytes: 0,
        is_wider: false,
    };
    let mut kept = Vec::with_capacity(frames.len());
    for frame in frames {
        let frame = frame.concat();
        let (stream, precision, comment_bytes) = match syntax {
            "1.2.840.10008.1.2.5" => (rle::masked(&frame, layout), layout.bits_stored, 0),
            "1.2.840.10008.1.2.4.50"
            | "1.2.840.10008.1.2.4.51"
            | "1.2.840.10008.1.2.4.57"
            | "1.2.840.10008.1.2.4.70"
            | "1.2.840.10008.1.2.4.80"
            | "1.2.840.10008.1.2.4.81" => {
                let stripped = jpeg::stripped(&frame).ok_or(IntakeReason::DecodeError)?;
                (Some(stripped.stream), stripped.precision, stripped.comment_bytes)
            }
            "1.2.840.10008.1.2.4.90"
            | "1.2.840.10008.1.2.4.91"
            | "1.2.840.10008.1.2.4.201"
            | "1.2.840.10008.1.2.4.202"
            | "1.2.840.10008.1.2.4.203" => {
                // Only a bare code stream is written: whatever else a JP2 file holds goes, as comments do.
                let (code, boxed_bytes) = pixels::jpeg2000::unboxed(frame).ok_or(IntakeReason::DecodeError)?;
                let blanked = jpeg2000::blanked(code).ok_or(IntakeReason::DecodeError)?;
                (
                    Some(blanked.stream),
                    blanked.precision,
                    blanked.comment_bytes + boxed_bytes,
                )
            }
            _ => return Err(IntakeReason::TransferSyntax),
        };
        let mut stream = stream.ok_or(IntakeReason::DecodeError)?;
        if stream.len() % 2 == 1 {
            stream.push(0);
        }
        cleaned.is_wider |= precision > layout.bits_stored;
        cleaned.comment_bytes += comment_bytes;
        kept.push(stream);
    }
    cleaned.frames = Frames::Encapsulated(kept);
    Ok(cleaned)
}

#[cfg(test)]
pub(super) fn layout_for_tests(bits_allocated: u16, bits_stored: u16, pixels: usize) -> Layout {
    Layout {
        bits_allocated,
        bits_stored,
        high_bit: bits_stored - 1,
        signed: false,
        frames: 1,
        samples: 1,
        pixels,
        subsampled: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stored_bits_stay_and_nothing_behind_them() {
        let layout = layout_for_tests(16, 12, 2);
        let cleaned = native(&[0x34, 0xF2, 0xFF, 0x0F, b'J', b'D'], false, &layout).unwrap();
        assert_eq!(cleaned.frames, Frames::Native(vec![0x34, 0x02, 0xFF, 0x0F]));
        assert_eq!(native(&[0; 3], false, &layout).err(), Some(IntakeReason::SizeMismatch));
        let swapped = native(&[0xF2, 0x34, 0x0F, 0xFF], true, &layout).unwrap();
        assert_eq!(swapped.frames, cleaned.frames);
    }

    #[test]
    fn a_signed_word_keeps_its_sign() {
        let layout = Layout {
            signed: true,
            ..layout_for_tests(16, 12, 1)
        };
        assert_eq!(layout.masked(0x5FFF), 0xFFFF);
        assert_eq!(layout.masked(0x57FF), 0x07FF);
    }
}
