//! Doors for the fuzzer (`tests/fuzz`) to what is otherwise private. Nothing else uses them.

use crate::{
    Limits, TransferSyntax, accept,
    pixels::{self, Description},
    read::DicomFile,
};

/// Syntaxes of which a stream can be decoded by itself, in the order of a seed's first byte.
const SYNTAXES: [TransferSyntax; 16] = [
    TransferSyntax::DeflatedFrame,
    TransferSyntax::Rle,
    TransferSyntax::JpegBaseline,
    TransferSyntax::JpegExtended,
    TransferSyntax::JpegSpectralSelection,
    TransferSyntax::JpegProgressive,
    TransferSyntax::JpegLossless,
    TransferSyntax::JpegLosslessFirstOrder,
    TransferSyntax::JpegLsLossless,
    TransferSyntax::JpegLsNearLossless,
    TransferSyntax::Jpeg2000Lossless,
    TransferSyntax::Jpeg2000,
    TransferSyntax::HighThroughputLossless,
    TransferSyntax::HighThroughputLosslessByResolution,
    TransferSyntax::HighThroughput,
    TransferSyntax::JpegXlLossless,
    TransferSyntax::JpegXlRecompressed,
    TransferSyntax::JpegXl,
];
/// The first of them are decoded by this crate alone.
const OURS: usize = 8;
/// Syntax, rows, columns, bits stored, flags.
const HEAD_BYTES: usize = 7;

/// Small enough that the fuzzer runs thousands a second.
fn limits() -> Limits {
    Limits {
        file_bytes_max: 4 << 20,
        pixels_max: 1 << 20,
        ..Limits::default()
    }
}

/// Reads a whole file as the intake does.
pub fn file(bytes: &[u8]) {
    let limits = limits();
    let Ok(file) = DicomFile::parse(bytes, &limits) else {
        return;
    };
    let _ = accept::radiograph(&file);
    let Ok(description) = Description::read(&file, &limits) else {
        return;
    };
    let (Some(syntax), Some(place)) = (file.syntax, file.syntax.map(place)) else {
        return;
    };
    if place.is_none_or(|place| place < OURS)
        && let Ok(words) = pixels::words(&file, syntax, &description)
    {
        let grey = pixels::render(words, &description);
        assert_eq!(grey.pixels.len(), description.pixels());
    }
}

/// Decodes the stream behind the head with the decoder that the head names.
pub fn pixels(bytes: &[u8]) {
    decode(bytes, SYNTAXES.len());
}

/// The same for the decoders of this crate.
pub fn our_pixels(bytes: &[u8]) {
    decode(bytes, OURS);
}

fn decode(bytes: &[u8], syntaxes: usize) {
    let Some((head, stream)) = bytes.split_first_chunk::<HEAD_BYTES>() else {
        return;
    };
    let bits_allocated = if head[6] & 1 == 1 { 8 } else { 16 };
    let description = Description {
        rows: u32::from(u16::from_le_bytes([head[1], head[2]])).max(1),
        columns: u32::from(u16::from_le_bytes([head[3], head[4]])).max(1),
        frames: 1,
        samples: 1,
        planar: false,
        grey: true,
        bits_allocated,
        bits_stored: head[5] % bits_allocated + 1,
        shift: 0,
        signed: head[6] & 2 == 2,
        inverted: head[6] & 4 == 4,
        padding: (head[6] & 8 == 8).then_some((0, 7)),
        transform: pixels::Transform::None,
    };
    if description.pixels() as u64 > limits().pixels_max {
        return;
    }
    let syntax = SYNTAXES[usize::from(head[0]) % syntaxes];
    if let Ok(words) = pixels::frame(stream.to_vec(), syntax, &description) {
        let grey = pixels::render(words, &description);
        assert_eq!(grey.pixels.len(), description.pixels());
        let max = u16::MAX >> (16 - grey.bits);
        assert!(grey.pixels.iter().all(|value| *value <= max));
    }
}

/// A seed for [`pixels`] from a whole file, and whether it is one for [`our_pixels`].
#[must_use]
pub fn seed(bytes: &[u8]) -> Option<(Vec<u8>, bool)> {
    let limits = Limits::default();
    let file = DicomFile::parse(bytes, &limits).ok()?;
    let description = Description::read(&file, &limits).ok()?;
    let place = place(file.syntax?)?;
    let stream = pixels::stream(&file)?;
    let [rows, columns] = [description.rows, description.columns].map(|side| (side as u16).to_le_bytes());
    let flags = u8::from(description.bits_allocated == 8) | u8::from(description.signed) << 1;
    let mut seed = vec![place as u8];
    seed.extend([rows, columns].concat());
    seed.extend([description.bits_stored - 1, flags]);
    seed.extend(stream);
    Some((seed, place < OURS))
}

fn place(syntax: TransferSyntax) -> Option<usize> {
    SYNTAXES.iter().position(|known| *known == syntax)
}
