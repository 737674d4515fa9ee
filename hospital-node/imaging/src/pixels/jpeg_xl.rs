//! JPEG XL (ISO/IEC 18181), lossless, by `jxl-oxide`, which counts what it allocates against a limit that we give.

use jxl_oxide::{AllocTracker, JxlImage, JxlThreadPool, PixelFormat, image::BitDepth};
use snowball_protocol::intake::IntakeReason;

use super::{Description, Words};

/// What a decoder may hold for each pixel, in bytes: a few planes of four bytes and their predictors.
const BYTES_A_PIXEL: usize = 64;
/// What it may hold besides, for tables.
const BYTES_BESIDE: usize = 32 << 20;

/// Decodes one frame whose header agrees with the data set.
pub(super) fn decode(stream: &[u8], description: &Description) -> Result<Words, IntakeReason> {
    let failed = |_| IntakeReason::DecodeError;
    let image = JxlImage::builder()
        .alloc_tracker(AllocTracker::with_limit(
            description.pixels() * BYTES_A_PIXEL + BYTES_BESIDE,
        ))
        .pool(JxlThreadPool::none())
        .read(stream)
        .map_err(failed)?;
    if image.pixel_format() != PixelFormat::Gray {
        return Err(IntakeReason::NotGrey);
    }
    let metadata = &image.image_header().metadata;
    // A picture that is to be turned would contradict the data set's own rows and columns and its sides.
    if (image.height(), image.width()) != (description.rows, description.columns) || metadata.orientation != 1 {
        return Err(IntakeReason::SizeMismatch);
    }
    let bits = match metadata.bit_depth {
        BitDepth::IntegerSample { bits_per_sample } => bits_per_sample,
        BitDepth::FloatSample { .. } => return Err(IntakeReason::DecodeError),
    };
    // Colours of its own would be converted on the way out: only samples as they were encoded are stored values.
    if bits == 0 || bits > u32::from(description.bits_allocated) || metadata.xyb_encoded {
        return Err(IntakeReason::DecodeError);
    }
    if image.num_loaded_keyframes() != 1 {
        return Err(IntakeReason::NotGrey);
    }
    let render = image.render_frame(0).map_err(failed)?;
    let mut samples = vec![0_f32; description.pixels()];
    if render.stream().write_to_buffer(&mut samples) != samples.len() {
        return Err(IntakeReason::SizeMismatch);
    }
    // Samples are given as parts of the largest one; 24 bits of precision give 16-bit integers back exactly.
    let max = ((1_u32 << bits) - 1) as f32;
    Ok(Words {
        words: samples.into_iter().map(|part| (part * max).round() as u16).collect(),
        comment_bytes: 0,
        overshoots: false,
        lossy: false,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pixels::tests::grey;

    #[test]
    fn other_bytes_are_no_picture() {
        for stream in [&b""[..], b"\xFF\x0A", b"\xFF\xD8\xFF"] {
            assert_eq!(decode(stream, &grey(2, 2, 8, 8)).err(), Some(IntakeReason::DecodeError));
        }
    }

    proptest! {
        #[test]
        fn no_stream_panics(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let stream: Vec<u8> = [0xFF, 0x0A].into_iter().chain(tail).collect();
            let _ = decode(&stream, &grey(8, 8, 8, 8));
        }
    }
}
