//! JPEG 2000 (ITU-T T.800): a code stream says how much a decoder will allocate, so that is read and bounded first.

use std::ops::Range;

use snowball_protocol::intake::IntakeReason;

use super::{Description, Words, registry};
use crate::read::syntax::TransferSyntax;

const TILES_MAX: u64 = 4096;
/// Precincts of one component over all resolutions; the default partition has at most 33.
const PRECINCTS_MAX: u64 = 1 << 16;
const LAYERS_MAX: u16 = 256;

const COD: u16 = 0xFF52;
const COC: u16 = 0xFF53;
const COM: u16 = 0xFF64;
const POC: u16 = 0xFF5F;
const SOT: u16 = 0xFF90;
const SOD: u16 = 0xFF93;
const EOC: u16 = 0xFFD9;
/// How a JP2 file begins (ITU-T T.800 annex I). DICOM has code streams without a file around them; some writers leave it there.
const FILE: [u8; 12] = [0, 0, 0, 12, b'j', b'P', b' ', b' ', 0x0D, 0x0A, 0x87, 0x0A];

/// Decodes one frame whose header agrees with the data set.
pub(super) fn decode(
    stream: Vec<u8>,
    syntax: TransferSyntax,
    description: &Description,
) -> Result<Words, IntakeReason> {
    let (stream, boxed_bytes) = unboxed(stream).ok_or(IntakeReason::DecodeError)?;
    let size = size(&stream).ok_or(IntakeReason::DecodeError)?;
    if size.components != u16::from(description.samples) {
        return Err(IntakeReason::NotGrey);
    }
    if (size.rows, size.columns) != (description.rows, description.columns) {
        return Err(IntakeReason::SizeMismatch);
    }
    let precision = size.precision;
    if !(1..=16).contains(&precision) || size.tiles() > TILES_MAX {
        return Err(IntakeReason::DecodeError);
    }
    let (comment_bytes, irreversible) = coding(&stream, &size).ok_or(IntakeReason::DecodeError)?;
    let words = registry::decode(stream, syntax, description)?;
    Ok(Words {
        words,
        comment_bytes: comment_bytes + boxed_bytes,
        overshoots: irreversible && precision > description.bits_stored,
        lossy: irreversible,
    })
}

/// The only code stream of a JP2 file, and how many bytes lie in boxes that say nothing about pixels; a bare code stream stays as
/// it is. `None` where the boxes do not add up, or a palette gives the values another meaning.
pub(crate) fn unboxed(mut stream: Vec<u8>) -> Option<(Vec<u8>, u64)> {
    if !stream.starts_with(&FILE) {
        return Some((stream, 0));
    }
    let (mut at, mut other_bytes, mut found) = (FILE.len(), 0, None);
    // A frame of odd length is padded by one byte; no box is shorter than eight.
    while stream.len() - at >= 8 {
        let (kind, body) = next_box(&stream, at)?;
        at = body.end;
        match &kind {
            b"jp2c" if found.is_some() => return None,
            b"jp2c" => found = Some(body),
            b"jp2h" => {
                let mut inner = body.start;
                while inner < body.end {
                    let (kind, within) = next_box(&stream[..body.end], inner)?;
                    if [b"pclr", b"cmap"].contains(&&kind) {
                        return None;
                    }
                    inner = within.end;
                }
            }
            b"ftyp" => {}
            _ => other_bytes += body.len() as u64,
        }
    }
    let code = found?;
    stream.truncate(code.end);
    stream.drain(..code.start);
    Some((stream, other_bytes))
}

/// The kind of the box at `at` and where its content lies, which ends behind `at`.
fn next_box(bytes: &[u8], at: usize) -> Option<([u8; 4], Range<usize>)> {
    let head: &[u8; 8] = bytes.get(at..)?.first_chunk()?;
    let kind = [head[4], head[5], head[6], head[7]];
    let body = match u32::from_be_bytes([head[0], head[1], head[2], head[3]]) {
        0 => at + 8..bytes.len(),
        1 => {
            let length = u64::from_be_bytes(*bytes.get(at + 8..)?.first_chunk()?);
            at + 16..at.checked_add(usize::try_from(length).ok()?)?
        }
        length => at + 8..at.checked_add(length as usize)?,
    };
    (body.start <= body.end && body.end <= bytes.len()).then_some((kind, body))
}

/// The SIZ segment.
struct Size {
    rows: u32,
    columns: u32,
    tile_rows: u32,
    tile_columns: u32,
    components: u16,
    precision: u8,
    end: usize,
}

impl Size {
    fn tiles(&self) -> u64 {
        u64::from(self.rows.div_ceil(self.tile_rows)) * u64::from(self.columns.div_ceil(self.tile_columns))
    }
}

fn size(stream: &[u8]) -> Option<Size> {
    if !stream.starts_with(&[0xFF, 0x4F, 0xFF, 0x51]) {
        return None;
    }
    let number = |at: usize| {
        let bytes = stream.get(at..at + 4)?;
        Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    let (x1, y1, x0, y0) = (number(8)?, number(12)?, number(16)?, number(20)?);
    let (tile_columns, tile_rows) = (number(24)?, number(28)?);
    let (tile_x0, tile_y0) = (number(32)?, number(36)?);
    let components = u16_at(stream, 40)?;
    // Components of one depth and one grid; of more than a few nobody asks.
    let first = stream.get(42..45)?;
    let alike =
        (0..usize::from(components.min(4))).all(|number| stream.get(42 + 3 * number..45 + 3 * number) == Some(first));
    // Offsets and subsampled grids are legal, unheard of in radiographs, and only make the bounds harder to check.
    let plain = x0 == 0 && y0 == 0 && tile_x0 == 0 && tile_y0 == 0 && first.get(1..) == Some(&[1, 1]) && alike;
    if !plain || tile_columns == 0 || tile_rows == 0 {
        return None;
    }
    let precision = (first.first()? & 0x7F) + 1;
    let end = 4 + usize::from(u16_at(stream, 4)?);
    Some(Size {
        rows: y1,
        columns: x1,
        tile_rows,
        tile_columns,
        components,
        precision,
        end,
    })
}

/// Walks main and tile-part headers and bounds what their coding styles cost; gives the bytes of comments and
/// whether any of it is coded with loss.
fn coding(stream: &[u8], size: &Size) -> Option<(u64, bool)> {
    let (mut at, mut comment_bytes, mut tile_part) = (size.end, 0_u64, None);
    let (mut coded, mut irreversible) = (false, false);
    loop {
        let marker = u16_at(stream, at)?;
        match marker {
            SOD => {
                coded.then_some(())?;
                // On to the next tile part; one of length zero is the last.
                let (start, length) = tile_part.take()?;
                if length == 0 {
                    return Some((comment_bytes, irreversible));
                }
                at = usize::checked_add(start, length).filter(|next| *next > at)?;
                if at >= stream.len() || stream.len() - at < 2 {
                    return Some((comment_bytes, irreversible));
                }
            }
            EOC => return coded.then_some((comment_bytes, irreversible)),
            _ => {
                let length = usize::from(u16_at(stream, at + 2)?).max(2);
                let body = stream.get(at + 4..at + 2 + length)?;
                match marker {
                    SOT => {
                        let part = body.get(2..6)?;
                        let part = u32::from_be_bytes([part[0], part[1], part[2], part[3]]) as usize;
                        tile_part = Some((at, part));
                    }
                    COD => {
                        (u16_at(body, 2)? <= LAYERS_MAX).then_some(())?;
                        bounded(body.get(5..)?, body.first()? & 1 == 1, size).then_some(())?;
                        coded = true;
                        irreversible |= *body.get(9)? == 0;
                    }
                    // One component needs neither a style of its own nor another order of progression.
                    COC | POC => return None,
                    COM => comment_bytes += body.len() as u64,
                    _ => {}
                }
                at += 2 + length;
            }
        }
    }
}

/// True if levels, code blocks and precincts of one coding style stay within bounds.
fn bounded(style: &[u8], with_precincts: bool, size: &Size) -> bool {
    let (Some(levels), Some(width), Some(height)) = (style.first(), style.get(1), style.get(2)) else {
        return false;
    };
    if *levels > 32 || *width > 8 || *height > 8 || width + height > 8 {
        return false;
    }
    // Blocks of 4 by 4 pixels cost a decoder a hundred times what they hold.
    if width + height < 4 {
        return false;
    }
    if !with_precincts {
        return true;
    }
    let tile = (
        u64::from(size.tile_rows.min(size.rows)),
        u64::from(size.tile_columns.min(size.columns)),
    );
    let mut precincts = 0;
    for resolution in 0..=u32::from(*levels) {
        let Some(exponents) = style.get(5 + resolution as usize) else {
            return false;
        };
        let reduction = u32::from(*levels) - resolution;
        let along = |extent: u64, exponent: u8| (extent >> reduction).max(1).div_ceil(1 << exponent) + 1;
        precincts += along(tile.0, exponents >> 4) * along(tile.1, exponents & 15);
    }
    precincts * size.tiles() * u64::from(size.components) <= PRECINCTS_MAX
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn main_header(side: u32, tile: u32) -> Vec<u8> {
        let mut stream = vec![0xFF, 0x4F, 0xFF, 0x51, 0, 41, 0, 0];
        for number in [side, side, 0, 0, tile, tile, 0, 0] {
            stream.extend(number.to_be_bytes());
        }
        stream.extend([0, 1, 11, 1, 1]);
        stream
    }

    #[test]
    fn size_is_read_and_tiles_are_counted() {
        let size = size(&main_header(1000, 256)).unwrap();
        assert_eq!(
            (size.rows, size.columns, size.precision, size.tiles()),
            (1000, 1000, 12, 16)
        );
    }

    #[test]
    fn tiny_precincts_and_blocks_are_refused() {
        let size = size(&main_header(4096, 4096)).unwrap();
        assert!(bounded(&[5, 4, 4, 0, 1], false, &size));
        assert!(bounded(&[1, 4, 4, 0, 1, 0x88, 0x88], true, &size));
        assert!(!bounded(&[1, 4, 4, 0, 1, 0x00, 0x00], true, &size));
        assert!(!bounded(&[5, 0, 0, 0, 1], false, &size));
    }

    /// A small lossy picture of 24 by 40 with a comment, without the last byte of its end marker.
    pub(crate) const CUT: [u8; 137] = [
        0xFF, 0x4F, 0xFF, 0x51, 0x00, 0x29, 0x00, 0x00, 0x00, 0x00, 0x00, 0x28, 0x00, 0x00, 0x00, 0x18, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x28, 0x00, 0x00, 0x00, 0x18, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x0F, 0x01, 0x01, 0xFF, 0x52, 0x00, 0x0E, 0x01, 0x02, 0x00, 0x01, 0x00,
        0x01, 0x04, 0x04, 0x00, 0x00, 0x88, 0x88, 0xFF, 0x5C, 0x00, 0x0B, 0x42, 0x88, 0x24, 0x97, 0xD3, 0x97, 0xD3,
        0x97, 0x62, 0xFF, 0x64, 0x00, 0x25, 0x00, 0x01, 0x43, 0x72, 0x65, 0x61, 0x74, 0x65, 0x64, 0x20, 0x62, 0x79,
        0x20, 0x4F, 0x70, 0x65, 0x6E, 0x4A, 0x50, 0x45, 0x47, 0x20, 0x76, 0x65, 0x72, 0x73, 0x69, 0x6F, 0x6E, 0x20,
        0x32, 0x2E, 0x35, 0x2E, 0x34, 0xFF, 0x90, 0x00, 0x0A, 0x00, 0x00, 0x00, 0x00, 0x00, 0x17, 0x00, 0x01, 0xFF,
        0x93, 0xCE, 0x18, 0x11, 0x50, 0x54, 0xAF, 0xE2, 0x01, 0x80, 0xFF,
    ];

    /// Found by fuzzing (`tests/fuzz`, target `pixels`): the last byte is missing, and the decoder frees blocks that it
    /// never filled in a way that newer checks of the standard library take for a reason to abort.
    #[test]
    fn a_stream_without_its_last_byte_costs_one_file() {
        let lossy = crate::pixels::tests::grey(24, 40, 16, 12);
        let whole = [&CUT[..], &[0xD9]].concat();
        let decoded = decode(whole, TransferSyntax::Jpeg2000, &lossy).unwrap();
        assert_eq!((decoded.words.len(), decoded.overshoots), (lossy.pixels(), true));
        let cut = decode(CUT.to_vec(), TransferSyntax::Jpeg2000, &lossy);
        assert_eq!(cut.err(), Some(IntakeReason::DecodeError));
    }

    /// A box of a JP2 file.
    fn framed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(8 + content.len() as u32).to_be_bytes(), &kind[..], content].concat()
    }

    /// A JP2 file around `code`, with a box of text that names somebody.
    pub(crate) fn wrapped(code: &[u8]) -> Vec<u8> {
        [
            &FILE[..],
            &framed(b"ftyp", b"jp2 \0\0\0\0jp2 "),
            &framed(b"xml ", b"<name>Tremblay</name>"),
            &framed(b"jp2c", code),
        ]
        .concat()
    }

    #[test]
    fn a_file_around_a_code_stream_changes_no_pixel() {
        let lossy = crate::pixels::tests::grey(24, 40, 16, 12);
        let bare = [&CUT[..], &[0xD9]].concat();
        let expected = decode(bare.clone(), TransferSyntax::Jpeg2000, &lossy).unwrap();
        let long = |kind: &[u8; 4], content: &[u8]| {
            [
                &1_u32.to_be_bytes(),
                &kind[..],
                &(16 + content.len() as u64).to_be_bytes(),
                content,
            ]
            .concat()
        };
        let type_box = framed(b"ftyp", b"jp2 \0\0\0\0jp2 ");
        let header = framed(
            b"jp2h",
            &framed(b"ihdr", &[0, 0, 0, 24, 0, 0, 0, 40, 0, 1, 15, 7, 1, 0]),
        );
        let name = framed(b"xml ", b"<name/>");
        let open = [&0_u32.to_be_bytes(), &b"jp2c"[..], &bare].concat();
        for code in [framed(b"jp2c", &bare), long(b"jp2c", &bare), open] {
            let file = [&FILE[..], &type_box, &header, &name, &code].concat();
            let decoded = decode(file, TransferSyntax::Jpeg2000, &lossy).unwrap();
            assert_eq!(decoded.words, expected.words);
            assert_eq!(decoded.comment_bytes, expected.comment_bytes + 7);
        }
        let code = framed(b"jp2c", &bare);
        let palette = framed(b"jp2h", &framed(b"pclr", &[0; 9]));
        for boxes in [
            [&palette[..], &code].concat(),
            [&code[..], &code].concat(),
            header.clone(),
            framed(b"jp2h", &[0, 0, 0, 3]),
            code[..code.len() - 40].to_vec(),
        ] {
            let file = [&FILE[..], &type_box, &boxes].concat();
            let refused = decode(file, TransferSyntax::Jpeg2000, &lossy);
            assert_eq!(refused.err(), Some(IntakeReason::DecodeError));
        }
    }

    proptest! {
        #[test]
        fn no_stream_panics(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let stream: Vec<u8> = main_header(64, 64).into_iter().chain(tail).collect();
            if let Some(size) = size(&stream) {
                let _ = coding(&stream, &size);
            }
        }

        #[test]
        fn no_file_panics(tail in proptest::collection::vec(prop_oneof![any::<u8>(), 0_u8..9], 0..60)) {
            let _ = unboxed(FILE.into_iter().chain(tail).collect());
        }
    }
}
