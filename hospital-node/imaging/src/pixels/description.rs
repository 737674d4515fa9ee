//! What the header says of the pixels (PS3.3 C.7.6.3), checked before any memory is asked for.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use snowball_protocol::intake::IntakeReason;

use crate::{deidentify::acquisition::ModalityTransform, intake::Limits, read::DicomFile};

/// Samples of a pixel at most: colour and one beside it.
const SAMPLES_MAX: u8 = 4;

/// The stored pixels, one frame like another.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Description {
    pub(crate) rows: u32,
    pub(crate) columns: u32,
    pub(crate) frames: u32,
    /// Samples of a pixel: 1 is grey or an index, 3 colour.
    pub(crate) samples: u8,
    /// Native colour that lies plane by plane instead of pixel by pixel.
    pub(crate) planar: bool,
    /// MONOCHROME1 or MONOCHROME2, one sample.
    pub(crate) grey: bool,
    /// 8 or 16 as [`read`](Self::read) and [`read_frames`](Self::read_frames) take them; else 1 and 32 too.
    pub(crate) bits_allocated: u8,
    /// 1 to `bits_allocated`.
    pub(crate) bits_stored: u8,
    /// Place of the lowest stored bit in the container.
    pub(crate) shift: u8,
    pub(crate) signed: bool,
    /// MONOCHROME1: the smallest value is white.
    pub(crate) inverted: bool,
    /// Stored values that are padding, as container words, inclusive.
    pub(crate) padding: Option<(u16, u16)>,
    pub(crate) transform: Transform,
}

/// The modality transform (PS3.3 C.11.1).
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Transform {
    /// Values as they are.
    None,
    /// A straight line that rises or falls.
    Linear { falling: bool },
    /// A table, its first stored value and the depth of its entries.
    Table { first: i32, bits: u8, entries: Vec<u16> },
}

impl Transform {
    pub(crate) const fn kind(&self) -> ModalityTransform {
        match self {
            Self::None => ModalityTransform::None,
            Self::Linear { .. } => ModalityTransform::Linear,
            Self::Table { .. } => ModalityTransform::Table,
        }
    }
}

impl Description {
    /// Reads the header's claims of one grey frame.
    pub(crate) fn read(file: &DicomFile<'_>, limits: &Limits) -> Result<Self, IntakeReason> {
        let description = Self::read_any(file, limits)?;
        if description.frames > 1 {
            return Err(IntakeReason::NotGrey);
        }
        description.of_grey()
    }

    /// Reads the header's claims of grey frames, one or many.
    pub(crate) fn read_frames(file: &DicomFile<'_>, limits: &Limits) -> Result<Self, IntakeReason> {
        Self::read_any(file, limits)?.of_grey()
    }

    fn of_grey(self) -> Result<Self, IntakeReason> {
        match self.bits_allocated {
            _ if !self.grey => Err(IntakeReason::NotGrey),
            8 | 16 => Ok(self),
            _ => Err(IntakeReason::SizeMismatch),
        }
    }

    /// Reads the header's claims of whatever a decoder could be asked for: colour, bits and double words too. What may be
    /// done with it is for others to say.
    pub(crate) fn read_any(file: &DicomFile<'_>, limits: &Limits) -> Result<Self, IntakeReason> {
        if file.dataset.pixels.is_none() {
            return Err(IntakeReason::NoPixels);
        }
        let rows = u32::from(file.word(tags::ROWS).unwrap_or(0));
        let columns = u32::from(file.word(tags::COLUMNS).unwrap_or(0));
        if rows == 0 || columns == 0 {
            return Err(IntakeReason::SizeMismatch);
        }
        let samples = u8::try_from(file.word(tags::SAMPLES_PER_PIXEL).unwrap_or(1)).unwrap_or(0);
        if !(1..=SAMPLES_MAX).contains(&samples) {
            return Err(IntakeReason::NotGrey);
        }
        if u64::from(rows) * u64::from(columns) * u64::from(samples) > limits.pixels_max {
            return Err(IntakeReason::SizeBomb);
        }
        let frames = frames(file);
        if frames > limits.frames_max {
            return Err(IntakeReason::SizeBomb);
        }
        let polarity = polarity(file);
        let bits_allocated = match file.word(tags::BITS_ALLOCATED) {
            Some(bits @ (1 | 8 | 16 | 32)) => bits as u8,
            _ => return Err(IntakeReason::SizeMismatch),
        };
        let stored = file.word(tags::BITS_STORED).unwrap_or(u16::from(bits_allocated));
        let bits_stored = u8::try_from(stored).unwrap_or(0);
        if bits_stored == 0 || bits_stored > bits_allocated {
            return Err(IntakeReason::SizeMismatch);
        }
        // An impossible high bit is met; the standard allows none but the lowest bits any more.
        let high_bit = file.word(tags::HIGH_BIT).and_then(|bit| u8::try_from(bit).ok());
        let shift = match high_bit {
            Some(bit) if bit < bits_allocated && bit + 1 >= bits_stored => bit + 1 - bits_stored,
            _ => 0,
        };
        let signed = file.word(tags::PIXEL_REPRESENTATION) == Some(1);
        let padding = file.word(tags::PIXEL_PADDING_VALUE).map(|value| {
            let limit = file.word(tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(value);
            (value, limit)
        });
        let transform = transform(file, signed);
        Ok(Self {
            rows,
            columns,
            frames,
            samples,
            planar: samples > 1 && file.word(tags::PLANAR_CONFIGURATION) == Some(1),
            grey: samples == 1 && polarity.is_some(),
            bits_allocated,
            bits_stored,
            shift,
            signed,
            inverted: polarity == Some(true),
            padding,
            transform,
        })
    }

    /// Number of pixels.
    pub(crate) const fn pixels(&self) -> usize {
        self.rows as usize * self.columns as usize
    }

    /// Number of samples of a frame, which is what a decoder gives.
    pub(crate) const fn values(&self) -> usize {
        self.pixels() * self.samples as usize
    }

    /// Bytes of a container word; none where pixels are single bits.
    pub(crate) const fn word_bytes(&self) -> usize {
        self.bits_allocated as usize / 8
    }

    /// Bytes of one native frame; of single bits, as many as hold them.
    pub(crate) const fn frame_bytes(&self) -> usize {
        match self.bits_allocated {
            1 => self.values().div_ceil(8),
            _ => self.values() * self.word_bytes(),
        }
    }

    /// The stored value of a container word: masked, shifted down, sign bit as it is.
    pub(crate) const fn stored(&self, word: u16) -> u16 {
        (word >> self.shift) & self.stored_max()
    }

    /// The largest stored word.
    pub(crate) const fn stored_max(&self) -> u16 {
        u16::MAX >> (16 - self.bits_stored)
    }
}

/// How many frames there are, at least one.
fn frames(file: &DicomFile<'_>) -> u32 {
    // "1A" is one frame with an odd tail: digits count, the rest does not.
    let text = file.text(tags::NUMBER_OF_FRAMES).unwrap_or_default();
    let text = text.trim();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    match text[..digits].parse::<u64>() {
        Ok(frames) => u32::try_from(frames).unwrap_or(u32::MAX).max(1),
        // More digits than any number of frames has.
        Err(_) if digits > 0 => u32::MAX,
        Err(_) => 1,
    }
}

/// Whether the smallest value is white; `None` for what is not grey.
fn polarity(file: &DicomFile<'_>) -> Option<bool> {
    match file
        .text(tags::PHOTOMETRIC_INTERPRETATION)
        .unwrap_or_default()
        .to_ascii_uppercase()
        .as_str()
    {
        "MONOCHROME1" => Some(true),
        "MONOCHROME2" => Some(false),
        _ => None,
    }
}

fn transform(file: &DicomFile<'_>, signed: bool) -> Transform {
    if let Some(table) = table(file, signed) {
        return table;
    }
    match (
        rescale(file, tags::RESCALE_SLOPE),
        rescale(file, tags::RESCALE_INTERCEPT),
    ) {
        (None | Some(1.0), None | Some(0.0)) => Transform::None,
        (Some(slope), _) if slope < 0.0 => Transform::Linear { falling: true },
        _ => Transform::Linear { falling: false },
    }
}

/// A number of the straight line: at the top, or else in the functional groups of the first frame.
fn rescale(file: &DicomFile<'_>, tag: Tag) -> Option<f64> {
    let grouped = || {
        let texts = file.item_texts(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, tag);
        let number: f64 = texts.into_iter().next().flatten()?.trim().parse().ok()?;
        number.is_finite().then_some(number)
    };
    file.decimals(tag).first().copied().or_else(grouped)
}

/// The Modality LUT Sequence (0028,3000); a table that contradicts itself is none.
fn table(file: &DicomFile<'_>, signed: bool) -> Option<Transform> {
    let word = |bytes: &[u8], index: usize| {
        let pair = [*bytes.get(2 * index)?, *bytes.get(2 * index + 1)?];
        Some(if file.dataset.is_big() {
            u16::from_be_bytes(pair)
        } else {
            u16::from_le_bytes(pair)
        })
    };
    let descriptor = file.item_bytes(tags::MODALITY_LUT_SEQUENCE, tags::LUT_DESCRIPTOR)?;
    let data = file.item_bytes(tags::MODALITY_LUT_SEQUENCE, tags::LUT_DATA)?;
    let length = match word(descriptor, 0)? {
        0 => 1 << 16,
        length => usize::from(length),
    };
    let first = word(descriptor, 1)?;
    let first = if signed {
        i32::from(first.cast_signed())
    } else {
        i32::from(first)
    };
    let bits = u8::try_from(word(descriptor, 2)?)
        .ok()
        .filter(|bits| (8..=16).contains(bits))?;
    let mask = u16::MAX >> (16 - bits);
    let entries: Vec<u16> = if data.len() >= 2 * length {
        (0..length)
            .filter_map(|index| word(data, index))
            .map(|entry| entry & mask)
            .collect()
    } else if bits == 8 && data.len() >= length {
        data[..length].iter().map(|entry| u16::from(*entry)).collect()
    } else {
        return None;
    };
    Some(Transform::Table { first, bits, entries })
}
