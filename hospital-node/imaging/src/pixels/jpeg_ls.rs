//! JPEG-LS (ITU-T T.87), lossless and near-lossless, by `pure_jpegls`: it compares the stream's size with ours before
//! it asks for memory, so only the depth is left to check here. It refuses restart markers, and so do we: no stream
//! of the references has any, so that there is nothing to hold a decoder of our own against.

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
    let words = scan(stream, description).ok_or(IntakeReason::DecodeError)?;
    if words.len() != description.pixels() {
        return Err(IntakeReason::SizeMismatch);
    }
    Ok(Words {
        words,
        comment_bytes: header.comment_bytes,
        overshoots: header.near > 0 && header.precision > description.bits_stored,
        lossy: header.near > 0,
    })
}

/// Decodes the only scan. Some encoders (DCMTK's among them, now and then) fill with a byte of ones right before the end
/// marker, as is allowed before any marker; the decoder does not know that, so it is taken out.
fn scan(stream: &[u8], description: &Description) -> Option<Vec<u16>> {
    let decode = |stream: &[u8]| {
        let decoded = jpegls::decode(stream, description.columns, description.rows);
        decoded.ok().map(|(words, ..)| words)
    };
    // A frame of odd length is padded by one byte.
    let end = stream.len().saturating_sub(4);
    match stream[end..]
        .windows(3)
        .position(|bytes| bytes == [0xFF, 0xFF, code::END])
    {
        Some(place) => decode(&[&stream[..end + place], &stream[end + place + 1..]].concat()),
        None => decode(stream),
    }
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

    #[test]
    fn a_byte_of_ones_before_the_end_is_filling() {
        let words: Vec<u16> = (0..16).map(|place| place * 37 % 256).collect();
        let mut stream = Vec::new();
        jpegls::encode(&words, 4, 4, &mut stream).unwrap();
        stream.insert(stream.len() - 2, 0xFF);
        assert!(
            jpegls::decode(&stream, 4, 4).is_err(),
            "the decoder has learnt it: take our way around it out"
        );
        for padding in [&[][..], &[0]] {
            let padded = [&stream, padding].concat();
            assert_eq!(decode(&padded, &grey(4, 4, 8, 8)).unwrap().words, words);
        }
    }

    #[test]
    fn restart_markers_are_refused_and_not_guessed() {
        let words: Vec<u16> = (0..16).map(|place| place * 37 % 256).collect();
        let mut stream = Vec::new();
        jpegls::encode(&words, 4, 4, &mut stream).unwrap();
        // A line to an interval, as the segment in front of the scan says.
        stream.splice(2..2, [0xFF, 0xDD, 0, 4, 0, 1]);
        assert_eq!(
            decode(&stream, &grey(4, 4, 8, 8)).err(),
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
