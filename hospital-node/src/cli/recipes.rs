//! `recipes`: what the recipes of augmentation do, in words and in pictures.

use std::{io::Cursor, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::{Args, Subcommand};
use image::{GrayImage, ImageFormat, Luma, imageops};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use snowball_protocol::plan::Augmentation;
use snowball_recipes::mixup;
use snowball_service::files;

use super::Context;

/// Most pictures of a page, and the largest side of one.
const PICTURES_MAX: u32 = 400;
const SIDE_MAX: u32 = 512;
/// Between two pictures, in pixels.
const GAP: u32 = 2;
/// Phantoms are drawn this long before they are fitted into a square.
const PHANTOM_SIDE: u32 = 400;

/// What the recipes of augmentation do to radiographs, in words and in pictures.
#[derive(Subcommand)]
pub enum Recipes {
    Show(Show),
}

impl Recipes {
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Show(verb) => verb.run(context),
        }
    }
}

/// Print the operations of a recipe with their ranges, and draw a page: a row for each radiograph, as it is and then as training sees
/// it. The pixels are patients' unless they are phantoms': the file stays on site.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  hospital-node recipes show xr-strong-v1 --out strong.html\n  hospital-node recipes show xr-ssl-v1 --phantoms --out ssl.png"
)]
pub struct Show {
    /// The recipe, as plans name it.
    #[arg(value_parser = recipe)]
    recipe: Augmentation,
    /// The page to write, .html or .png. Absent: the operations in words alone.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Made-up radiographs instead of this site's own.
    #[arg(long)]
    phantoms: bool,
    /// Radiographs.
    #[arg(long, default_value_t = 6)]
    rows: u32,
    /// Pictures of each: one as it is, the others drawn.
    #[arg(long, default_value_t = 9)]
    columns: u32,
    /// Side of each picture, in pixels.
    #[arg(long, default_value_t = 128)]
    side: u32,
    /// Chooses the radiographs and how they are varied.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The recipe of this name.
fn recipe(name: &str) -> Result<Augmentation, String> {
    let found = Augmentation::ALL.iter().find(|recipe| recipe.code() == name);
    found.copied().ok_or_else(|| {
        let known: Vec<_> = Augmentation::ALL.iter().map(|recipe| recipe.code()).collect();
        format!("is no recipe; known are {}", known.join(", "))
    })
}

impl Show {
    fn run(self, context: &Context) -> Result<()> {
        let operations: Vec<(&str, String)> = self
            .recipe
            .operations()
            .iter()
            .map(|operation| (operation.name(), operation.range()))
            .collect();
        if let Some(out) = &self.out {
            if self.rows == 0
                || self.columns < 2
                || self.rows.saturating_mul(self.columns) > PICTURES_MAX
                || !(8..=SIDE_MAX).contains(&self.side)
            {
                bail!("a page has 2 columns or more, at most 400 pictures, and 8 to 512 pixels a side");
            }
            let squares = self.squares(context)?;
            if squares.is_empty() {
                bail!("the store holds no radiograph yet; take some in with ingest, or add --phantoms");
            }
            let png = self.png(&squares)?;
            let bytes = match out.extension().and_then(|ending| ending.to_str()) {
                Some("png") => png,
                Some("html") => self.html(&operations, &png).into_bytes(),
                _ => bail!("cannot tell what {} is to be; name it .html or .png", out.display()),
            };
            files::write_private(out, &bytes).with_context(|| format!("cannot write {}", out.display()))?;
        }
        let document = serde_json::json!({
            "recipe": self.recipe.code(), "file": self.out,
            "operations": operations.iter().map(|(name, range)| serde_json::json!({"name": name, "range": range})).collect::<Vec<_>>(),
        });
        context.print(&document, || {
            let mut lines = vec![format!("{}:", self.recipe.code())];
            lines.extend(operations.iter().map(|(name, range)| format!("  {name:<16} {range}")));
            lines.extend(
                self.out
                    .iter()
                    .map(|out| format!("a page of pictures in {}", out.display())),
            );
            lines.join("\n")
        })
    }

    fn squares(&self, context: &Context) -> Result<Vec<Vec<u16>>> {
        if self.phantoms {
            let pictures = snowball_phantoms::bare(self.seed, self.rows as usize, PHANTOM_SIDE);
            let square = |picture: &snowball_phantoms::Bare| {
                // Tones are 0 to 1, so they fit.
                let pixels: Vec<u16> = picture.values.iter().map(|tone| (tone * 65_535.0) as u16).collect();
                snowball_imaging::letterbox(picture.rows as u32, picture.columns as u32, &pixels, self.side)
            };
            return Ok(pictures.iter().map(square).collect());
        }
        let home = context.home()?;
        let store = home.open_store(&home.config()?)?;
        store
            .squares(self.rows as usize, self.side, self.seed)
            .context("cannot read the radiographs")
    }

    /// A row for each radiograph: as it is, then as training sees it.
    fn png(&self, squares: &[Vec<u16>]) -> Result<Vec<u8>> {
        let side = self.side as usize;
        let pitch = self.side + GAP;
        let rows = squares.len() as u32;
        let mut page = GrayImage::from_pixel(self.columns * pitch - GAP, rows * pitch - GAP, Luma([255]));
        for column in 0..self.columns {
            for (row, input) in (0..).zip(self.column(column, squares).chunks(side * side)) {
                let picture = GrayImage::from_fn(self.side, self.side, |x, y| {
                    let tone = snowball_recipes::tone(input[y as usize * side + x as usize]);
                    Luma([(tone * 255.0).round() as u8])
                });
                imageops::replace(&mut page, &picture, i64::from(column * pitch), i64::from(row * pitch));
            }
        }
        let mut png = Cursor::new(Vec::new());
        page.write_to(&mut png, ImageFormat::Png)?;
        Ok(png.into_inner())
    }

    /// The pictures of a column, from above: a batch as training draws one.
    fn column(&self, column: u32, squares: &[Vec<u16>]) -> Vec<f32> {
        let side = self.side as usize;
        let mut inputs = vec![0.0; squares.len() * side * side];
        let mut shares = Vec::new();
        let recipe = if column == 0 { Augmentation::None } else { self.recipe };
        for (row, (input, square)) in (0_u64..).zip(inputs.chunks_mut(side * side).zip(squares)) {
            let mut random = ChaCha8Rng::seed_from_u64(self.seed);
            random.set_stream((row << 32) | u64::from(column));
            shares.extend(recipe.mixup_alpha().map(|alpha| mixup::share(alpha, &mut random)));
            snowball_recipes::vary(recipe, &mut square.clone(), side, random, input);
        }
        mixup::mix(&mut inputs, side * side, &shares);
        inputs
    }

    fn html(&self, operations: &[(&str, String)], png: &[u8]) -> String {
        let name = self.recipe.code();
        let rows: String = operations
            .iter()
            .map(|(name, range)| format!("<tr><th scope=\"row\">{name}</th><td>{range}</td></tr>\n"))
            .collect();
        let whose = if self.phantoms {
            "Made-up radiographs; no patient's."
        } else {
            "Radiographs of this site: this page stays here."
        };
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{name}</title>\n<style>body {{ font: 1rem/1.5 \
             sans-serif; margin: 2rem; color: #222; background: #fff }} th {{ text-align: left; padding-right: 1rem; font-weight: 600 \
             }} img {{ max-width: 100% }}</style></head>\n<body><h1>{name}</h1>\n<p>{whose} A row for each: as it is, then as training \
             sees it.</p>\n<img alt=\"varied radiographs\" src=\"data:image/png;base64,{}\">\n<table>\n{rows}</table></body></html>\n",
            STANDARD.encode(png)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str) -> Show {
        Show {
            recipe: recipe(name).unwrap(),
            out: None,
            phantoms: true,
            rows: 3,
            columns: 4,
            side: 48,
            seed: 1,
        }
    }

    #[test]
    fn a_page_shows_each_radiograph_as_it_is_and_varied_and_prints_every_operation() {
        let squares: Vec<Vec<u16>> = (0..3_u16)
            .map(|row| (0..48 * 48).map(|at| at * 20 + row * 9).collect())
            .collect();
        for verb in ["xr-light-v1", "xr-strong-v1", "xr-ssl-v1"].map(asked) {
            let png = verb.png(&squares).unwrap();
            let page = image::load_from_memory(&png).unwrap().into_luma8();
            assert_eq!(page.dimensions(), (4 * 50 - 2, 3 * 50 - 2));
            let tone = |x: u32, y: u32| i32::from(page.get_pixel(x, y).0[0]);
            let stored = i32::from(squares[1][10 * 48 + 20] / 257);
            assert!((tone(20, 50 + 10) - stored).abs() <= 1, "the first column is as it is");
            let varies = (0..48).any(|at| tone(at, at) != tone(50 + at, at));
            assert!(varies && png == verb.png(&squares).unwrap(), "by the seed alone");
            let operations: Vec<_> = verb
                .recipe
                .operations()
                .iter()
                .map(|one| (one.name(), one.range()))
                .collect();
            let html = verb.html(&operations, &png);
            assert!(
                operations
                    .iter()
                    .all(|(name, range)| html.contains(name) && html.contains(range))
            );
            assert!(html.contains("data:image/png;base64,") && html.contains("no patient's"));
        }
        assert!(
            recipe("xr-strong")
                .unwrap_err()
                .contains("known are none, xr-light-v1, xr-strong-v1")
        );
    }
}
