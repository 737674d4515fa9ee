//! What the search leaves although it should go, and what it removes although nothing is written there: why, in lines, and
//! what it looks like, for people.

use std::path::Path;

use anyhow::{Context, Result};
use image::{Rgb, RgbImage, imageops};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use snowball_service::say;
use snowball_text::{Area, Cleaned, Reading, Refused, Searcher, markers::Markers};

use crate::{
    card::{self, COVER_MIN, covered},
    letters::signs,
    sample::{Recipe, sample},
    words::{near, seen, stranger},
    writing::{self, Fonts},
};

/// Pixels on a side of a page's tile.
const TILE: usize = 256;
const COLUMNS: u32 = 8;
const WANTED: Rgb<u8> = Rgb([0, 255, 0]);
const REMOVED: Rgb<u8> = Rgb([255, 64, 64]);

/// One picture of which something is told.
struct Tried<'a> {
    searcher: &'a Searcher,
    before: &'a [u16],
    side: usize,
    cleaned: &'a Result<Cleaned, Refused>,
}

/// Searches `count` single lines, and as many pictures with and without text; writes the pictures in which something went wrong.
pub fn misses(searcher: &Searcher, fonts: &Fonts, out: &Path, count: u32, seed: u64) -> Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x60E5);
    let mut tiles = lines(searcher, fonts, count, &mut random)?;
    tiles.extend(pictures(searcher, fonts, count, &mut random)?);
    let rows = (tiles.len() as u32).div_ceil(COLUMNS).max(1);
    let mut sheet = RgbImage::new(COLUMNS * TILE as u32, rows * TILE as u32);
    for (at, tile) in (0_i64..).zip(&tiles) {
        let (columns, tile_side) = (i64::from(COLUMNS), TILE as i64);
        imageops::replace(&mut sheet, tile, at % columns * tile_side, at / columns * tile_side);
    }
    sheet
        .save(out)
        .with_context(|| format!("cannot write {}", out.display()))
}

/// Writing that may not stay and stayed, in pictures that hold nothing else.
fn lines(searcher: &Searcher, fonts: &Fonts, count: u32, random: &mut ChaCha8Rng) -> Result<Vec<RgbImage>> {
    let listed = Markers::standard();
    let (mut tiles, mut all) = (Vec::new(), 0);
    for made in 0..count {
        let text = match made % 4 {
            0 => stranger(random),
            1 => near(&listed, random),
            2 => writing::text(random),
            _ => {
                let count = random.random_range(2..4);
                signs(count, random)
            }
        };
        if listed.allows_word(&text) {
            continue;
        }
        let Some(seen) = seen(&text, &fonts.held_out, random) else {
            continue;
        };
        all += 1;
        let mut pixels = seen.pixels.clone();
        let tried = Tried {
            searcher,
            before: &seen.pixels,
            side: seen.side,
            cleaned: &searcher.clean(&mut pixels, seen.side, seen.side),
        };
        let area = card::area(&seen.drawn);
        if covered(tried.cleaned, area) < COVER_MIN {
            say!("left: {text:?}, {:?}, {}", seen.drawn.look, tried.said(Some(area)))?;
            tiles.push(tried.tile(&[area]));
        }
    }
    say!("{} of {all} single lines stayed", tiles.len())?;
    Ok(tiles)
}

/// Lines that stayed, areas that were removed wrongly and pictures sent to a person without a reason.
fn pictures(searcher: &Searcher, fonts: &Fonts, count: u32, random: &mut ChaCha8Rng) -> Result<Vec<RgbImage>> {
    let listed = Markers::standard();
    let (mut tiles, mut wrong, mut persons, mut left, mut all) = (Vec::new(), 0, 0, 0, 0);
    for picture in 0..count {
        let is_empty = picture % 2 == 0;
        let recipe = Recipe {
            empty: f64::from(u8::from(is_empty)),
            ..card::RECIPE
        };
        let sample = sample(recipe, &fonts.held_out, random);
        let before = sample.pixels();
        let mut pixels = before.clone();
        let tried = Tried {
            searcher,
            before: &before,
            side: recipe.side,
            cleaned: &searcher.clean(&mut pixels, recipe.side, recipe.side),
        };
        if is_empty {
            let areas = tried.cleaned.as_ref().map_or(0, |cleaned| cleaned.removed.len());
            persons += u32::from(tried.cleaned.is_err());
            wrong += areas;
            if areas > 0 || tried.cleaned.is_err() {
                say!("nothing written: {}", tried.said(None))?;
                tiles.push(tried.tile(&[]));
            }
            continue;
        }
        let lines = sample.drawn.iter().filter(|drawn| card::must_go(drawn, &listed));
        let lines: Vec<Area> = lines.map(card::area).collect();
        all += lines.len();
        let stayed = |area: &&Area| covered(tried.cleaned, **area) < COVER_MIN;
        let stayed: Vec<Area> = lines.iter().filter(stayed).copied().collect();
        left += stayed.len();
        for area in &stayed {
            say!("left in a picture: {area:?}, {}", tried.said(Some(*area)))?;
        }
        if !stayed.is_empty() {
            tiles.push(tried.tile(&stayed));
        }
    }
    say!("{left} of {all} lines stayed in pictures with text")?;
    say!(
        "{wrong} areas removed wrongly and {persons} pictures to a person, of {} without text",
        count.div_ceil(2)
    )?;
    Ok(tiles)
}

impl Tried<'_> {
    /// What the first search says of `area`, or of all.
    fn said(&self, area: Option<Area>) -> String {
        let found = self.searcher.find(self.before, self.side, self.side);
        let near = found
            .iter()
            .filter(|found| area.is_none_or(|area| found.area.shared(area) > 0));
        let said = near.map(|found| {
            let reading = if found.reading == Reading::Marker {
                " read as a marker"
            } else {
                ""
            };
            format!(
                "{:?}{reading} {:.2} of {} cells of {} pixels",
                found.kind, found.likelihood, found.cells, found.cell
            )
        });
        said.collect::<Vec<_>>().join("; ")
    }

    /// The picture with frames around what should go and what went.
    fn tile(&self, wanted: &[Area]) -> RgbImage {
        let mut tile = RgbImage::new(TILE as u32, TILE as u32);
        for (at, value) in self.before.iter().enumerate() {
            tile.put_pixel(
                (at % self.side) as u32,
                (at / self.side) as u32,
                Rgb([(value / 16) as u8; 3]),
            );
        }
        let removed = self.cleaned.as_ref().map_or(&[][..], |cleaned| &cleaned.removed);
        for (areas, colour) in [(wanted, WANTED), (removed, REMOVED)] {
            areas.iter().for_each(|area| frame(&mut tile, *area, colour));
        }
        tile
    }
}

fn frame(tile: &mut RgbImage, area: Area, colour: Rgb<u8>) {
    let [right, below] = [area.x + area.width - 1, area.y + area.height - 1];
    let across = (area.x..=right).flat_map(|x| [(x, area.y), (x, below)]);
    let down = (area.y..=below).flat_map(|y| [(area.x, y), (right, y)]);
    for (x, y) in across.chain(down) {
        tile.put_pixel(x as u32, y as u32, colour);
    }
}
