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
    let (Some(least), Some(most)) = (pixels.iter().min(), pixels.iter().max()) else {
        return false;
    };
    let (least, range) = (f64::from(*least), f64::from(most - least));
    if range == 0.0 {
        return false;
    }
    let (mut paper, mut between) = (0_usize, 0_usize);
    for value in pixels {
        let tone = (f64::from(*value) - least) / range;
        paper += usize::from(tone >= PAPER);
        between += usize::from(tone > INK && tone < PAPER);
    }
    let share = |count: usize| count as f64 / pixels.len() as f64;
    share(paper) >= PAPER_SHARE_MIN && share(between) <= BETWEEN_SHARE_MAX
}

#[cfg(test)]
mod tests {
    use super::is_page;

    #[test]
    fn pages_are_pages_and_gradients_are_not() {
        let page: Vec<u16> = (0..1000).map(|place| if place % 15 == 0 { 20 } else { 250 }).collect();
        assert!(is_page(&page));
        let inverted: Vec<u16> = page.iter().map(|value| 255 - value).collect();
        assert!(!is_page(&inverted), "white letters on black are for the text search");
        assert!(!is_page(&(0..1000).collect::<Vec<u16>>()));
        assert!(!is_page(&[7; 100]));
    }
}
