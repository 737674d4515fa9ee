//! JPEG (ITU-T T.81): the stream's own header is read before a decoder sees it.

use snowball_protocol::intake::IntakeReason;

use super::{Description, Words, registry};
use crate::read::syntax::TransferSyntax;

/// What a frame header (SOFn) says.
#[derive(Debug, PartialEq, Eq)]
struct FrameHeader {
    process: u8,
    precision: u8,
    rows: u16,
    columns: u16,
    components: u8,
    comment_bytes: u64,
}

/// Decodes one frame whose header agrees with the data set.
pub(super) fn decode(
    stream: Vec<u8>,
    syntax: TransferSyntax,
    description: &Description,
) -> Result<Words, IntakeReason> {
    let header = frame_header(&stream).ok_or(IntakeReason::DecodeError)?;
    if header.components != 1 {
        return Err(IntakeReason::NotGrey);
    }
    if (u32::from(header.rows), u32::from(header.columns)) != (description.rows, description.columns) {
        return Err(IntakeReason::SizeMismatch);
    }
    let lossless = header.process == 3;
    match (lossless, header.precision) {
        (false, 8) if header.process < 3 => {}
        // 12-bit DCT is legal and no decoder here takes it.
        (false, 12) if header.process < 3 => return Err(IntakeReason::TransferSyntax),
        (true, 2..=16) if header.precision <= description.bits_allocated => {}
        _ => return Err(IntakeReason::DecodeError),
    }
    // The decoder gives bytes for 8-bit streams and native words for every other precision.
    let word_bits = if header.precision == 8 { 8 } else { 16 };
    let words = registry::decode(stream, syntax, description, word_bits)?;
    Ok(Words {
        words,
        comment_bytes: header.comment_bytes,
    })
}

/// Reads marker segments up to the first scan.
fn frame_header(stream: &[u8]) -> Option<FrameHeader> {
    if !stream.starts_with(&[0xFF, 0xD8]) {
        return None;
    }
    let (mut at, mut comment_bytes, mut header) = (2, 0, None);
    loop {
        if *stream.get(at)? != 0xFF {
            return None;
        }
        let marker = *stream.get(at + 1)?;
        if marker == 0xFF {
            at += 1;
            continue;
        }
        let length = usize::from(u16::from_be_bytes([*stream.get(at + 2)?, *stream.get(at + 3)?]));
        let body = stream.get(at + 4..at + 2 + length)?;
        match marker {
            // SOF0..15 without DHT, JPG and DAC; a second one would contradict the first.
            0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                let fields = body.first_chunk::<6>().filter(|_| header.is_none())?;
                header = Some(FrameHeader {
                    process: marker - 0xC0,
                    precision: fields[0],
                    rows: u16::from_be_bytes([fields[1], fields[2]]),
                    columns: u16::from_be_bytes([fields[3], fields[4]]),
                    components: fields[5],
                    comment_bytes: 0,
                });
            }
            0xE0..=0xEF | 0xFE => comment_bytes += body.len() as u64,
            0xDA => {
                return header.map(|header| FrameHeader {
                    comment_bytes,
                    ..header
                });
            }
            _ => {}
        }
        at += 2 + length;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn header_and_comments_are_read() {
        let mut stream = vec![0xFF, 0xD8, 0xFF, 0xFE, 0, 6, b'N', b'A', b'M', b'E'];
        stream.extend([0xFF, 0xC3, 0, 11, 12, 1, 0, 2, 0, 1, 0, 0x11, 0]);
        stream.extend([0xFF, 0xDA, 0, 8, 1, 0, 0, 1, 0, 0]);
        let header = frame_header(&stream).unwrap();
        assert_eq!(
            (header.process, header.precision, header.rows, header.columns),
            (3, 12, 256, 512)
        );
        assert_eq!((header.components, header.comment_bytes), (1, 4));
    }

    proptest! {
        #[test]
        fn no_stream_panics(stream in proptest::collection::vec(any::<u8>(), 0..300)) {
            let with_start: Vec<u8> = [0xFF, 0xD8, 0xFF].into_iter().chain(stream).collect();
            let _ = frame_header(&with_start);
        }
    }
}
