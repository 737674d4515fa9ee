//! The container of JPEG XL (ISO/IEC 18181-2): boxes as in MP4.

use std::borrow::Cow;

/// What every container begins with.
const SIGNATURE: [u8; 12] = *b"\0\0\0\x0CJXL \r\n\x87\n";
/// What every code stream begins with. A decoder would look for boxes in whatever else it is given.
const CODE_STREAM: [u8; 2] = [0xFF, 0x0A];
/// In the number of a part: it is the last one.
const LAST: u32 = 1 << 31;

/// The code stream of a file, and what lay beside it.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Found<'a> {
    pub(super) stream: Cow<'a, [u8]>,
    /// Bytes in boxes that are no part of it and describe no box.
    pub(super) other_bytes: u64,
}

/// The code stream in `file`: all of it, or what lies in its boxes; `None` if boxes are cut, parts are missing or out of order, or what
/// lies there is no code stream.
pub(super) fn code_stream(file: &[u8]) -> Option<Found<'_>> {
    unboxed(file).filter(|found| found.stream.starts_with(&CODE_STREAM))
}

fn unboxed(file: &[u8]) -> Option<Found<'_>> {
    let Some(mut rest) = file.strip_prefix(&SIGNATURE) else {
        return Some(Found {
            stream: Cow::Borrowed(file),
            other_bytes: 0,
        });
    };
    let (mut whole, mut parts, mut is_last, mut other_bytes) = (None, Vec::new(), false, 0);
    let mut next = 0;
    while !rest.is_empty() {
        let (kind, content, behind) = split(rest)?;
        match kind {
            b"jxlc" if whole.is_none() => whole = Some(content),
            b"jxlp" if !is_last => {
                let number = u32::from_be_bytes(*content.first_chunk()?);
                if number & !LAST != next {
                    return None;
                }
                next += 1;
                is_last = number & LAST != 0;
                parts.extend_from_slice(&content[4..]);
            }
            b"jxlc" | b"jxlp" => return None,
            b"ftyp" | b"jxll" | b"jxli" => {}
            _ => other_bytes += content.len() as u64,
        }
        rest = behind;
        // The byte that makes a fragment even is no box.
        if rest == [0] {
            break;
        }
    }
    let stream = match whole {
        Some(_) if !parts.is_empty() => return None,
        Some(whole) => Cow::Borrowed(whole),
        None => Cow::Owned(parts),
    };
    (is_last || matches!(stream, Cow::Borrowed(_))).then_some(Found { stream, other_bytes })
}

/// The first box of `bytes`: its kind, what it holds, and what lies behind it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let short = u32::from_be_bytes(*bytes.first_chunk()?);
    let kind = bytes.get(4..8)?;
    let (head, length) = match short {
        0 => (8, bytes.len()),
        1 => {
            let long = u64::from_be_bytes(*bytes.get(8..)?.first_chunk()?);
            (16, usize::try_from(long).ok()?)
        }
        short => (8, usize::try_from(short).ok()?),
    };
    Some((kind, bytes.get(head..length)?, bytes.get(length..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32 + 8).to_be_bytes()[..], kind, content].concat()
    }

    fn found(boxes: &[Vec<u8>]) -> Option<(Vec<u8>, u64)> {
        let file = [SIGNATURE.to_vec(), boxes.concat()].concat();
        code_stream(&file).map(|found| (found.stream.into_owned(), found.other_bytes))
    }

    #[test]
    fn the_code_stream_is_taken_out_of_its_boxes() {
        let bare = [0xFF, 0x0A, 7];
        assert_eq!(code_stream(&bare).unwrap().stream, &bare[..]);
        assert_eq!(code_stream(b"\0\0\0"), None);
        let ftyp = boxed(b"ftyp", b"jxl \0\0\0\0jxl ");
        let exif = boxed(b"Exif", b"\0\0\0\0someone");
        let whole = boxed(b"jxlc", &bare);
        assert_eq!(
            found(&[ftyp.clone(), exif.clone(), whole.clone()]),
            Some((bare.to_vec(), 11))
        );
        let part = |number: u32, content: &[u8]| boxed(b"jxlp", &[&number.to_be_bytes()[..], content].concat());
        let parts = [ftyp.clone(), part(0, &bare[..1]), exif, part(1 | LAST, &bare[1..])];
        assert_eq!(found(&parts), Some((bare.to_vec(), 11)));
        // To the end, in a long box, and with a byte of padding.
        let mut to_the_end = whole.clone();
        to_the_end[..4].fill(0);
        assert_eq!(found(&[to_the_end]), Some((bare.to_vec(), 0)));
        let long = [&[0, 0, 0, 1][..], b"jxlc", &19_u64.to_be_bytes(), &bare].concat();
        assert_eq!(found(&[long, vec![0]]), Some((bare.to_vec(), 0)));
        for broken in [
            vec![],
            vec![ftyp],
            vec![whole.clone(), whole.clone()],
            vec![part(0, &bare)],
            vec![part(1 | LAST, &bare)],
            vec![part(0, &bare), part(2 | LAST, &bare)],
            vec![part(LAST, &bare), whole.clone()],
            vec![part(LAST, &bare), part(1 | LAST, &bare)],
            vec![whole[..10].to_vec()],
            // A container in the container, whose boxes a decoder would open.
            vec![boxed(b"jxlc", &[&SIGNATURE[..], &whole].concat())],
            vec![part(LAST, &[&SIGNATURE[..], &whole].concat())],
        ] {
            assert_eq!(found(&broken), None, "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(tail in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = code_stream(&[SIGNATURE.to_vec(), tail].concat());
        }
    }
}
