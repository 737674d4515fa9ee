//! Which fragments of encapsulated pixels are one frame (PS3.5 annex A.4).

/// The starts of the streams that may lie in several fragments: JPEG and JPEG-LS, JPEG 2000 and HTJ2K, JPEG XL.
const STARTS: [&[u8]; 3] = [&[0xFF, 0xD8, 0xFF], &[0xFF, 0x4F, 0xFF, 0x51], &[0xFF, 0x0A]];

/// The fragments of each of `count` frames; `None` if they cannot be told apart.
///
/// One frame has all fragments. Of several, each has one fragment, or begins where a fragment begins with the start of a
/// stream. Offset tables are not asked: many are empty or wrong, and a stream says itself where it begins.
pub(crate) fn frames<'a>(fragments: &[&'a [u8]], count: usize) -> Option<Vec<Vec<&'a [u8]>>> {
    if fragments.is_empty() {
        return None;
    }
    if count == 1 {
        return Some(vec![fragments.to_vec()]);
    }
    if count == fragments.len() {
        return Some(fragments.iter().map(|fragment| vec![*fragment]).collect());
    }
    let mut frames: Vec<Vec<&[u8]>> = Vec::new();
    for fragment in fragments {
        let starts = STARTS.iter().any(|start| fragment.starts_with(start));
        match frames.last_mut() {
            Some(frame) if !starts => frame.push(fragment),
            None if !starts => return None,
            _ => frames.push(vec![fragment]),
        }
    }
    (frames.len() == count).then_some(frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_told_apart_by_number_or_by_their_starts() {
        let (start, more): (&[u8], &[u8]) = (&[0xFF, 0xD8, 0xFF, 0xC1], &[1, 2]);
        assert_eq!(frames(&[more, more], 1), Some(vec![vec![more, more]]));
        assert_eq!(frames(&[more, more], 2), Some(vec![vec![more], vec![more]]));
        assert_eq!(
            frames(&[start, more, start, more, more], 2),
            Some(vec![vec![start, more], vec![start, more, more]])
        );
        assert_eq!(frames(&[start, more, more], 2), None);
        assert_eq!(frames(&[more, start, start], 2), None);
        assert_eq!(frames(&[], 1), None);
    }
}
