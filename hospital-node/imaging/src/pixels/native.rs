//! Pixels that are not compressed (PS3.5 section 8.1.1).

use snowball_protocol::intake::IntakeReason;

use super::{Description, Words};

/// How long a frame may be: some padding behind it is met; as much as another frame or a large part of one is another
/// size.
pub(super) fn bytes_max(description: &Description) -> usize {
    let needed = description.frame_bytes();
    needed + needed.div_ceil(4).max(2)
}

/// Reads frame number `frame`, from 0. `wide` says that the value's representation is of 16-bit words, which turns pairs of
/// 8-bit pixels around in big endian.
pub(super) fn decode_at(
    value: &[u8],
    frame: usize,
    wide: bool,
    big: bool,
    description: &Description,
) -> Result<Words, IntakeReason> {
    let words = if description.bits_allocated == 1 {
        bits(value, frame, description)
    } else {
        let needed = description.frame_bytes();
        let start = frame.checked_mul(needed).ok_or(IntakeReason::SizeMismatch)?;
        // Pairs that are turned around may hold pixels of two frames.
        if big && wide && description.bits_allocated == 8 {
            (start..start + needed)
                .map(|at| value.get(at ^ 1).or_else(|| value.get(at)).map(|byte| u16::from(*byte)))
                .collect::<Option<_>>()
        } else {
            start
                .checked_add(needed)
                .and_then(|end| value.get(start..end))
                .map(|bytes| words(bytes, big, description))
        }
    };
    let words = words.ok_or(IntakeReason::SizeMismatch)?;
    Ok(Words {
        words: if description.planar {
            interleaved(&words, description)
        } else {
            words
        },
        comment_bytes: 0,
        overshoots: false,
        lossy: false,
    })
}

fn words(bytes: &[u8], big: bool, description: &Description) -> Vec<u16> {
    match (description.bits_allocated, big) {
        (8, _) => bytes.iter().map(|byte| u16::from(*byte)).collect(),
        // A double word is given as two words, the lower one first.
        (32, true) => bytes
            .chunks_exact(4)
            .flat_map(|four| {
                [
                    u16::from_be_bytes([four[2], four[3]]),
                    u16::from_be_bytes([four[0], four[1]]),
                ]
            })
            .collect(),
        (_, true) => bytes
            .chunks_exact(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect(),
        (_, false) => bytes
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect(),
    }
}

/// Pixels of one bit, the lowest bit of a byte first; frames follow each other without a gap (PS3.5 section 8.1.1).
fn bits(value: &[u8], frame: usize, description: &Description) -> Option<Vec<u16>> {
    let count = description.values();
    let first = frame.checked_mul(count)?;
    (first..first.checked_add(count)?)
        .map(|at| value.get(at / 8).map(|byte| u16::from(byte >> (at % 8) & 1)))
        .collect()
}

/// Planes of colour, pixel by pixel.
fn interleaved(planes: &[u16], description: &Description) -> Vec<u16> {
    let pixels = description.pixels();
    (0..planes.len())
        .map(|place| {
            let (pixel, sample) = (
                place / usize::from(description.samples),
                place % usize::from(description.samples),
            );
            planes[sample * pixels + pixel]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::tests::grey;

    #[test]
    fn frames_of_bits_follow_each_other_without_a_gap() {
        let description = grey(1, 3, 1, 1);
        let frame = |number| decode_at(&[0b1010_1011], number, false, false, &description).map(|words| words.words);
        assert_eq!(frame(0), Ok(vec![1, 1, 0]));
        assert_eq!(frame(1), Ok(vec![1, 0, 1]));
        assert_eq!(frame(2), Err(IntakeReason::SizeMismatch), "only two bits are left");
    }

    #[test]
    fn planes_and_pixels_and_double_words_are_told_apart() {
        let colour = Description {
            samples: 3,
            planar: true,
            ..grey(1, 2, 8, 8)
        };
        let planes = decode_at(&[1, 4, 2, 5, 3, 6], 0, false, false, &colour).unwrap();
        assert_eq!(planes.words, [1, 2, 3, 4, 5, 6]);
        let double = grey(1, 1, 32, 16);
        for (bytes, big) in [([0x34, 0x12, 0x78, 0x56], false), ([0x56, 0x78, 0x12, 0x34], true)] {
            assert_eq!(
                decode_at(&bytes, 0, false, big, &double).unwrap().words,
                [0x1234, 0x5678]
            );
        }
    }

    #[test]
    fn the_second_of_three_frames_is_found() {
        let description = grey(1, 2, 8, 8);
        let words = |big| decode_at(&[1, 2, 3, 4, 5, 6], 1, big, big, &description).unwrap().words;
        assert_eq!((words(false), words(true)), (vec![3, 4], vec![4, 3]));
        assert!(decode_at(&[1, 2, 3, 4, 5], 2, false, false, &description).is_err());
    }
}
