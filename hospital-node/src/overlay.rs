//! A radiograph beside itself with a saliency map laid over it. Pure.

use std::io::Cursor;

use anyhow::{Context, Result};
use image::{GrayImage, ImageBuffer, ImageFormat, Luma, Rgb, RgbImage, imageops};
use snowball_worker::job::SaliencyMap;

/// Pictures are enlarged to at least this side, in pixels.
const SIDE_MIN: u32 = 256;
/// Between the two pictures, in pixels.
const GAP: u32 = 4;
/// What moved the output most. One hue, so that the greys below stay readable.
const COLOUR: [f32; 3] = [255.0, 110.0, 0.0];
/// How much of the colour stands where the map is largest.
const SHARE_MAX: f32 = 0.65;

/// A PNG with the radiograph on the left and the same under the map on the right. `square` is `side * side` values, row by row, 0 black
/// to 65535 white. Only what raised the output is coloured, and the strongest field of each picture equally strongly.
pub fn png(square: &[u16], side: u32, map: &SaliencyMap) -> Result<Vec<u8>> {
    let grey = square.iter().map(|value| (value >> 8) as u8).collect();
    let grey = GrayImage::from_raw(side, side, grey).context("a radiograph is not of the dataset's side")?;
    let large = side * SIDE_MIN.div_ceil(side.max(1)).max(1);
    let grey = imageops::resize(&grey, large, large, imageops::FilterType::CatmullRom);
    let weights = weights(map, large)?;
    let picture = RgbImage::from_fn(2 * large + GAP, large, |x, y| match x.checked_sub(large + GAP) {
        None if x >= large => Rgb([255; 3]),
        None => Rgb([grey.get_pixel(x, y).0[0]; 3]),
        Some(x) => under(grey.get_pixel(x, y).0[0], weights.get_pixel(x, y).0[0]),
    });
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png)?;
    Ok(png.into_inner())
}

/// Whether any field of the map raised the output.
pub fn raises(map: &SaliencyMap) -> bool {
    strongest(map) > 0.0
}

fn strongest(map: &SaliencyMap) -> f32 {
    map.values.iter().copied().fold(0.0, f32::max)
}

/// The map's fields from 0 to 1 (the rectification of Selvaraju et al. 2017), spread over the picture.
fn weights(map: &SaliencyMap, side: u32) -> Result<ImageBuffer<Luma<f32>, Vec<f32>>> {
    let strongest = strongest(map);
    let weight = |value: &f32| {
        if strongest > 0.0 {
            value.max(0.0) / strongest
        } else {
            0.0
        }
    };
    let fields = map.values.iter().map(weight).collect();
    let fields: ImageBuffer<Luma<f32>, Vec<f32>> =
        ImageBuffer::from_raw(map.width, map.height, fields).context("a map is not of its own size")?;
    Ok(imageops::resize(&fields, side, side, imageops::FilterType::Triangle))
}

fn under(grey: u8, weight: f32) -> Rgb<u8> {
    let share = SHARE_MAX * weight.clamp(0.0, 1.0);
    Rgb(COLOUR.map(|colour| (f32::from(grey) * (1.0 - share) + colour * share).round() as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(values: Vec<f32>) -> SaliencyMap {
        SaliencyMap {
            radiograph: 0,
            output: 0,
            height: 2,
            width: 2,
            values,
        }
    }

    fn drawn(map: &SaliencyMap) -> RgbImage {
        let png = png(&[0x8000; 64 * 64], 64, map).unwrap();
        image::load_from_memory(&png).unwrap().to_rgb8()
    }

    #[test]
    fn the_strongest_field_is_coloured_and_what_lowers_the_output_is_not() {
        let picture = drawn(&map(vec![0.0, 2.0, -5.0, 0.0]));
        assert_eq!(picture.dimensions(), (2 * 256 + 4, 256));
        let right = |x: u32, y: u32| picture.get_pixel(260 + x, y).0;
        assert_eq!(picture.get_pixel(250, 5).0, [0x80; 3], "the left picture is as it is");
        assert_eq!(right(250, 5), under(0x80, 1.0).0);
        assert!(right(250, 5)[0] > 0xc0 && right(250, 5)[2] < 0x40);
        assert_eq!(right(5, 250), [0x80; 3]);
    }

    #[test]
    fn where_nothing_raised_the_output_nothing_is_coloured() {
        let map = map(vec![-1.0, 0.0, -2.0, 0.0]);
        assert!(!raises(&map));
        let picture = drawn(&map);
        assert!(
            picture
                .enumerate_pixels()
                .all(|(x, _, pixel)| (256..260).contains(&x) || pixel.0 == [0x80; 3])
        );
    }
}
