//! JPEG and JPEG-LS streams (ITU-T T.81, T.87) without comments and application segments.

/// A stream that holds what a decoder needs and nothing else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stripped {
    pub(super) stream: Vec<u8>,
    /// Bits of a sample.
    pub(super) precision: u16,
    pub(super) comment_bytes: u64,
}

/// `stream` without COM and APPn segments and without what follows its end; `None` if its segments do not add up. The
/// Adobe segment of 12 bytes stays: it says how colours are stored and has no room for text.
pub(super) fn stripped(stream: &[u8]) -> Option<Stripped> {
    if !stream.starts_with(&[0xFF, 0xD8]) {
        return None;
    }
    let mut kept = vec![0xFF, 0xD8];
    kept.reserve(stream.len());
    let (mut at, mut comment_bytes, mut precision) = (2, 0, None);
    loop {
        if *stream.get(at)? != 0xFF {
            return None;
        }
        let marker = *stream.get(at + 1)?;
        match marker {
            0xFF => {
                at += 1;
                continue;
            }
            0xD9 => {
                kept.extend([0xFF, 0xD9]);
                return Some(Stripped {
                    stream: kept,
                    precision: precision?,
                    comment_bytes,
                });
            }
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes([*stream.get(at + 2)?, *stream.get(at + 3)?]));
        let segment = stream.get(at..at + 2 + length)?;
        let body = segment.get(4..)?;
        let is_adobe = marker == 0xEE && body.len() == 12 && body.starts_with(b"Adobe");
        match marker {
            0xE0..=0xEF | 0xFE if !is_adobe => comment_bytes += body.len() as u64,
            0xC0..=0xCF | 0xF7 if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                precision = precision.max(body.first().map(|bits| u16::from(*bits)));
                kept.extend_from_slice(segment);
            }
            _ => kept.extend_from_slice(segment),
        }
        at += 2 + length;
        if marker == 0xDA {
            let scan = scan_bytes(stream.get(at..)?);
            kept.extend_from_slice(stream.get(at..at + scan)?);
            at += scan;
            // A stream that ends without saying so is met; it is given its end.
            if at >= stream.len() {
                kept.extend([0xFF, 0xD9]);
                return Some(Stripped {
                    stream: kept,
                    precision: precision?,
                    comment_bytes,
                });
            }
        }
    }
}

/// Bytes of entropy-coded data up to the next marker. FF and a byte below 80 hexadecimal is data (stuffing), FF and D0 to
/// D7 a restart within it.
fn scan_bytes(data: &[u8]) -> usize {
    let marker = data
        .windows(2)
        .position(|pair| pair[0] == 0xFF && pair[1] >= 0x80 && !(0xD0..=0xD7).contains(&pair[1]) && pair[1] != 0xFF);
    marker.unwrap_or(data.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream(extra: &[u8]) -> Vec<u8> {
        let mut stream = vec![0xFF, 0xD8];
        stream.extend(extra);
        stream.extend([0xFF, 0xC3, 0, 11, 12, 1, 0, 2, 0, 1, 0, 0x11, 0]);
        stream.extend([0xFF, 0xDA, 0, 8, 1, 0, 0, 1, 0, 0]);
        stream.extend([1, 2, 0xFF, 0x00, 3, 0xFF, 0xD0, 4]);
        stream
    }

    #[test]
    fn comments_go_wherever_they_stand_and_the_picture_stays() {
        let mut clean = stream(&[]);
        clean.extend([0xFF, 0xD9]);
        let mut dirty = stream(&[0xFF, 0xFE, 0, 6, b'N', b'A', b'M', b'E', 0xFF, 0xE1, 0, 4, b'I', b'D']);
        dirty.extend([0xFF, 0xFE, 0, 4, b'N', b'A', 0xFF, 0xD9, b'J', b'D']);
        let stripped = stripped(&dirty).unwrap();
        assert_eq!(
            (stripped.stream, stripped.precision, stripped.comment_bytes),
            (clean, 12, 8)
        );
    }

    #[test]
    fn what_is_no_stream_is_refused() {
        assert_eq!(stripped(b""), None);
        assert_eq!(stripped(&[0xFF, 0xD8, 0xFF, 0xFE, 0, 90, 1]), None);
        assert_eq!(stripped(&[0xFF, 0xD8, 0xFF, 0xD9]), None, "no frame header");
    }

    proptest! {
        #[test]
        fn no_stream_panics_and_a_clean_one_stays(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let begun: Vec<u8> = [0xFF, 0xD8, 0xFF].into_iter().chain(bytes).collect();
            if let Some(once) = stripped(&begun) {
                let twice = stripped(&once.stream).unwrap();
                prop_assert_eq!(twice.stream, once.stream);
                prop_assert_eq!(twice.comment_bytes, 0);
            }
        }
    }
}
