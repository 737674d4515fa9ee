//! From a PNG file to a mask. The file comes from outside: its bytes, rows and columns are bounded before memory is asked for.

use std::{
    fs::File,
    io::{Cursor, Read},
    path::Path,
};

use image::{ColorType, ExtendedColorType, ImageDecoder, Limits, codecs::png::PngDecoder};
use snowball_protocol::limits::MASK_CLASSES_MAX;
use snowball_store::Mask;

/// Most bytes of a file.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Most rows or columns.
const SIDE_MAX: u32 = 16_384;
/// Most pixels: as many as a radiograph may have.
const PIXELS_MAX: u64 = 64 << 20;
/// What image programs write for "marked" where there is one class.
const WHITE: u8 = 255;

/// Why a file is no mask.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PictureFault {
    #[error("cannot be read")]
    Unreadable,
    #[error("has more than {FILE_BYTES_MAX} bytes")]
    TooLarge,
    #[error("is no sound PNG")]
    NoPng,
    #[error("has more than {SIDE_MAX} rows or columns, or more than {PIXELS_MAX} pixels")]
    TooManyPixels,
    #[error("is not grey with 8 bits or 1 bit, without a palette or transparency")]
    NotGrey,
    #[error("has other values than 0 and 255, or 0 to {MASK_CLASSES_MAX}")]
    Values,
}

/// Reads the file at `path`.
pub fn read(path: &Path) -> Result<Mask, PictureFault> {
    let mut content = Vec::new();
    let file = File::open(path).map_err(|_| PictureFault::Unreadable)?;
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut content)
        .map_err(|_| PictureFault::Unreadable)?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(PictureFault::TooLarge);
    }
    decode(&content)
}

fn decode(content: &[u8]) -> Result<Mask, PictureFault> {
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(PIXELS_MAX * 4);
    let decoder = PngDecoder::with_limits(Cursor::new(content), limits).map_err(|fault| match fault {
        image::ImageError::Limits(_) => PictureFault::TooManyPixels,
        _ => PictureFault::NoPng,
    })?;
    let (columns, rows) = decoder.dimensions();
    if rows.max(columns) > SIDE_MAX || u64::from(rows) * u64::from(columns) > PIXELS_MAX {
        return Err(PictureFault::TooManyPixels);
    }
    let is_grey = matches!(
        decoder.original_color_type(),
        ExtendedColorType::L8 | ExtendedColorType::L1
    );
    if !is_grey || decoder.color_type() != ColorType::L8 {
        return Err(PictureFault::NotGrey);
    }
    let mut values = vec![0; rows as usize * columns as usize];
    decoder.read_image(&mut values).map_err(|_| PictureFault::NoPng)?;
    numbered(&mut values)?;
    Ok(Mask { rows, columns, values })
}

/// Makes classes of grey tones: white alone is the first class.
fn numbered(values: &mut [u8]) -> Result<(), PictureFault> {
    if values.contains(&WHITE) {
        if values.iter().any(|value| *value != 0 && *value != WHITE) {
            return Err(PictureFault::Values);
        }
        values.iter_mut().for_each(|value| *value = u8::from(*value == WHITE));
    }
    if values.iter().any(|value| *value > MASK_CLASSES_MAX) {
        return Err(PictureFault::Values);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, GrayImage, ImageFormat};

    use super::*;

    fn png(picture: &DynamicImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    fn grey(values: &[u8]) -> Vec<u8> {
        png(&GrayImage::from_raw(3, 2, values.to_vec()).unwrap().into())
    }

    #[test]
    fn white_is_the_first_class_and_numbers_are_classes() {
        let mask = decode(&grey(&[0, 255, 0, 255, 255, 0])).unwrap();
        assert_eq!((mask.rows, mask.columns, mask.values), (2, 3, vec![0, 1, 0, 1, 1, 0]));
        assert_eq!(decode(&grey(&[0, 1, 2, 15, 0, 0])).unwrap().values, [0, 1, 2, 15, 0, 0]);
        assert_eq!(decode(&grey(&[0; 6])).unwrap().values, [0; 6]);
        for values in [[0, 1, 255, 0, 0, 0], [0, 16, 0, 0, 0, 0], [0, 128, 255, 0, 0, 0]] {
            assert_eq!(decode(&grey(&values)), Err(PictureFault::Values));
        }
    }

    #[test]
    fn what_is_no_grey_png_is_refused() {
        let grey = GrayImage::from_raw(3, 2, vec![0; 6]).unwrap();
        let dynamic = DynamicImage::from(grey);
        for other in [
            DynamicImage::from(dynamic.to_rgb8()),
            dynamic.to_luma_alpha8().into(),
            dynamic.to_luma16().into(),
        ] {
            assert_eq!(decode(&png(&other)), Err(PictureFault::NotGrey));
        }
        assert_eq!(decode(b"\x89PNG\r\n\x1a\n"), Err(PictureFault::NoPng));
        assert_eq!(decode(b"GIF89a"), Err(PictureFault::NoPng));
        let whole = png(&dynamic);
        for length in 0..whole.len() - 20 {
            assert!(decode(&whole[..length]).is_err(), "cut at {length}");
        }
        for place in 0..whole.len() {
            let mut spoiled = whole.clone();
            spoiled[place] ^= 0xff;
            // Whatever comes of it, it is an answer; the pixels are never of another size than their header says.
            if let Ok(mask) = decode(&spoiled) {
                assert_eq!(mask.values.len(), mask.rows as usize * mask.columns as usize);
            }
        }
    }

    #[test]
    fn a_picture_that_claims_to_be_vast_costs_nothing() {
        let whole = png(&GrayImage::from_raw(3, 2, vec![0; 6]).unwrap().into());
        for (width, height) in [(1 << 30, 1 << 30), (SIDE_MAX + 1, 1), (SIDE_MAX, SIDE_MAX)] {
            let mut claims = whole.clone();
            claims[16..20].copy_from_slice(&u32::to_be_bytes(width));
            claims[20..24].copy_from_slice(&u32::to_be_bytes(height));
            let sum = crc(&claims[12..29]);
            claims[29..33].copy_from_slice(&sum.to_be_bytes());
            let found = decode(&claims);
            assert!(
                matches!(found, Err(PictureFault::TooManyPixels | PictureFault::NoPng)),
                "{found:?}"
            );
        }
    }

    /// PNG's checksum of a chunk.
    fn crc(bytes: &[u8]) -> u32 {
        let round = |mut sum: u32, byte: &u8| {
            sum ^= u32::from(*byte);
            (0..8).for_each(|_| {
                sum = if sum & 1 == 1 {
                    0xedb8_8320 ^ (sum >> 1)
                } else {
                    sum >> 1
                }
            });
            sum
        };
        !bytes.iter().fold(!0, round)
    }
}
