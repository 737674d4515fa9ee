//! Marker segments (T.81 annex B): what a stream says before and between its scans.

/// Marker codes that the decoder acts on.
pub(in crate::pixels) mod code {
    pub(crate) const HUFFMAN_TABLES: u8 = 0xC4;
    pub(crate) const RESTART_FIRST: u8 = 0xD0;
    pub(crate) const END: u8 = 0xD9;
    pub(crate) const SCAN: u8 = 0xDA;
    pub(crate) const QUANTISATION_TABLES: u8 = 0xDB;
    pub(crate) const RESTART_INTERVAL: u8 = 0xDD;
}

/// The coding process of a frame, from its SOFn marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Process {
    /// SOF0 and SOF1: one scan holds whole blocks.
    Sequential,
    /// SOF2: several scans refine the blocks.
    Progressive,
    /// SOF3: predicted samples, no blocks.
    Lossless,
    /// Hierarchical or arithmetic coding, which DICOM has retired and nobody writes.
    Other,
}

/// What a frame header (SOFn) says, and what went before the first scan.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) process: Process,
    pub(super) precision: u8,
    pub(super) rows: u16,
    pub(super) columns: u16,
    pub(super) components: u8,
    /// Selector of the first component's quantisation table.
    pub(super) quantisation: u8,
    /// Bytes of comments and application segments.
    pub(super) comment_bytes: u64,
}

/// The marker and body of one segment, and where the next one starts.
pub(in crate::pixels) struct Segment<'a> {
    pub(in crate::pixels) marker: u8,
    pub(in crate::pixels) body: &'a [u8],
    pub(in crate::pixels) end: usize,
}

/// The segment at `at`; `None` where there is no marker or its length goes past the stream. A restart or end marker has
/// no body.
pub(in crate::pixels) fn segment(stream: &[u8], at: usize) -> Option<Segment<'_>> {
    let mut at = at;
    if *stream.get(at)? != 0xFF {
        return None;
    }
    // Any number of fill bytes may stand before a marker's code.
    while *stream.get(at + 1)? == 0xFF {
        at += 1;
    }
    let marker = stream[at + 1];
    if matches!(marker, 0x01 | 0xD0..=0xD9) {
        return Some(Segment {
            marker,
            body: &[],
            end: at + 2,
        });
    }
    let length = usize::from(u16::from_be_bytes([*stream.get(at + 2)?, *stream.get(at + 3)?]));
    let end = at + 2 + length;
    Some(Segment {
        marker,
        body: stream.get(at + 4..end)?,
        end,
    })
}

/// Where the next marker after entropy-coded data stands, from `at` on.
pub(super) fn next_marker(stream: &[u8], at: usize) -> Option<usize> {
    let rest = stream.get(at..)?;
    let place = rest
        .windows(2)
        .position(|pair| pair[0] == 0xFF && pair[1] != 0 && pair[1] != 0xFF)?;
    Some(at + place)
}

/// Reads marker segments up to the first scan.
pub(super) fn frame_header(stream: &[u8]) -> Option<FrameHeader> {
    if !stream.starts_with(&[0xFF, 0xD8]) {
        return None;
    }
    let (mut at, mut comment_bytes, mut header) = (2, 0, None);
    loop {
        let Segment { marker, body, end } = segment(stream, at)?;
        match marker {
            code::SCAN => {
                return header.map(|header| FrameHeader {
                    comment_bytes,
                    ..header
                });
            }
            code::END => return None,
            // SOF0..15 without DHT, JPG and DAC; a second one would contradict the first.
            0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                let fields = body.first_chunk::<6>().filter(|_| header.is_none())?;
                header = Some(FrameHeader {
                    process: match marker {
                        0xC0 | 0xC1 => Process::Sequential,
                        0xC2 => Process::Progressive,
                        0xC3 => Process::Lossless,
                        _ => Process::Other,
                    },
                    precision: fields[0],
                    rows: u16::from_be_bytes([fields[1], fields[2]]),
                    columns: u16::from_be_bytes([fields[3], fields[4]]),
                    components: fields[5],
                    quantisation: *body.get(8)?,
                    comment_bytes: 0,
                });
            }
            0xE0..=0xEF | 0xFE => comment_bytes += body.len() as u64,
            _ => {}
        }
        at = end;
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
            (Process::Lossless, 12, 256, 512)
        );
        assert_eq!((header.components, header.comment_bytes), (1, 4));
    }

    #[test]
    fn the_next_marker_is_none_of_the_stuffed_bytes() {
        assert_eq!(next_marker(&[1, 0xFF, 0, 0xFF, 0xFF, 0xD9], 0), Some(4));
        assert_eq!(next_marker(&[1, 0xFF, 0, 0xFF], 0), None);
    }

    proptest! {
        #[test]
        fn no_stream_panics(stream in proptest::collection::vec(any::<u8>(), 0..300)) {
            let with_start: Vec<u8> = [0xFF, 0xD8, 0xFF].into_iter().chain(stream).collect();
            let _ = frame_header(&with_start);
        }
    }
}
