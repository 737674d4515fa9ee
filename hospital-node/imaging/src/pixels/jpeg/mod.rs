//! JPEG (ITU-T T.81): the stream's own header is read before a decoder sees it. Blocks of cosines in 8 and 12 bits (`dct`) and
//! samples predicted without loss (`lossless`), of one component.

mod bits;
mod dct;
mod huffman;
mod idct;
mod lossless;
pub(super) mod markers;
mod restarts;
mod tables;

use markers::Process;
use snowball_protocol::intake::IntakeReason;

use super::{Description, Words};

/// Decodes one frame whose header agrees with the data set.
pub(super) fn decode(stream: &[u8], description: &Description) -> Result<Words, IntakeReason> {
    let header = markers::frame_header(stream).ok_or(IntakeReason::DecodeError)?;
    if header.components != 1 {
        return Err(IntakeReason::NotGrey);
    }
    if (u32::from(header.rows), u32::from(header.columns)) != (description.rows, description.columns) {
        return Err(IntakeReason::SizeMismatch);
    }
    let words = match (header.process, header.precision) {
        (_, precision) if precision > description.bits_allocated => return Err(IntakeReason::DecodeError),
        (Process::Sequential | Process::Progressive, 8 | 12) => dct::decode(stream, &header)?,
        (Process::Lossless, 2..=16) => lossless::decode(stream, &header)?,
        _ => return Err(IntakeReason::DecodeError),
    };
    Ok(Words {
        words,
        comment_bytes: header.comment_bytes,
        overshoots: header.process != Process::Lossless && header.precision > description.bits_stored,
        lossy: header.process != Process::Lossless,
    })
}
