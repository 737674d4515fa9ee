//! From stored pixels to one grey picture in full depth.
//!
//! `Description` says what the header claims, checked before anything is allocated; [`words`] decodes the container
//! words, whatever the transfer syntax; [`grey::render`] turns them into values. The search for text in the picture
//! comes after `render`, on the picture that will be kept (see [`crate::Intake`]).

mod deflated;
mod description;
pub(crate) mod fragments;
mod grey;
mod jpeg;
pub(crate) mod jpeg2000;
mod jpeg_ls;
mod jpeg_xl;
mod native;
pub(crate) mod page;
mod registry;
mod rle;

use snowball_protocol::intake::IntakeReason;

use crate::read::{DicomFile, PixelData, syntax::TransferSyntax};
pub(crate) use description::{Description, Transform};
pub(crate) use grey::{Grey, padding_range, render, signed_value};

/// Container words as a decoder gave them, one a pixel, nothing masked.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) words: Vec<u16>,
    /// Bytes of comments and application segments in a compressed stream.
    pub(crate) comment_bytes: u64,
    /// Lossy coding in more bits than are stored: a value beyond the largest stored one is an overshoot at an edge, not
    /// a bit that hides something.
    pub(crate) overshoots: bool,
    /// The stream was coded with loss, as far as it says so itself.
    pub(crate) lossy: bool,
}

impl Words {
    /// Brings overshoots back to the largest stored value: a white edge would lose its highest bit and turn black.
    fn settle(&mut self, description: &Description) {
        if self.overshoots && description.shift == 0 && !description.signed {
            let max = description.stored_max();
            self.words.iter_mut().for_each(|word| *word = (*word).min(max));
        }
    }

    /// Words that hold these stored values and nothing else.
    pub(crate) fn of_stored(stored: &[u16], description: &Description) -> Self {
        Self {
            words: stored.iter().map(|value| value << description.shift).collect(),
            comment_bytes: 0,
            overshoots: false,
            lossy: false,
        }
    }

    /// The stored values, of up to 16 bits, without sign.
    pub(crate) fn stored(mut self, description: &Description) -> Vec<u16> {
        self.settle(description);
        self.words.iter_mut().for_each(|word| *word = description.stored(*word));
        self.words
    }
}

/// Decodes the only frame of `file`, or the first of several. Where only one is declared, pixels enough for another are a
/// contradiction.
pub(crate) fn words(
    file: &DicomFile<'_>,
    syntax: TransferSyntax,
    description: &Description,
) -> Result<Words, IntakeReason> {
    match &file.dataset.pixels {
        Some(PixelData::Native { value, .. })
            if description.frames == 1 && value.len() > native::bytes_max(description) =>
        {
            Err(IntakeReason::SizeMismatch)
        }
        _ => words_of(file, syntax, description, 0),
    }
}

/// Decodes frame number `number` of `file`, from 0, whatever lies behind it.
pub(crate) fn words_of(
    file: &DicomFile<'_>,
    syntax: TransferSyntax,
    description: &Description,
    number: usize,
) -> Result<Words, IntakeReason> {
    let pixels = file.dataset.pixels.as_ref().ok_or(IntakeReason::NoPixels)?;
    match (pixels, syntax) {
        (
            PixelData::Native { value, words },
            TransferSyntax::ImplicitLittle
            | TransferSyntax::ExplicitLittle
            | TransferSyntax::ExplicitBig
            | TransferSyntax::Deflated,
        ) => native::decode_at(file.slice(value), number, *words, file.dataset.is_big(), description),
        (PixelData::Encapsulated(fragments), _) => {
            let slices: Vec<&[u8]> = fragments.iter().map(|fragment| file.slice(fragment)).collect();
            let frames = fragments::frames(&slices, description.frames as usize).ok_or(IntakeReason::SizeMismatch)?;
            let stream = frames.get(number).ok_or(IntakeReason::SizeMismatch)?.concat();
            frame(stream, syntax, description)
        }
        // Compressed by name, native by form: no decoder is to guess.
        (PixelData::Native { .. }, _) => Err(IntakeReason::DecodeError),
    }
}

/// Decodes one compressed frame.
pub(crate) fn frame(stream: Vec<u8>, syntax: TransferSyntax, description: &Description) -> Result<Words, IntakeReason> {
    let words = decoded(stream, syntax, description)?;
    // Some decoders know of one component only.
    if words.words.len() == description.values() * description.word_bytes().div_ceil(2).max(1) {
        Ok(words)
    } else {
        Err(IntakeReason::SizeMismatch)
    }
}

fn decoded(stream: Vec<u8>, syntax: TransferSyntax, description: &Description) -> Result<Words, IntakeReason> {
    match syntax {
        TransferSyntax::Rle => rle::decode(&stream, description),
        TransferSyntax::DeflatedFrame => deflated::decode(&stream, description),
        TransferSyntax::JpegBaseline
        | TransferSyntax::JpegExtended
        | TransferSyntax::JpegSpectralSelection
        | TransferSyntax::JpegProgressive
        | TransferSyntax::JpegLossless
        | TransferSyntax::JpegLosslessFirstOrder => jpeg::decode(&stream, description),
        TransferSyntax::JpegLsLossless | TransferSyntax::JpegLsNearLossless => jpeg_ls::decode(&stream, description),
        TransferSyntax::Jpeg2000Lossless
        | TransferSyntax::Jpeg2000
        | TransferSyntax::HighThroughputLossless
        | TransferSyntax::HighThroughputLosslessByResolution
        | TransferSyntax::HighThroughput => jpeg2000::decode(stream, syntax, description),
        TransferSyntax::JpegXlLossless | TransferSyntax::JpegXlRecompressed | TransferSyntax::JpegXl => {
            jpeg_xl::decode(&stream, syntax, description)
        }
        TransferSyntax::ImplicitLittle
        | TransferSyntax::ExplicitLittle
        | TransferSyntax::ExplicitBig
        | TransferSyntax::Deflated => Err(IntakeReason::DecodeError),
    }
}

/// The first compressed frame of `file`, undecoded.
#[cfg(feature = "fuzzing")]
pub(crate) fn stream(file: &DicomFile<'_>) -> Option<Vec<u8>> {
    match file.dataset.pixels.as_ref()? {
        PixelData::Native { .. } => None,
        PixelData::Encapsulated(fragments) => {
            let slices: Vec<&[u8]> = fragments.iter().map(|fragment| file.slice(fragment)).collect();
            Some(slices.concat())
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Description, Transform};

    /// An unsigned picture without any transform.
    pub(crate) fn grey(rows: u32, columns: u32, bits_allocated: u8, bits_stored: u8) -> Description {
        Description {
            rows,
            columns,
            frames: 1,
            samples: 1,
            planar: false,
            grey: true,
            bits_allocated,
            bits_stored,
            shift: 0,
            signed: false,
            inverted: false,
            padding: None,
            transform: Transform::None,
        }
    }
}
