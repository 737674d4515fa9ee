//! From stored pixels to one grey picture in full depth.
//!
//! `Description` says what the header claims, checked before anything is allocated; [`words`] decodes the container
//! words, whatever the transfer syntax; [`grey::render`] turns them into values. The search for text in the picture
//! comes after `render`, on the picture that will be kept (see [`crate::Intake`]).

mod deflated;
mod description;
mod grey;
mod jpeg;
mod jpeg2000;
mod jpeg_ls;
mod jpeg_xl;
mod native;
pub(crate) mod page;
mod registry;
mod rle;

use snowball_protocol::intake::IntakeReason;

use crate::read::{DicomFile, PixelData, syntax::TransferSyntax};
pub(crate) use description::{Description, Transform};
pub(crate) use grey::{Grey, render};

/// Container words as a decoder gave them, one a pixel, nothing masked.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) words: Vec<u16>,
    /// Bytes of comments and application segments in a compressed stream.
    pub(crate) comment_bytes: u64,
    /// Lossy coding in more bits than are stored: a value beyond the largest stored one is an overshoot at an edge, not
    /// a bit that hides something.
    pub(crate) overshoots: bool,
}

/// Decodes the pixels of `file`.
pub(crate) fn words(
    file: &DicomFile<'_>,
    syntax: TransferSyntax,
    description: &Description,
) -> Result<Words, IntakeReason> {
    let pixels = file.dataset.pixels.as_ref().ok_or(IntakeReason::NoPixels)?;
    match (pixels, syntax) {
        (
            PixelData::Native { value, words },
            TransferSyntax::ImplicitLittle
            | TransferSyntax::ExplicitLittle
            | TransferSyntax::ExplicitBig
            | TransferSyntax::Deflated,
        ) => native::decode(file.slice(value), *words, file.dataset.is_big(), description),
        (PixelData::Encapsulated(fragments), _) => frame(joined(file, fragments), syntax, description),
        // Compressed by name, native by form: no decoder is to guess.
        (PixelData::Native { .. }, _) => Err(IntakeReason::DecodeError),
    }
}

/// Decodes one compressed frame.
pub(crate) fn frame(stream: Vec<u8>, syntax: TransferSyntax, description: &Description) -> Result<Words, IntakeReason> {
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
        TransferSyntax::JpegXlLossless => jpeg_xl::decode(&stream, description),
        TransferSyntax::ImplicitLittle
        | TransferSyntax::ExplicitLittle
        | TransferSyntax::ExplicitBig
        | TransferSyntax::Deflated => Err(IntakeReason::DecodeError),
    }
}

/// The compressed frame of `file`, undecoded.
#[cfg(feature = "fuzzing")]
pub(crate) fn stream(file: &DicomFile<'_>) -> Option<Vec<u8>> {
    match file.dataset.pixels.as_ref()? {
        PixelData::Native { .. } => None,
        PixelData::Encapsulated(fragments) => Some(joined(file, fragments)),
    }
}

/// The one frame that a file holds, however many fragments it came in.
fn joined(file: &DicomFile<'_>, fragments: &[std::ops::Range<usize>]) -> Vec<u8> {
    let mut stream = Vec::with_capacity(fragments.iter().map(ExactSizeIterator::len).sum());
    for fragment in fragments {
        stream.extend_from_slice(file.slice(fragment));
    }
    stream
}

#[cfg(test)]
mod tests {
    use super::{Description, Transform};

    /// An unsigned picture without any transform.
    pub(super) fn grey(rows: u32, columns: u32, bits_allocated: u8, bits_stored: u8) -> Description {
        Description {
            rows,
            columns,
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
