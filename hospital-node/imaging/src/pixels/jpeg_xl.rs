//! JPEG XL (ISO/IEC 18181), by `jxl-oxide`, which counts what it allocates against a limit that we give.
//!
//! Of a container (part 2) the code stream alone is taken. The other boxes are no picture: EXIF, XML, what a JPEG stream is rebuilt
//! from; some are compressed, and nothing says how large they become.
//!
//! What was coded without loss comes back exactly. What was coded with loss, or holds the coefficients of a JPEG stream, is a
//! transform whose result every decoder rounds in its own way, as with JPEG: of 12 streams of 8 bits by libjxl 0.7 no pixel was more
//! than 1 from what its own decoder gives, of 9 of 16 bits none more than 8 of 65,535.

mod boxes;

use jxl_oxide::{AllocTracker, JxlImage, JxlThreadPool, PixelFormat, frame::Encoding, image::BitDepth};
use snowball_protocol::intake::IntakeReason;

use super::{Description, Words};
use crate::read::syntax::TransferSyntax;

/// What a decoder may hold for each pixel, in bytes: a few planes of four bytes and their predictors.
const BYTES_A_PIXEL: usize = 64;
/// What it may hold besides, for tables.
const BYTES_BESIDE: usize = 32 << 20;

/// Decodes one frame whose header agrees with the data set.
pub(super) fn decode(stream: &[u8], syntax: TransferSyntax, description: &Description) -> Result<Words, IntakeReason> {
    let failed = |_| IntakeReason::DecodeError;
    let found = boxes::code_stream(stream).ok_or(IntakeReason::DecodeError)?;
    let image = JxlImage::builder()
        .alloc_tracker(AllocTracker::with_limit(
            description.pixels() * BYTES_A_PIXEL + BYTES_BESIDE,
        ))
        .pool(JxlThreadPool::none())
        .read(&*found.stream)
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
    if bits == 0 || bits > u32::from(description.bits_allocated) {
        return Err(IntakeReason::DecodeError);
    }
    if image.num_loaded_keyframes() != 1 {
        return Err(IntakeReason::NotGrey);
    }
    let header = image.frame_header(0).ok_or(IntakeReason::DecodeError)?;
    let is_lossy = metadata.xyb_encoded || header.encoding == Encoding::VarDct;
    // What is said to be lossless and is not contradicts itself. Colours of the codec's own go back by a curve that is named; by a
    // profile they would need a reader of profiles.
    if is_lossy && syntax == TransferSyntax::JpegXlLossless
        || metadata.xyb_encoded && metadata.colour_encoding.want_icc()
    {
        return Err(IntakeReason::DecodeError);
    }
    let render = image.render_frame(0).map_err(failed)?;
    let mut samples = vec![0_f32; description.pixels()];
    if render.stream().write_to_buffer(&mut samples) != samples.len() {
        return Err(IntakeReason::SizeMismatch);
    }
    // Samples are given as parts of the largest one; 24 bits of precision give 16-bit integers back exactly.
    let max = ((1_u32 << bits) - 1) as f32;
    let word = |part: f32| (part * max).round() as u16;
    Ok(Words {
        words: if is_lossy {
            samples.into_iter().map(|part| word(part.clamp(0.0, 1.0))).collect()
        } else {
            samples.into_iter().map(word).collect()
        },
        comment_bytes: found.other_bytes,
        overshoots: is_lossy,
        lossy: is_lossy,
    })
}

#[cfg(test)]
mod tests;
