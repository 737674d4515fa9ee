//! JPEG (ITU-T T.81): the stream's own header is read before a decoder sees it. What is coded in blocks of cosines is
//! decoded here, in 8 and 12 bits; what is predicted without loss by the codec that dicom-rs brings.

mod bits;
mod dct;
mod huffman;
mod idct;
pub(super) mod markers;
mod tables;

use markers::Process;
use snowball_protocol::intake::IntakeReason;

use super::{Description, Words, registry};
use crate::read::syntax::TransferSyntax;

/// Decodes one frame whose header agrees with the data set.
pub(super) fn decode(
    stream: Vec<u8>,
    syntax: TransferSyntax,
    description: &Description,
) -> Result<Words, IntakeReason> {
    let header = markers::frame_header(&stream).ok_or(IntakeReason::DecodeError)?;
    if header.components != 1 {
        return Err(IntakeReason::NotGrey);
    }
    if (u32::from(header.rows), u32::from(header.columns)) != (description.rows, description.columns) {
        return Err(IntakeReason::SizeMismatch);
    }
    let words = match (header.process, header.precision) {
        (_, precision) if precision > description.bits_allocated => return Err(IntakeReason::DecodeError),
        (Process::Sequential | Process::Progressive, 8 | 12) => dct::decode(&stream, &header)?,
        (Process::Lossless, 2..=16) => {
            // A sample takes a code of a bit or more.
            if stream.len().saturating_mul(8) < description.pixels() {
                return Err(IntakeReason::Truncated);
            }
            // The decoder gives bytes for 8-bit streams and native words for every other precision.
            let word_bits = if header.precision == 8 { 8 } else { 16 };
            registry::decode(stream, syntax, description, word_bits)?
        }
        _ => return Err(IntakeReason::DecodeError),
    };
    Ok(Words {
        words,
        comment_bytes: header.comment_bytes,
        overshoots: header.process != Process::Lossless && header.precision > description.bits_stored,
    })
}
