//! The pages that a reviewer looks through. They hold patients' pixels and nothing else of anybody.

use std::path::Path;

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{GrayImage, codecs::jpeg::JpegEncoder, imageops};
use snowball_crypto::Pseudonym;
use snowball_imaging::Limits;
use snowball_service::files;

use super::Drawn;
use crate::{home::Home, page};

/// Pictures on one page.
const PICTURES: usize = 24;
/// Of JPEG: text of few pixels stays legible.
const QUALITY: u8 = 92;

/// Writes the pages into `out`, and gives their number.
pub fn write(home: &Home, drawn: &Drawn, written: Option<&Path>, out: &Path, side: u32) -> Result<usize> {
    files::create_home(out).with_context(|| format!("cannot make {}", out.display()))?;
    let config = home.config()?;
    let (store, reader) = (home.open_store(&config)?, home.reader(&config)?);
    let bytes_max = usize::try_from(Limits::default().file_bytes_max)?;
    let picture = |name: &str| -> Result<GrayImage> {
        let (columns, rows, grey) = match written {
            Some(folder) => {
                let bytes = files::read_bounded(&folder.join(name), bytes_max)
                    .with_context(|| format!("cannot read {name}"))?;
                let picture = reader
                    .picture(&bytes)
                    .map_err(|reason| anyhow::anyhow!("{name} does not decode: {}", reason.code()))?;
                (picture.columns, picture.rows, picture.grey)
            }
            None => {
                let radiograph: Pseudonym = name.parse().context("a plan names what is no pseudonym")?;
                let master = store
                    .master(&radiograph)?
                    .context("a picture of the plan is gone; was it withdrawn meanwhile? draw anew")?;
                (master.columns, master.rows, stretched(&master.pixels))
            }
        };
        let picture = GrayImage::from_raw(columns, rows, grey).context("a picture has no pixels")?;
        Ok(fitted(picture, side))
    };
    let pages = drawn.pictures.len().div_ceil(PICTURES);
    for (number, names) in drawn.pictures.chunks(PICTURES).enumerate() {
        let pictures: Vec<page::SheetPicture> = names
            .iter()
            .enumerate()
            .map(|(place, name)| {
                Ok(page::SheetPicture {
                    number: number * PICTURES + place + 1,
                    jpeg: STANDARD.encode(jpeg(&picture(name)?)?),
                })
            })
            .collect::<Result<_>>()?;
        let html = page::sheet(drawn.pictures.len(), number + 1, pages, &pictures)?;
        let path = out.join(format!("page-{:03}.html", number + 1));
        files::write_private(&path, html.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(pages)
}

/// All of the values in eight bits, the smallest black.
fn stretched(values: &[u16]) -> Vec<u8> {
    let least = values.iter().min().copied().unwrap_or(0);
    let range = u32::from(values.iter().max().copied().unwrap_or(0) - least).max(1);
    values
        .iter()
        .map(|value| (u32::from(value - least) * 255 / range) as u8)
        .collect()
}

fn fitted(picture: GrayImage, side: u32) -> GrayImage {
    let longest = picture.width().max(picture.height());
    if longest <= side {
        return picture;
    }
    let scaled = |length: u32| (u64::from(length) * u64::from(side) / u64::from(longest)).max(1) as u32;
    let (width, height) = (scaled(picture.width()), scaled(picture.height()));
    imageops::resize(&picture, width, height, imageops::FilterType::Triangle)
}

fn jpeg(picture: &GrayImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(picture)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_their_shape_and_use_all_of_eight_bits() {
        let fitted = fitted(GrayImage::new(2000, 500), 640);
        assert_eq!(fitted.dimensions(), (640, 160));
        assert_eq!(stretched(&[100, 300, 200]), [0, 255, 127]);
        assert!(jpeg(&GrayImage::new(8, 8)).unwrap().starts_with(&[0xff, 0xd8]));
    }
}
