//! The card: what the built-in networks reach on made-up pictures with faces that were kept out of training.

use std::{collections::BTreeMap, fmt::Write as _, path::Path, time::Instant};

use anyhow::{Context, Result};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use snowball_text::{Area, Cleaned, Kind, Reading, Refused, Searcher, markers::Markers, reader};

use crate::{
    letters::{seen_letter, signs},
    sample::{Class, Drawn, Recipe, Sample, lone, sample},
    words::{near, seen, stranger},
    writing::Fonts,
};

pub const RECIPE: Recipe = Recipe {
    side: 256,
    empty: 0.0,
    em: (7.0, 80.0),
};
/// A line is found if this share of its box was removed.
pub const COVER_MIN: f64 = 0.95;

#[derive(Clone, Copy, Default)]
struct Tally {
    right: u32,
    all: u32,
}

impl Tally {
    fn add(&mut self, right: bool) {
        self.right += u32::from(right);
        self.all += 1;
    }

    /// The share and its interval of 95 % (Wilson, 1927).
    fn row(self) -> String {
        let (n, z) = (f64::from(self.all.max(1)), 1.96_f64);
        let share = f64::from(self.right) / n;
        let middle = share + z * z / (2.0 * n);
        let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + z * z / n;
        format!(
            "{} of {} | {:.2} % | {:.2} to {:.2} %",
            self.right,
            self.all,
            100.0 * share,
            100.0 * ((middle - half) / scale).max(0.0),
            100.0 * ((middle + half) / scale).min(1.0)
        )
    }
}

/// Measures on `count` pictures with text and as many without, and writes the card; what stands below the line that the
/// command does not make is kept.
pub fn card(searcher: &Searcher, fonts: &Fonts, out: &Path, count: u32, seed: u64) -> Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0xCA7D);
    let listed = Markers::standard();
    let mut lines = BTreeMap::<(u8, String), Tally>::new();
    let (mut touched, mut quarantined, mut areas) = (Tally::default(), Tally::default(), 0_u32);
    let mut to_a_person = [0_u32; 2];
    for picture in 0..2 * count {
        let empty = picture % 2 == 1;
        let recipe = Recipe {
            empty: if empty { 1.0 } else { 0.0 },
            ..RECIPE
        };
        let sample = sample(recipe, &fonts.held_out, &mut random);
        let before = sample.pixels();
        let mut after = before.clone();
        let cleaned = searcher.clean(&mut after, recipe.side, recipe.side);
        if empty {
            quarantined.add(cleaned.is_err());
            if let Ok(cleaned) = cleaned {
                touched.add(!cleaned.removed.is_empty());
                areas += cleaned.removed.len() as u32;
            }
            continue;
        }
        to_a_person[0] += u32::from(cleaned == Err(Refused::Covered));
        to_a_person[1] += u32::from(cleaned == Err(Refused::Persists));
        for drawn in sample.drawn.iter().filter(|drawn| must_go(drawn, &listed)) {
            let found = is_gone(&cleaned, area(drawn));
            let across = drawn.across();
            let size = match across {
                0..=7 => "1 up to 7",
                8..=11 => "2 8 to 11",
                12..=17 => "3 12 to 17",
                18..=27 => "4 18 to 27",
                28..=47 => "5 28 to 47",
                _ => "6 48 and more",
            };
            let rows = [
                (0, "all".to_owned()),
                (1, format!("height in pixels: {}", &size[2..])),
                (2, format!("turned by {}", u32::from(drawn.turns) * 90)),
                (3, format!("mirrored: {}", if drawn.mirrored { "yes" } else { "no" })),
                (4, format!("look: {:?}", drawn.look).to_lowercase()),
            ];
            for (group, name) in rows {
                let order = group * 10 + if group == 1 { size.as_bytes()[0] - b'0' } else { 0 };
                lines.entry((order, name)).or_default().add(found);
            }
        }
    }
    let mut kept = Tally::default();
    let mut wrongly = Tally::default();
    for _ in 0..count {
        let class = random.random_range(0..reader::CLASSES.len());
        let (sample, area) = seen_letter(class, &fonts.held_out, &mut random);
        let side = (sample.len() as f64).sqrt() as usize;
        let reading = searcher.reading(&sample, side, side, area, Kind::Letter);
        match class {
            0 => wrongly.add(reading == Reading::Marker),
            _ => kept.add(reading == Reading::Marker),
        }
    }
    let stay = stay(searcher, fonts, count, &mut random);
    let goes = goes(searcher, fonts, count, seed);
    let mut words = [Tally::default(); 3];
    for made in 0..3 * count {
        let kind = made as usize % 3;
        let text = match kind {
            0 => listed.words().choose(&mut random).cloned().unwrap_or_default(),
            1 => near(&listed, &mut random),
            _ => stranger(&mut random),
        };
        if let Some(seen) = seen(&text, &fonts.held_out, &mut random) {
            let reading = searcher.reading(&seen.pixels, seen.side, seen.side, seen.area, Kind::Text);
            words[kind].add(reading == Reading::Marker);
        }
    }
    let mut card = format!(
        "# What the text search reaches\n\nMade by `cargo run --bin snowball-text-training -- card hospital-node/imaging/text/CARD.md --count {count}`.\n\n\
         Pictures are made up (256 by 256, faces that were kept out of training, text of 7 to 80 pixels an em over bones, meshes, ribs, \
         screws, rulers, noise). A line counts as found if 95 % of its box was removed or its picture goes to a person. \
         Intervals are Wilson's, 95 %.\n\n| lines of text | found | share | interval |\n|---|---|---|---|\n",
    );
    for ((_, name), tally) in &lines {
        writeln!(card, "| {name} | {} |", tally.row())?;
    }
    write!(
        card,
        "\n| pictures without text | count | share | interval |\n|---|---|---|---|\n| something removed | {} |\n| sent to a person | {} |\n\
         \n{:.3} areas removed wrongly per picture without text.\n\n| letters that stand alone | count | share | interval |\n|---|---|---|---|\n\
         | L, R, G, D read and kept | {} |\n| other signs and text taken for one | {} |\n\n| words | count | share | interval |\n|---|---|---|---|\n\
         | of the list, read and kept | {} |\n| one change away from one of the list, taken for it | {} |\n\
         | names, numbers, dates, other capitals taken for one | {} |\n\n{stay}\n{goes}\n\
         Of the {count} pictures with text {} went to a person because the text covers more than a third of it, {} because \
         text was found each time.\n\n{}",
        touched.row(),
        quarantined.row(),
        f64::from(areas) / f64::from(touched.all.max(1)),
        kept.row(),
        wrongly.row(),
        words[0].row(),
        words[1].row(),
        words[2].row(),
        to_a_person[0],
        to_a_person[1],
        times(searcher, fonts, &mut random)?,
    )?;
    let below = std::fs::read_to_string(out).unwrap_or_default();
    if let Some(at) = below.find(BELOW) {
        card.push('\n');
        card.push_str(&below[at..]);
    }
    std::fs::write(out, card).with_context(|| format!("cannot write {}", out.display()))
}

/// True of a line that is none of the markers that may stay.
pub fn must_go(drawn: &Drawn, listed: &Markers) -> bool {
    drawn.class == Class::Text && !listed.allows_word(&drawn.text)
}

/// Where a line was drawn.
pub fn area(drawn: &Drawn) -> Area {
    Area {
        x: drawn.x,
        y: drawn.y,
        width: drawn.width,
        height: drawn.height,
    }
}

/// True if an area was removed. A picture that goes to a person is not taken in: its text is not kept.
fn is_gone(cleaned: &Result<Cleaned, Refused>, area: Area) -> bool {
    covered(cleaned, area) >= COVER_MIN
}

/// The share of an area that was removed.
pub fn covered(cleaned: &Result<Cleaned, Refused>, area: Area) -> f64 {
    let Ok(cleaned) = cleaned else { return 1.0 };
    let covered = (0..area.size()).filter(|at| {
        let place = Area {
            x: area.x + at % area.width,
            y: area.y + at / area.width,
            width: 1,
            height: 1,
        };
        cleaned.removed.iter().any(|removed| removed.shared(place) > 0)
    });
    covered.count() as f64 / area.size() as f64
}

/// Pixels of a picture in which one marker stands.
const MARKED_SIDE: usize = 128;
/// Heights of markers, in pixels: up to each.
const HEIGHTS: [usize; 5] = [6, 8, 11, 17, 34];

/// How many markers the whole search leaves as they are, in pictures that hold nothing else: a table by height.
fn stay(searcher: &Searcher, fonts: &Fonts, count: u32, random: &mut ChaCha8Rng) -> String {
    let listed = Markers::standard();
    let mut tallies = [[Tally::default(); HEIGHTS.len()]; 2];
    let recipe = Recipe {
        side: MARKED_SIDE,
        empty: 1.0,
        em: (7.0, 30.0),
    };
    for made in 0..6 * count {
        let is_word = made % 3 == 2;
        let marked = if is_word {
            let word = listed.words().choose(random).cloned().unwrap_or_default();
            seen(&word, &fonts.held_out, random).map(|seen| (seen.pixels, seen.drawn))
        } else {
            let sign = ['L', 'R', 'G', 'D'][random.random_range(0..4)];
            let mut sample = Sample::empty(recipe.side, &fonts.held_out, random);
            lone(&mut sample, recipe, sign, &fonts.held_out, random);
            sample.wear(random);
            sample.drawn.first().map(|drawn| (sample.pixels(), drawn.clone()))
        };
        let Some((mut pixels, drawn)) = marked else { continue };
        let inside = |at: usize, length: usize| at > 0 && at + length < MARKED_SIDE;
        // What was drawn has a pixel's margin.
        let height = drawn.across().saturating_sub(2);
        let Some(row) = HEIGHTS.iter().position(|limit| height <= *limit) else {
            continue;
        };
        if !inside(drawn.x, drawn.width) || !inside(drawn.y, drawn.height) {
            continue;
        }
        let area = area(&drawn);
        let kept = searcher
            .clean(&mut pixels, MARKED_SIDE, MARKED_SIDE)
            .is_ok_and(|cleaned| cleaned.removed.iter().all(|removed| removed.shared(area) == 0));
        tallies[usize::from(is_word)][row].add(kept);
    }
    let mut table = String::from(
        "| markers of the list, through the whole search | not touched | share | interval |\n|---|---|---|---|\n",
    );
    for (tallies, what) in tallies.iter().zip(["letters", "words"]) {
        for (tally, limit) in tallies.iter().zip(HEIGHTS) {
            let _ = writeln!(table, "| {what} up to {limit} pixels high | {} |", tally.row());
        }
    }
    table
}

/// How much writing that resembles markers the whole search removes, in pictures that hold nothing else.
fn goes(searcher: &Searcher, fonts: &Fonts, count: u32, seed: u64) -> String {
    // Its own numbers: what is measured after it does not depend on it.
    let random = &mut ChaCha8Rng::seed_from_u64(seed ^ 0x60E5);
    let listed = Markers::standard();
    let marker = |random: &mut ChaCha8Rng| match random.random_range(0..2) {
        0 => ["L", "R", "G", "D"][random.random_range(0..4)].to_owned(),
        _ => listed.words().choose(random).cloned().unwrap_or_default(),
    };
    let kinds = [
        "one change away from a word of the list",
        "names, numbers, dates, other capitals",
        "a marker and after a blank one of these",
        "one of these that begins with L, R, G or D",
        "two or three signs",
    ];
    let mut tallies = [Tally::default(); 5];
    for made in 0..(kinds.len() as u32) * count {
        let kind = made as usize % kinds.len();
        let text = match kind {
            0 => near(&listed, random),
            1 => stranger(random),
            2 => format!("{} {}", marker(random), stranger(random)),
            3 => format!(
                "{}{}",
                ["L", "R", "G", "D"][random.random_range(0..4)],
                stranger(random)
            ),
            _ => {
                let count = if random.random_bool(0.5) { 2 } else { 3 };
                signs(count, random)
            }
        };
        if listed.allows_word(&text) {
            continue;
        }
        let Some(seen) = seen(&text, &fonts.held_out, random) else {
            continue;
        };
        let (mut pixels, drawn) = (seen.pixels, seen.drawn);
        let cleaned = searcher.clean(&mut pixels, seen.side, seen.side);
        tallies[kind].add(is_gone(&cleaned, area(&drawn)));
    }
    let mut table = String::from(
        "| writing that may not stay, through the whole search | removed | share | interval |\n|---|---|---|---|\n",
    );
    for (tally, kind) in tallies.iter().zip(kinds) {
        let _ = writeln!(table, "| {kind} | {} |", tally.row());
    }
    table
}

/// Seconds to clean pictures that hold no text, on one thread and on two: the least of three, for what else the machine does
/// is not the search's cost.
fn times(searcher: &Searcher, fonts: &Fonts, random: &mut ChaCha8Rng) -> Result<String> {
    let mut table = String::from(
        "Times of pictures without text, the least of three:\n\n| pixels | one thread, ms | two threads, ms |\n|---|---|---|\n",
    );
    for side in [256, 1_000, 1_950] {
        let pixels = Sample::empty(side, &fonts.held_out, random).pixels();
        write!(table, "| {side} by {side} |")?;
        for threads in [1, 2] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            let once = |_| {
                let mut pixels = pixels.clone();
                let begun = Instant::now();
                let _ = pool.install(|| searcher.clean(&mut pixels, side, side));
                begun.elapsed().as_secs_f64()
            };
            let least = (0..3).map(once).fold(f64::MAX, f64::min);
            write!(table, " {:.1} |", 1000.0 * least)?;
        }
        table.push('\n');
    }
    Ok(table)
}

/// What stands below this heading is written by hand.
const BELOW: &str = "## On real radiographs";
