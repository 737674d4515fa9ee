//! RLE frames (PS3.5 annex G) with stored bits only.

use super::Layout;

const HEADER_BYTES: usize = 64;
const SEGMENTS_MAX: usize = 15;

/// `frame` with the bits above the stored ones gone; as it came where none were set. `None` if it does not decode.
pub(super) fn masked(frame: &[u8], layout: &Layout) -> Option<Vec<u8>> {
    let segments = segments(frame)?;
    let wide = layout.bits_allocated == 16;
    // Of each sample the segment of high bytes comes first.
    let per_sample = if wide { 2 } else { 1 };
    if layout.high_bit + 1 != layout.bits_stored || segments.len() != layout.samples * per_sample {
        return None;
    }
    let mut rewritten = Vec::with_capacity(segments.len());
    let mut changed = false;
    for (place, segment) in segments.iter().enumerate() {
        let plane = unpacked(segment, layout.pixels)?;
        let is_high = wide && place % 2 == 0;
        let kept: Vec<u8> = plane
            .iter()
            .map(|byte| masked_byte(*byte, is_high, wide, layout))
            .collect();
        changed |= kept != plane;
        rewritten.push(kept);
    }
    // Bytes behind the last run of a segment are no pixels either, so what was decoded is always what is written.
    let same = !changed && packed_bytes(&segments, layout.pixels) == Some(frame.len() - HEADER_BYTES);
    Some(if same { frame.to_vec() } else { packed(&rewritten) })
}

/// A byte of a plane with its stored bits: the low byte of a wide word is stored whole where 8 bits or more are.
const fn masked_byte(byte: u8, is_high: bool, wide: bool, layout: &Layout) -> u8 {
    let word = if is_high { (byte as u16) << 8 } else { byte as u16 };
    // The sign of a wide word stands in its other byte: a plane alone cannot extend it, so a signed high byte keeps the
    // sign bit and gets copies of it only where the sign lies in it.
    let sign_is_here = !wide || is_high == (layout.high_bit >= 8);
    let masked = if sign_is_here {
        layout.masked(word)
    } else {
        word & (u16::MAX >> (16 - layout.bits_stored))
    };
    if is_high { (masked >> 8) as u8 } else { masked as u8 }
}

fn segments(frame: &[u8]) -> Option<Vec<&[u8]>> {
    let header = frame.get(..HEADER_BYTES)?;
    let word = |place: usize| -> Option<usize> {
        let bytes: [u8; 4] = header.get(place * 4..place * 4 + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let count = word(0).filter(|count| (1..=SEGMENTS_MAX).contains(count))?;
    let starts = (1..=count).map(word).collect::<Option<Vec<_>>>()?;
    let ends = starts.iter().copied().skip(1).chain([frame.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| frame.get((*start).max(HEADER_BYTES)..end))
        .collect()
}

/// Exactly `pixels` bytes of a PackBits segment, or `None`.
fn unpacked(segment: &[u8], pixels: usize) -> Option<Vec<u8>> {
    let mut plane = Vec::with_capacity(pixels.min(segment.len().saturating_mul(64)));
    let mut at = 0;
    while plane.len() < pixels {
        let control = *segment.get(at)?;
        at += 1;
        if control < 128 {
            let literal = segment.get(at..at + usize::from(control) + 1)?;
            plane.extend_from_slice(literal);
            at += literal.len();
        } else if control > 128 {
            let byte = *segment.get(at)?;
            plane.resize(plane.len() + 257 - usize::from(control), byte);
            at += 1;
        }
    }
    plane.truncate(pixels);
    Some(plane)
}

/// Bytes that the segments need at most to hold their pixels, padding to even length included; `None` if there are more.
fn packed_bytes(segments: &[&[u8]], pixels: usize) -> Option<usize> {
    let mut total = 0;
    for segment in segments {
        let (mut at, mut held) = (0, 0);
        while held < pixels {
            let control = usize::from(*segment.get(at)?);
            let (skip, gives) = match control {
                0..128 => (control + 2, control + 1),
                128 => (1, 0),
                _ => (2, 257 - control),
            };
            at += skip;
            held += gives;
        }
        let padding = segment.get(at..)?;
        if held != pixels || padding.len() > 1 || padding.iter().any(|byte| *byte != 0) {
            return None;
        }
        total += segment.len();
    }
    Some(total)
}

/// A frame of PackBits segments.
fn packed(planes: &[Vec<u8>]) -> Vec<u8> {
    let mut header = [0_u8; HEADER_BYTES];
    let mut body = Vec::new();
    let count = u32::try_from(planes.len()).unwrap_or(0);
    header[..4].copy_from_slice(&count.to_le_bytes());
    for (place, plane) in planes.iter().enumerate() {
        let start = u32::try_from(HEADER_BYTES + body.len()).unwrap_or(u32::MAX);
        if let Some(slot) = header.get_mut(4 + place * 4..8 + place * 4) {
            slot.copy_from_slice(&start.to_le_bytes());
        }
        pack(plane, &mut body);
        if body.len() % 2 == 1 {
            body.push(0);
        }
    }
    [&header[..], &body].concat()
}

fn pack(plane: &[u8], body: &mut Vec<u8>) {
    let mut rest = plane;
    while let Some(first) = rest.first() {
        let run = rest.iter().take(128).take_while(|byte| *byte == first).count();
        if run > 1 {
            body.extend([u8::try_from(257 - run).unwrap_or(129), *first]);
            rest = rest.get(run..).unwrap_or_default();
            continue;
        }
        let literal = rest
            .windows(2)
            .take(127)
            .take_while(|pair| pair[0] != pair[1])
            .count()
            .max(1);
        let literal = if literal + 1 == rest.len() && literal < 128 {
            literal + 1
        } else {
            literal
        };
        body.push(u8::try_from(literal - 1).unwrap_or(127));
        body.extend_from_slice(rest.get(..literal).unwrap_or_default());
        rest = rest.get(literal..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::standard::frames::layout_for_tests;

    #[test]
    fn hidden_bits_go_and_a_clean_frame_stays_as_it_came() {
        let layout = layout_for_tests(16, 12, 4);
        let clean = packed(&[vec![1, 2, 15, 15], vec![9, 9, 9, 8]]);
        assert_eq!(masked(&clean, &layout).unwrap(), clean);
        let hidden = packed(&[vec![0x41, 0x52, 0xFF, 0x0F], vec![9, 9, 9, 8]]);
        let kept = masked(&hidden, &layout).unwrap();
        let planes: Vec<_> = segments(&kept)
            .unwrap()
            .iter()
            .map(|one| unpacked(one, 4).unwrap())
            .collect();
        assert_eq!(planes, [vec![1, 2, 15, 15], vec![9, 9, 9, 8]]);
        let mut padded = clean.clone();
        padded.extend(b"JANE DOE");
        assert_eq!(masked(&padded, &layout).unwrap(), clean);
    }

    proptest! {
        #[test]
        fn planes_survive_packing(plane in proptest::collection::vec(0_u8..4, 1..700)) {
            let mut body = Vec::new();
            pack(&plane, &mut body);
            prop_assert_eq!(unpacked(&body, plane.len()), Some(plane));
        }

        #[test]
        fn no_frame_panics(frame in proptest::collection::vec(any::<u8>(), 0..200), pixels in 1_usize..500) {
            let _ = masked(&frame, &layout_for_tests(16, 12, pixels));
        }
    }
}
