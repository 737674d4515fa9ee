//! RLE lossless (PS3.5 annex G): one segment a byte plane, the most significant plane first, each packed as PackBits.
//! Our own, because the stream may come in several fragments and a plane may end early without ending the process.

use snowball_protocol::intake::IntakeReason;

use super::{Description, Words};

const HEADER_BYTES: usize = 64;

/// Decodes one frame.
pub(super) fn decode(stream: &[u8], description: &Description) -> Result<Words, IntakeReason> {
    let number = |index: usize| {
        let bytes = stream.get(4 * index..4 * index + 4)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    };
    let planes = number(0).ok_or(IntakeReason::DecodeError)?;
    let (bytes, samples) = (description.word_bytes(), usize::from(description.samples));
    let is_known = matches!(bytes, 1 | 2) && planes == bytes * samples;
    if !is_known || stream.len() < HEADER_BYTES {
        return Err(IntakeReason::DecodeError);
    }
    let mut words = vec![0; description.values()];
    for plane in 0..planes {
        let start = number(plane + 1).ok_or(IntakeReason::DecodeError)?;
        let stop = if plane + 1 < planes {
            number(plane + 2).unwrap_or(0)
        } else {
            stream.len()
        };
        let segment = stream
            .get(start..stop)
            .filter(|_| start >= HEADER_BYTES)
            .ok_or(IntakeReason::DecodeError)?;
        let shift = 8 * (bytes - 1 - plane % bytes) as u32;
        if samples == 1 {
            unpack(segment, shift, &mut words).ok_or(IntakeReason::DecodeError)?;
        } else {
            let mut sample = vec![0; description.pixels()];
            unpack(segment, shift, &mut sample).ok_or(IntakeReason::DecodeError)?;
            let places = words.iter_mut().skip(plane / bytes).step_by(samples);
            places.zip(sample).for_each(|(word, byte)| *word |= byte);
        }
    }
    Ok(Words {
        words,
        comment_bytes: 0,
        overshoots: false,
        lossy: false,
    })
}

/// Unpacks one plane into the byte of each word that starts at bit `shift`; `None` if the plane ends early.
fn unpack(segment: &[u8], shift: u32, words: &mut [u16]) -> Option<()> {
    let (mut at, mut filled) = (0, 0);
    while filled < words.len() {
        let control = segment.get(at)?.cast_signed();
        at += 1;
        match control {
            0..=127 => {
                let count = (control.unsigned_abs() as usize + 1).min(words.len() - filled);
                let literal = segment.get(at..at + count)?;
                for (word, byte) in words[filled..filled + count].iter_mut().zip(literal) {
                    *word |= u16::from(*byte) << shift;
                }
                at += control.unsigned_abs() as usize + 1;
                filled += count;
            }
            -127..=-1 => {
                let count = (control.unsigned_abs() as usize + 1).min(words.len() - filled);
                let byte = u16::from(*segment.get(at)?) << shift;
                words[filled..filled + count].iter_mut().for_each(|word| *word |= byte);
                at += 1;
                filled += count;
            }
            -128 => {}
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_standard_s_three_kinds_of_run_unpack() {
        let mut words = [0; 6];
        unpack(&[0xFE, 0xAA, 0x80, 0x02, 1, 2, 3], 8, &mut words).unwrap();
        assert_eq!(words, [0xAA00, 0xAA00, 0xAA00, 0x0100, 0x0200, 0x0300]);
        assert_eq!(unpack(&[0xFE, 0xAA], 0, &mut [0; 4]), None);
    }

    proptest! {
        #[test]
        fn no_segment_panics(segment in proptest::collection::vec(any::<u8>(), 0..200), length in 0_usize..300) {
            let mut words = vec![0; length];
            let _ = unpack(&segment, 0, &mut words);
        }
    }
}
