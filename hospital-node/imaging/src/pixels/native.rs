//! Pixels that are not compressed (PS3.5 section 8.1.1).

use snowball_protocol::intake::IntakeReason;

use super::{Description, Words};

/// How long a frame may be: some padding behind it is met; as much as another frame or a large part of one is another
/// size.
pub(super) fn bytes_max(description: &Description) -> usize {
    let needed = description.pixels() * description.word_bytes();
    needed + needed.div_ceil(4).max(2)
}

/// Reads one frame. `wide` says that the value's representation is of 16-bit words, which turns pairs of 8-bit pixels
/// around in big endian.
pub(super) fn decode(value: &[u8], wide: bool, big: bool, description: &Description) -> Result<Words, IntakeReason> {
    let needed = description.pixels() * description.word_bytes();
    if value.len() < needed || value.len() > bytes_max(description) {
        return Err(IntakeReason::SizeMismatch);
    }
    let words = match (description.bits_allocated, big) {
        (8, true) if wide => (0..needed)
            .map(|at| u16::from(value.get(at ^ 1).copied().unwrap_or(0)))
            .collect(),
        (8, _) => value[..needed].iter().map(|byte| u16::from(*byte)).collect(),
        (_, true) => value[..needed]
            .chunks_exact(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect(),
        (_, false) => value[..needed]
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect(),
    };
    Ok(Words {
        words,
        comment_bytes: 0,
        overshoots: false,
    })
}
