//! A scanned page in a radiograph's clothes: nearly all paper, the rest ink, hardly anything between.

/// The part of the range above which a pixel is paper, and below which it is ink.
const PAPER: f64 = 0.85;
const INK: f64 = 0.15;
/// A page has at least this part of paper, and at most that part of tones between.
const PAPER_SHARE_MIN: f64 = 0.80;
const BETWEEN_SHARE_MAX: f64 = 0.10;

/// True if `pixels` (0 is black) are a page of text rather than a picture: every radiograph has its tones in between,
/// and its brightest tones are the smaller part.
pub(crate) fn is_page(pixels: &[u16]) -> bool {
    let least = pixels.iter().fold(u16::MAX, |least, value| least.min(*value));
    let most = pixels.iter().fold(0, |most, value| most.max(*value));
    if most <= least {
        return false;
    }
    let (least, range) = (f64::from(least), f64::from(most - least));
    let tone = |value: u16| (f64::from(value) - least) / range;
    // Tones rise with values: where paper begins and ink ends is looked up once.
    let paper_from = first(|value| tone(value) >= PAPER);
    let between_from = first(|value| tone(value) > INK);
    // In pieces that a small number counts, for the widest registers.
    let count = |from: u32| -> usize {
        let pieces = pixels.chunks(1 << 12).map(|piece| {
            let beyond = |count: u16, value: &u16| count.wrapping_add(u16::from(u32::from(*value) >= from));
            usize::from(piece.iter().fold(0, beyond))
        });
        pieces.sum()
    };
    let (paper, lit) = (count(paper_from), count(between_from));
    let between = lit - paper;
    let share = |count: usize| count as f64 / pixels.len() as f64;
    share(paper) >= PAPER_SHARE_MIN && share(between) <= BETWEEN_SHARE_MAX
}

/// The first value that `is_beyond` names, which names all larger ones; one more than the largest if there is none.
fn first(is_beyond: impl Fn(u16) -> bool) -> u32 {
    let (mut from, mut to) = (0, 1 << 16);
    while from < to {
        let middle: u32 = (from + to) / 2;
        // In range: the middle is less than `to`.
        if is_beyond(middle as u16) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    from
}

#[cfg(test)]
mod tests {
    use super::{first, is_page};

    #[test]
    fn pages_are_pages_and_gradients_are_not() {
        let page: Vec<u16> = (0..1000).map(|place| if place % 15 == 0 { 20 } else { 250 }).collect();
        assert!(is_page(&page));
        let inverted: Vec<u16> = page.iter().map(|value| 255 - value).collect();
        assert!(!is_page(&inverted), "white letters on black are for the text search");
        assert!(!is_page(&(0..1000).collect::<Vec<u16>>()));
        assert!(!is_page(&[7; 100]));
        assert_eq!(
            [first(|_| true), first(|value| value > 7), first(|_| false)],
            [0, 8, 65_536]
        );
    }
}
