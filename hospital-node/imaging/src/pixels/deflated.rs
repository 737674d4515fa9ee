//! Frames that are deflated one by one (PS3.5 section A.4.16), without a header of their own.

use std::io::Read as _;

use flate2::read::DeflateDecoder;
use snowball_protocol::intake::IntakeReason;

use super::{Description, Words, native};

/// Inflates one frame, no further than it may be long.
pub(super) fn decode(stream: &[u8], description: &Description) -> Result<Words, IntakeReason> {
    let bytes_max = native::bytes_max(description) as u64;
    let mut frame = Vec::new();
    DeflateDecoder::new(stream)
        .take(bytes_max + 1)
        .read_to_end(&mut frame)
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => IntakeReason::Truncated,
            _ => IntakeReason::DecodeError,
        })?;
    if frame.len() as u64 > bytes_max {
        return Err(IntakeReason::SizeMismatch);
    }
    native::decode_at(&frame, 0, false, false, description)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::DeflateEncoder};

    use super::*;
    use crate::pixels::tests::grey;

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_frame_is_inflated_and_no_further_than_it_may_be_long() {
        let stream = deflated(&[1, 2, 3, 4, 5, 6]);
        assert_eq!(
            decode(&stream, &grey(1, 3, 16, 16)).unwrap().words,
            [0x0201, 0x0403, 0x0605]
        );
        assert_eq!(
            decode(&stream, &grey(9, 9, 8, 8)).err(),
            Some(IntakeReason::SizeMismatch)
        );
        let bomb = deflated(&vec![0; 1 << 20]);
        assert_eq!(decode(&bomb, &grey(2, 2, 8, 8)).err(), Some(IntakeReason::SizeMismatch));
        assert_eq!(
            decode(&stream[..4], &grey(1, 3, 16, 16)).err(),
            Some(IntakeReason::Truncated)
        );
    }
}
