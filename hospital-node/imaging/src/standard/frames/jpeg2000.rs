//! JPEG 2000 codestreams (ITU-T T.800 annex A) with blank comments. Lengths stay as they are, since tile parts count them.

/// A codestream without text.
#[derive(Debug)]
pub(super) struct Blanked {
    pub(super) stream: Vec<u8>,
    /// Bits of the widest component.
    pub(super) precision: u16,
    pub(super) comment_bytes: u64,
}

const SOT: u8 = 0x90;
const SOD: u8 = 0x93;
const COM: u8 = 0x64;
const SIZ: u8 = 0x51;

/// `stream` with every comment zeroed and without what follows its end; `None` if its segments do not add up, as in a
/// file format (JP2), whose boxes may hold anything: the code stream is taken out of those before.
pub(super) fn blanked(mut stream: Vec<u8>) -> Option<Blanked> {
    if !stream.starts_with(&[0xFF, 0x4F]) {
        return None;
    }
    let (mut at, mut comment_bytes, mut precision) = (2, 0, None);
    let mut part_end = None;
    loop {
        if stream.get(at) == Some(&0xFF) && stream.get(at + 1) == Some(&0xD9) {
            stream.truncate(at + 2);
            break;
        }
        // Some writers leave the end marker out.
        if at == stream.len() && part_end.is_none() && precision.is_some() {
            break;
        }
        if *stream.get(at)? != 0xFF {
            return None;
        }
        let marker = *stream.get(at + 1)?;
        if marker == SOD {
            // The packets of a tile part end where its header says.
            at = part_end.take().filter(|end| *end > at && *end <= stream.len())?;
            continue;
        }
        let length = usize::from(u16::from_be_bytes([*stream.get(at + 2)?, *stream.get(at + 3)?]));
        let body = stream.get(at + 4..at + 2 + length)?;
        match marker {
            SIZ => precision = widest(body),
            SOT => {
                let bytes: [u8; 4] = body.get(2..6)?.try_into().ok()?;
                let part_bytes = usize::try_from(u32::from_be_bytes(bytes)).ok()?;
                // Zero means: up to the end marker.
                part_end = Some(if part_bytes == 0 {
                    end_marker(&stream)?
                } else {
                    at.checked_add(part_bytes)?
                });
            }
            COM => {
                comment_bytes += body.len().saturating_sub(2) as u64;
                stream.get_mut(at + 6..at + 2 + length)?.fill(0);
            }
            _ => {}
        }
        at += 2 + length;
    }
    Some(Blanked {
        stream,
        precision: precision?,
        comment_bytes,
    })
}

fn end_marker(stream: &[u8]) -> Option<usize> {
    stream.windows(2).rposition(|pair| pair == [0xFF, 0xD9])
}

/// The widest component of a SIZ segment: from byte 36 on, three bytes each.
fn widest(body: &[u8]) -> Option<u16> {
    let components = body.get(36..)?;
    components
        .chunks_exact(3)
        .map(|component| u16::from(component[0] & 0x7F) + 1)
        .max()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream() -> Vec<u8> {
        let mut stream = vec![0xFF, 0x4F, 0xFF, SIZ, 0, 41];
        stream.extend([0; 34]);
        stream.extend([0, 1, 11, 1, 1]);
        stream.extend([0xFF, COM, 0, 8, 0, 1, b'N', b'A', b'M', b'E']);
        stream.extend([0xFF, SOT, 0, 10, 0, 0, 0, 0, 0, 24, 0, 1]);
        stream.extend([0xFF, COM, 0, 6, 0, 1, b'I', b'D']);
        stream.extend([0xFF, SOD, 9, 9]);
        stream.extend([0xFF, 0xD9, b'J']);
        stream
    }

    #[test]
    fn comments_of_both_headers_are_blank_and_lengths_stay() {
        let blanked = blanked(stream()).unwrap();
        assert_eq!((blanked.precision, blanked.comment_bytes), (12, 6));
        assert_eq!(blanked.stream.len(), stream().len() - 1);
        for word in [&b"NAME"[..], b"ID"] {
            assert!(!blanked.stream.windows(word.len()).any(|window| window == word));
        }
    }

    proptest! {
        #[test]
        fn no_stream_panics(place in 0_usize..80, value in any::<u8>(), cut in 0_usize..90) {
            let mut hurt = stream();
            let place = place % hurt.len();
            hurt[place] = value;
            hurt.truncate(cut.max(2));
            let _ = blanked(hurt);
        }
    }
}
