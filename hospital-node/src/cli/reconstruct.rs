//! `reconstruct`: look at what a network draws of this site's radiographs.

use std::{io::Cursor, path::PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use image::{GrayImage, ImageFormat, Luma, imageops};
use snowball_service::files;
use snowball_worker::{
    job::{DrawJob, EvaluateJob, Job},
    shard::Part,
};

use super::{Context, kept_model::KeptModel};

/// Most radiographs on a page.
const PICTURES_MAX: i64 = 200;
/// Squares of a radiograph: as it is, as it is shown, as it is drawn.
const SQUARES: usize = 3;
/// Radiographs beside each other.
const COLUMNS: usize = 2;
/// Small squares are enlarged by a whole number up to about this side.
const SIDE_SHOWN: usize = 128;
/// Between the squares of a radiograph, and between radiographs, in pixels.
const GAP: usize = 2;
const MARGIN: usize = 12;

/// Draw a page of radiographs as they are, as the network is shown them, and as it draws them again. The pixels are patients': the file
/// stays on site; the policy must permit it.
#[derive(Args)]
#[command(
    after_help = "Example: hospital-node reconstruct --plan masked.toml --model local --out page.png --pictures 12"
)]
pub struct Reconstruct {
    #[command(flatten)]
    of: KeptModel,
    /// The PNG file to write.
    #[arg(long)]
    out: PathBuf,
    /// How many radiographs, of testing patients.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=PICTURES_MAX))]
    pictures: u32,
}

impl Reconstruct {
    pub fn run(self, context: &Context) -> Result<()> {
        let opened = self.of.open(context)?;
        let (plan, trainer) = (&opened.plan, &opened.trainer);
        if plan.reconstruction().is_none() {
            bail!("the plan asks for no reconstruction; take one with [pretext.reconstruction]");
        }
        let pictures = opened.dataset.frozen.testing.radiographs.min(u64::from(self.pictures));
        ensure!(pictures > 0, "this site has no radiograph of a testing patient");
        let side = plan.network.input_side as usize;
        let job = Job::Draw(DrawJob {
            of: EvaluateJob {
                plan: plan.clone(),
                dataset: opened.dataset.source.clone(),
                part: Part::Testing,
                device: trainer.device.clone(),
                threads: trainer.threads,
            },
            // At most as many as were asked for.
            pictures: u32::try_from(pictures)?,
        });
        let numbers = usize::try_from(pictures)? * SQUARES * side * side;
        let tones = trainer.run(&job, &[&opened.parameters], numbers, |_| {})?;
        let tones = tones.context("the trainer drew nothing")?;
        let mut png = Cursor::new(Vec::new());
        page(&tones, side).write_to(&mut png, ImageFormat::Png)?;
        files::write_private(&self.out, png.get_ref())
            .with_context(|| format!("cannot write {}", self.out.display()))?;
        let document = serde_json::json!({"file": self.out, "pictures": pictures, "model_digest": opened.digest});
        context.print(&document, || {
            format!(
                "{pictures} radiographs in {}: each as it is, as the network is shown it, and as it draws it",
                self.out.display()
            )
        })
    }
}

/// Lays the squares of `tones` out: three a radiograph, two radiographs a row, on white.
fn page(tones: &[f32], side: usize) -> GrayImage {
    let radiographs: Vec<&[f32]> = tones.chunks_exact(SQUARES * side * side).collect();
    let scale = (SIDE_SHOWN / side).max(1);
    let shown = side * scale;
    let wide = SQUARES * (shown + GAP) - GAP + MARGIN;
    let rows = radiographs.len().div_ceil(COLUMNS);
    let mut page = white(COLUMNS * wide + MARGIN, rows * (shown + MARGIN) + MARGIN);
    for (number, squares) in radiographs.iter().enumerate() {
        for (place, square) in squares.chunks_exact(side * side).enumerate() {
            let mut picture = white(shown, shown);
            for (x, y, pixel) in picture.enumerate_pixels_mut() {
                let tone = square[y as usize / scale * side + x as usize / scale];
                *pixel = Luma([(tone.clamp(0.0, 1.0) * 255.0).round() as u8]);
            }
            let left = MARGIN + number % COLUMNS * wide + place * (shown + GAP);
            let top = MARGIN + number / COLUMNS * (shown + MARGIN);
            imageops::replace(&mut page, &picture, left as i64, top as i64);
        }
    }
    page
}

/// Sizes of a page are a few thousand pixels: far below what the cast could cut.
fn white(width: usize, height: usize) -> GrayImage {
    GrayImage::from_pixel(width as u32, height as u32, Luma([255]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_squares_stand_side_by_side_and_the_second_radiograph_beside_the_first() {
        const SIDE: usize = 64;
        let tones: Vec<f32> = (0..3 * SQUARES)
            .flat_map(|square| vec![square as f32 / 16.0; SIDE * SIDE])
            .collect();
        let page = page(&tones, SIDE);
        let wide = 3 * 130 - 2 + 12;
        assert_eq!(page.dimensions(), (2 * wide + 12, 2 * 140 + 12));
        let at = |number: u32| (number as f32 / 16.0 * 255.0).round() as u8;
        for square in 0..9 {
            let (x, y) = (12 + square / 3 % 2 * wide + square % 3 * 130, 12 + square / 6 * 140);
            for (x, y) in [(x, y), (x + 127, y + 127)] {
                assert_eq!(page.get_pixel(x, y).0[0], at(square), "{square}");
            }
            if square < 8 {
                assert_eq!(page.get_pixel(x + 128, y).0[0], 255, "the gap");
            }
        }
    }
}
