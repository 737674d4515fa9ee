//! Training of the reader of words.

use std::path::Path;

use anyhow::{Context, Result};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use snowball_service::say;
use snowball_text::{
    Area,
    map::Map,
    markers::Markers,
    network::{Network, Step},
    normal::Tones,
    words,
};

use crate::{
    adam::chances,
    backward::{backward, forward},
    course::{self, Lesson, Score},
    letters::blurred,
    sample::{Class, Drawn, Recipe, Sample, put, size},
    writing::{self, Fonts, Stock, line},
};

const RECIPE: Recipe = Recipe {
    side: 128,
    empty: 0.0,
    em: (6.5, 30.0),
};
/// Frames that nothing is asked of.
const OPEN: usize = usize::MAX;

/// A word as the detector would find it.
pub struct Seen {
    pub pixels: Vec<u16>,
    pub side: usize,
    pub area: Area,
    pub text: String,
    pub drawn: Drawn,
    /// Ink of the letters along the line, from the start of what was drawn.
    letters: Vec<Option<[f32; 2]>>,
}

/// The lesson of the reader of words.
pub struct Words<'a> {
    pub fonts: &'a Fonts,
    pub listed: Markers,
}

impl Lesson for Words<'_> {
    type Example = (Map, Vec<usize>);
    const BATCH: usize = 24;
    const RATE: f32 = 2e-3;
    const KINDS: &'static [&'static str] = &["gaps", "signs"];

    fn shape(&self) -> (&'static [Step], usize) {
        (words::STEPS, words::CHANNELS)
    }

    fn example(&self, random: &mut ChaCha8Rng) -> Self::Example {
        loop {
            let text = writing(&self.listed, random);
            if let Some((strip, wanted)) = seen(&text, &self.fonts.training, random).and_then(|seen| example(&seen)) {
                return (strip.map, wanted);
            }
        }
    }

    fn judge(&self, network: &Network, (strip, wanted): &Self::Example, gradient: &mut [f32]) -> Score {
        let trace = forward(network, strip.clone());
        let mut above = Map::zeros(1, trace.answer.columns, trace.answer.channels);
        let scale = 1.0 / (Self::BATCH * wanted.len()) as f32;
        let mut score = Score::new(Self::KINDS.len());
        for (frame, class) in wanted.iter().copied().enumerate().filter(|(_, class)| *class != OPEN) {
            let scores = &trace.answer.values[frame * trace.answer.channels..][..words::CLASSES];
            let parts = chances(scores);
            score.loss -= f64::from(parts[class].max(1e-9).ln() * scale);
            let best = parts.iter().all(|part| *part <= parts[class]);
            score.count(usize::from(class != words::GAP), best);
            for (other, part) in parts.iter().enumerate() {
                above.values[frame * trace.answer.channels + other] =
                    4.0 * scale * (part - f32::from(u8::from(other == class)));
            }
        }
        backward(network, &trace, above, gradient);
        score
    }
}

/// What is spelt in training: words of the list, words that are nearly on it, names, numbers, any signs.
fn writing(listed: &Markers, random: &mut ChaCha8Rng) -> String {
    match random.random_range(0..20) {
        0..6 => listed.words().choose(random).cloned().unwrap_or_default(),
        6..10 => near(listed, random),
        10..18 => stranger(random),
        _ => writing::text(random).chars().take(12).collect(),
    }
}

/// A word that is one change away from one of the list and not on it.
pub fn near(listed: &Markers, random: &mut ChaCha8Rng) -> String {
    loop {
        let word = listed.words().choose(random).cloned().unwrap_or_default();
        let mut letters: Vec<char> = word.chars().collect();
        let at = random.random_range(0..letters.len());
        let other = char::from(b'A' + random.random_range(0..26_u8));
        match random.random_range(0..4) {
            0 => letters[at] = other,
            1 => letters.insert(at, other),
            2 => letters.push(other),
            _ => {
                letters.remove(at);
            }
        }
        let made: String = letters.into_iter().collect();
        if made.chars().count() > 1 && !listed.allows_word(&made) {
            return made;
        }
    }
}

/// A name, a number, a date or any capitals, not on the list.
pub fn stranger(random: &mut ChaCha8Rng) -> String {
    match random.random_range(0..6) {
        0 | 1 => writing::name(random).to_uppercase(),
        2 => {
            let count = random.random_range(2..9);
            writing::digits(random, count)
        }
        3 => format!(
            "{:02}/{:02}/{}",
            random.random_range(1..32),
            random.random_range(1..13),
            random.random_range(1930..2030)
        ),
        _ => {
            let count = random.random_range(2..9);
            let signs: Vec<char> = words::SIGNS.chars().collect();
            let letters = if random.random_bool(0.7) { 26 } else { signs.len() };
            (0..count).map(|_| signs[random.random_range(0..letters)]).collect()
        }
    }
}

/// `text` written somewhere; `None` where it found no room.
pub fn seen(text: &str, stock: &Stock, random: &mut ChaCha8Rng) -> Option<Seen> {
    let recipe = RECIPE;
    let font = stock.fonts.choose(random)?;
    let most = recipe.side as f32 * 1.2 / text.chars().count().max(3) as f32;
    let size = size(recipe, random).min(most);
    let doubled = size > 14.0 && random.random_bool(0.12);
    let gap = if random.random_bool(0.2) {
        random.random_range(0.0..size * 0.2)
    } else {
        0.0
    };
    let mut drawn = line(text, font, if doubled { size / 2.0 } else { size }, gap)?.edged(random);
    if doubled {
        drawn = drawn.doubled();
    }
    let letters = drawn.letters.clone();
    let side = recipe.side;
    if drawn.width + 12 > side {
        return None;
    }
    let mut sample = Sample::empty(side, stock, random);
    put(&mut sample, &[drawn], size, 0, Class::Text, random);
    let drawn = sample.drawn.first().cloned()?;
    if drawn.x == 0 || drawn.y == 0 || drawn.x + drawn.width >= side || drawn.y + drawn.height >= side {
        return None;
    }
    sample.wear(random);
    Some(Seen {
        pixels: sample.pixels(),
        side,
        area: blurred(&drawn, side, random),
        text: text.to_owned(),
        drawn,
        letters,
    })
}

/// The strip that the reader sees, and the class of each of its frames.
fn example(seen: &Seen) -> Option<(words::Strip, Vec<usize>)> {
    let (area, drawn) = (seen.area, &seen.drawn);
    let tones = Tones::of(&seen.pixels, seen.side, seen.side);
    let strip = words::strip(&tones, area, drawn.turns, drawn.mirrored)?;
    // From the start of the area to the start of what was drawn, which has a pixel's margin.
    let (before, after) = if drawn.turns.is_multiple_of(2) {
        (
            drawn.x as f32 - area.x as f32,
            (area.x + area.width) as f32 - (drawn.x + drawn.width) as f32,
        )
    } else {
        (
            drawn.y as f32 - area.y as f32,
            (area.y + area.height) as f32 - (drawn.y + drawn.height) as f32,
        )
    };
    let backwards = matches!(drawn.turns, 1 | 2) != drawn.mirrored;
    let origin = if backwards { after } else { before } + 1.0;
    let frame_pixels = strip.step * words::FRAME as f32;
    let place = |end: f32| (origin + end - strip.start) / frame_pixels;
    let count = strip.map.columns / words::FRAME;
    let mut wanted = vec![words::GAP; count];
    let spans: Vec<(char, [f32; 2])> = seen
        .text
        .chars()
        .zip(&seen.letters)
        .filter_map(|(sign, span)| span.map(|ends| (sign, ends.map(place))))
        .collect();
    for (_, [from, to]) in &spans {
        for (frame, wanted) in wanted.iter_mut().enumerate() {
            let middle = frame as f32 + 0.5;
            if middle > from - 0.3 && middle < to + 0.3 {
                *wanted = OPEN;
            }
        }
    }
    for pair in spans.windows(2) {
        let between = (pair[0].1[1] + pair[1].1[0]) / 2.0;
        if let Some(wanted) = wanted.get_mut(between.max(0.0) as usize) {
            *wanted = words::GAP;
        }
    }
    for (sign, [from, to]) in &spans {
        let class = class(*sign);
        let (quarter, middle) = ((to - from) / 4.0, (from + to) / 2.0);
        for (frame, wanted) in wanted.iter_mut().enumerate() {
            let at = frame as f32 + 0.5;
            if at > from + quarter && at < to - quarter || frame as i64 == middle.floor() as i64 {
                *wanted = class;
            }
        }
    }
    Some((strip, wanted))
}

/// Small letters that look like large ones count as these, for a line may hold nothing to compare with.
fn class(sign: char) -> usize {
    match sign {
        'c' | 'o' | 's' | 'v' | 'w' | 'x' | 'z' => words::class(sign.to_ascii_uppercase()),
        'l' => words::class('I'),
        _ => words::class(sign),
    }
}

/// Prints how sure the built-in reader is of words of the list, of words that are nearly on it, and of others.
pub fn scan(fonts: &Fonts, weights: &Path, count: usize, seed: u64) -> Result<()> {
    let listed = Markers::standard();
    let network = Network::from_values(words::STEPS, words::CHANNELS, &course::read(weights)?).context("weights")?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for kind in 0..3 {
        let mut made = 0;
        while made < count {
            let text = match kind {
                0 => listed.words().choose(&mut random).cloned().unwrap_or_default(),
                1 => near(&listed, &mut random),
                _ => stranger(&mut random),
            };
            let Some(seen) = seen(&text, &fonts.held_out, &mut random) else {
                continue;
            };
            made += 1;
            let tones = Tones::of(&seen.pixels, seen.side, seen.side);
            let best =
                words::spellings(&network, &tones, seen.area, listed.spelt()).min_by(|a, b| a[0].total_cmp(&b[0]));
            let [margin, sure] = best.unwrap_or([99.0, 0.0]);
            say!(
                "{kind} {text} {} {:?} {margin:.3} {sure:.3}",
                seen.drawn.across(),
                seen.drawn.look
            )?;
        }
    }
    Ok(())
}
