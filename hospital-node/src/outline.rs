//! A radiograph beside itself with outlines of masks on it. Pure.

use std::io::Cursor;

use anyhow::{Context, Result};
use image::{GrayImage, ImageFormat, Rgb, RgbImage, imageops};

/// Pictures are enlarged to at least this side, in pixels.
const SIDE_MIN: u32 = 256;
/// Between the two pictures, in pixels.
const GAP: u32 = 4;
/// Around what the network drew.
const DRAWN: [u8; 3] = [255, 110, 0];
/// Around what the hospital drew.
const HOSPITAL: [u8; 3] = [0, 200, 255];

/// A PNG with the radiograph on the left, and on the right the same with the outlines of `drawn` and, where the hospital drew one, of
/// `own`. All three are `side * side` values, row by row.
pub fn png(square: &[u16], side: u32, drawn: &[u8], own: Option<&[u8]>) -> Result<Vec<u8>> {
    let grey = square.iter().map(|value| (value >> 8) as u8).collect();
    let grey = GrayImage::from_raw(side, side, grey).context("a radiograph is not of the dataset's side")?;
    let scale = SIDE_MIN.div_ceil(side.max(1)).max(1);
    let large = side * scale;
    let grey = imageops::resize(&grey, large, large, imageops::FilterType::CatmullRom);
    let picture = RgbImage::from_fn(2 * large + GAP, large, |x, y| match x.checked_sub(large + GAP) {
        None if x >= large => Rgb([255; 3]),
        None => Rgb([grey.get_pixel(x, y).0[0]; 3]),
        Some(x) if is_edge(drawn, side, scale, x, y) => Rgb(DRAWN),
        Some(x) if own.is_some_and(|own| is_edge(own, side, scale, x, y)) => Rgb(HOSPITAL),
        Some(x) => Rgb([grey.get_pixel(x, y).0[0]; 3]),
    });
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png)?;
    Ok(png.into_inner())
}

/// Whether the enlarged mask marks the point and something else stands beside it.
fn is_edge(mask: &[u8], side: u32, scale: u32, x: u32, y: u32) -> bool {
    let at = |x: u32, y: u32| mask.get((y / scale * side + x / scale) as usize).copied().unwrap_or(0);
    let class = at(x, y);
    let last = side * scale - 1;
    class != 0
        && (x == 0
            || y == 0
            || x == last
            || y == last
            || [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)]
                .iter()
                .any(|(x, y)| at(*x, *y) != class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlines_lie_around_what_is_marked_on_the_right_picture_alone() {
        const SIDE: usize = 64;
        let marked = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>| -> Vec<u8> {
            let is_in = |place: usize| rows.contains(&(place / SIDE)) && columns.contains(&(place % SIDE));
            (0..SIDE * SIDE).map(|place| u8::from(is_in(place))).collect()
        };
        // Wide and low, so that rows and columns that were exchanged are seen.
        let (drawn, own) = (marked(10..20, 5..50), marked(30..40, 5..50));
        let png = png(&[0x8000; SIDE * SIDE], SIDE as u32, &drawn, Some(&own)).unwrap();
        let picture = image::load_from_memory(&png).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), (516, 256));
        let at = |column: u32, row: u32| picture.get_pixel(260 + column * 4, row * 4).0;
        assert_eq!((at(5, 10), at(20, 10), at(5, 15)), (DRAWN, DRAWN, DRAWN));
        assert_eq!((at(5, 30), at(20, 30)), (HOSPITAL, HOSPITAL));
        assert_eq!((at(20, 15), at(20, 25), at(55, 15)), ([0x80; 3], [0x80; 3], [0x80; 3]));
        assert!(
            picture
                .enumerate_pixels()
                .all(|(x, _, pixel)| x >= 260 || pixel.0[0] == pixel.0[2])
        );
    }
}
