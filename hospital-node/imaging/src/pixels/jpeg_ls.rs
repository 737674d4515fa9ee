//! JPEG-LS (ITU-T T.87), lossless and near-lossless, by `pure_jpegls`: it compares the stream's size with ours before
//! it asks for memory, so only the depth is left to check here.

use snowball_protocol::intake::IntakeReason;

use super::{
    Description, Words,
    jpeg::markers::{self, code},
};

/// SOF55.
const FRAME: u8 = 0xF7;

/// Decodes one frame whose header agrees with the data set.
pub(super) fn decode(stream: &[u8], description: &Description) -> Result<Words, IntakeReason> {
    let header = header(stream).ok_or(IntakeReason::DecodeError)?;
    if header.components != 1 {
        return Err(IntakeReason::NotGrey);
    }
    if (header.rows, header.columns) != (description.rows, description.columns) {
        return Err(IntakeReason::SizeMismatch);
    }
    if header.precision > description.bits_allocated {
        return Err(IntakeReason::DecodeError);
    }
    let (words, ..) =
        jpegls::decode(stream, description.columns, description.rows).map_err(|_| IntakeReason::DecodeError)?;
    if words.len() != description.pixels() {
        return Err(IntakeReason::SizeMismatch);
    }
    Ok(Words {
        words,
        comment_bytes: header.comment_bytes,
        overshoots: header.near > 0 && header.precision > description.bits_stored,
    })
}

struct Header {
    precision: u8,
    rows: u32,
    columns: u32,
    components: u8,
    /// How far a decoded value may lie from what was encoded.
    near: u8,
    comment_bytes: u64,
}

/// Reads marker segments up to the first scan; they are those of JPEG.
fn header(stream: &[u8]) -> Option<Header> {
    stream.starts_with(&[0xFF, 0xD8]).then_some(())?;
    let (mut at, mut comment_bytes, mut header) = (2, 0, None);
    loop {
        let segment = markers::segment(stream, at)?;
        match segment.marker {
            FRAME => {
                let [precision, rows @ .., components] =
                    *segment.body.first_chunk::<6>().filter(|_| header.is_none())?;
                header = Some(Header {
                    precision,
                    rows: u32::from(u16::from_be_bytes([rows[0], rows[1]])),
                    columns: u32::from(u16::from_be_bytes([rows[2], rows[3]])),
                    components,
                    near: 0,
                    comment_bytes: 0,
                });
            }
            code::SCAN => {
                let near = *segment.body.get(3)?;
                return header.map(|header| Header {
                    near,
                    comment_bytes,
                    ..header
                });
            }
            code::END => return None,
            0xE0..=0xEF | 0xFE => comment_bytes += segment.body.len() as u64,
            _ => {}
        }
        at = segment.end;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pixels::tests::grey;

    #[test]
    fn what_is_encoded_is_decoded() {
        let words: Vec<u16> = (0..35).map(|place| place * 117 % 4096).collect();
        let mut stream = Vec::new();
        jpegls::encode(&words, 7, 5, &mut stream).unwrap();
        assert_eq!(decode(&stream, &grey(5, 7, 16, 12)).unwrap().words, words);
        assert_eq!(
            decode(&stream, &grey(7, 5, 16, 12)).err(),
            Some(IntakeReason::SizeMismatch)
        );
        assert_eq!(
            decode(&stream, &grey(5, 7, 8, 8)).err(),
            Some(IntakeReason::DecodeError)
        );
    }

    proptest! {
        #[test]
        fn no_stream_panics(at in 0_usize..400, byte: u8, cut in 0_usize..400) {
            let words: Vec<u16> = (0..400).map(|place| place * 117 % 4096).collect();
            let mut stream = Vec::new();
            jpegls::encode(&words, 20, 20, &mut stream).unwrap();
            let place = at % stream.len();
            stream[place] = byte;
            stream.truncate(stream.len().max(cut));
            let _ = decode(&stream, &grey(20, 20, 16, 12));
        }
    }
}
