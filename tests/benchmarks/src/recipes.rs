//! How many pictures a second each recipe of augmentation makes, beside copying them as they are.

use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use rayon::prelude::*;
use serde::Serialize;
use snowball_protocol::plan::Augmentation;
use snowball_recipes::mixup;

use crate::pictures;

/// Phantoms that are varied over and over.
const PICTURES: usize = 64;
/// A batch is mixed in groups of so many, as in training.
const GROUP: usize = 8;
/// The phantoms are drawn this long.
const PHANTOM_SIDE: u32 = 512;

/// Measures the recipes of augmentation beside plain copying, on phantoms in memory.
#[derive(Args)]
#[command(after_help = "Example: snowball-benchmark recipes --sides 64 128 224")]
pub struct Recipes {
    /// Sides of the pictures, in pixels.
    #[arg(long, num_args = 1.., default_values_t = [64, 128, 224])]
    sides: Vec<u32>,
    /// Processors.
    #[arg(long, default_value_t = 2)]
    cores: usize,
    /// Runs of each; the median counts.
    #[arg(long, default_value_t = 5)]
    repeats: usize,
    /// Pictures of a run.
    #[arg(long, default_value_t = 2048)]
    pictures: usize,
    /// JSON on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    side: u32,
    recipe: &'static str,
    pictures_per_second: f64,
    /// Of the slowest and the fastest run.
    pictures_per_second_min: f64,
    pictures_per_second_max: f64,
}

impl Recipes {
    pub fn run(self) -> Result<bool> {
        let sides_fit = self.sides.iter().all(|side| (8..=2048).contains(side));
        ensure!(
            self.repeats > 0 && self.pictures > 0 && sides_fit,
            "name a repeat, a picture and sides of 8 to 2048 pixels at least"
        );
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.cores).build()?;
        let mut rows = Vec::new();
        for side in &self.sides {
            let squares = pictures::squares(PICTURES, PHANTOM_SIDE, *side);
            for recipe in Augmentation::ALL {
                rows.push(pool.install(|| self.measure(*recipe, *side, &squares)));
            }
        }
        self.print(&rows)?;
        Ok(true)
    }

    fn measure(&self, recipe: Augmentation, side: u32, squares: &[Vec<u16>]) -> Row {
        let pixels = (side * side) as usize;
        let mut rates: Vec<f64> = (0..self.repeats)
            .map(|_| {
                let mut batch = vec![0.0; GROUP * pixels * rayon::current_num_threads()];
                let begun = Instant::now();
                let mut done = 0;
                while done < self.pictures {
                    let groups = batch.par_chunks_mut(GROUP * pixels).enumerate();
                    groups
                        .for_each(|(group, inputs)| vary(recipe, side as usize, done + group * GROUP, squares, inputs));
                    done += batch.len() / pixels;
                }
                done as f64 / begun.elapsed().as_secs_f64()
            })
            .collect();
        rates.sort_by(f64::total_cmp);
        Row {
            side,
            recipe: recipe.code(),
            pictures_per_second: rates[rates.len() / 2],
            pictures_per_second_min: rates[0],
            pictures_per_second_max: rates[rates.len() - 1],
        }
    }

    fn print(&self, rows: &[Row]) -> Result<()> {
        if self.json {
            println!("{}", serde_json::to_string_pretty(rows)?);
            return Ok(());
        }
        println!(
            "{} cores\n\nside  recipe         pictures/s  slowest-fastest      x none",
            self.cores
        );
        for row in rows {
            let plain = rows
                .iter()
                .find(|other| other.side == row.side && other.recipe == "none");
            let times = plain.map_or(f64::NAN, |plain| row.pictures_per_second / plain.pictures_per_second);
            println!(
                "{:<5} {:<14} {:>10.0}  {:>7.0}-{:<10.0} {times:>6.3}",
                row.side, row.recipe, row.pictures_per_second, row.pictures_per_second_min, row.pictures_per_second_max
            );
        }
        Ok(())
    }
}

/// A group of pictures as training makes it.
fn vary(recipe: Augmentation, side: usize, first: usize, squares: &[Vec<u16>], inputs: &mut [f32]) {
    let mut shares = Vec::with_capacity(GROUP);
    for (place, input) in inputs.chunks_mut(side * side).enumerate() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        random.set_stream((first + place) as u64);
        shares.extend(recipe.mixup_alpha().map(|alpha| mixup::share(alpha, &mut random)));
        // Training reads each picture anew, so the copy is part of all rows.
        let mut square = squares[(first + place) % squares.len()].clone();
        snowball_recipes::vary(recipe, &mut square, side, random, input);
    }
    mixup::mix(inputs, side * side, &shares);
}
