//! Lines of text as they stand on radiographs, as coverage.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use fontdue::{Font, FontSettings};
use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use snowball_phantoms::{Bare, bare};

/// Where Debian's packages of fonts put theirs.
pub const ROOT: &str = "/usr/share/fonts/truetype";
/// Folders in it, of the packages that `README.md` names; read at training time, never shipped.
const FOLDERS: [&str; 8] = [
    "dejavu",
    "liberation",
    "freefont",
    "hack",
    "roboto/unhinted",
    "roboto/unhinted/RobotoTTF",
    "open-sans",
    "inconsolata",
];
/// Faces that are measured with and never trained with.
const HELD_OUT: [&str; 4] = [
    "LiberationMono-Bold",
    "FreeSansBold",
    "Roboto-Medium",
    "DejaVuSansCondensed-Bold",
];

/// What pictures are made of.
pub struct Stock {
    pub fonts: Vec<Font>,
    /// Phantom radiographs with nothing written on them.
    pub phantoms: Vec<Bare>,
}

/// What training pictures are made of, and other faces and phantoms to measure with.
pub struct Fonts {
    pub training: Stock,
    pub held_out: Stock,
}

/// Phantoms of each kind, their length in pixels and the seeds that no test uses.
const PHANTOMS: usize = 64;
const PHANTOM_SIDE: u32 = 256;
const PHANTOM_SEEDS: [u64; 2] = [7_001, 7_002];

impl Fonts {
    /// Reads every face below `root` that has the letters needed.
    pub fn read(root: &Path) -> Result<Self> {
        let stock = |seed| Stock {
            fonts: Vec::new(),
            phantoms: bare(seed, PHANTOMS, PHANTOM_SIDE),
        };
        let [training, held_out] = PHANTOM_SEEDS.map(stock);
        let mut fonts = Self { training, held_out };
        for folder in FOLDERS {
            let Ok(entries) = std::fs::read_dir(root.join(folder)) else {
                continue;
            };
            let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
            paths.sort();
            for path in paths {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                if path.extension().is_none_or(|kind| kind != "ttf") || name.contains("MathTeX") {
                    continue;
                }
                let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                let Ok(font) = Font::from_bytes(bytes, FontSettings::default()) else {
                    continue;
                };
                if ['A', 'g', '7', 'É']
                    .iter()
                    .any(|letter| font.lookup_glyph_index(*letter) == 0)
                {
                    continue;
                }
                let held = HELD_OUT.contains(&name.as_str());
                let stock = if held { &mut fonts.held_out } else { &mut fonts.training };
                stock.fonts.push(font);
            }
        }
        ensure!(
            fonts.training.fonts.len() >= 20 && fonts.held_out.fonts.len() >= 2,
            "too few fonts: install the Debian packages that tests/text-training/README.md names"
        );
        Ok(fonts)
    }
}

/// Coverage of a line, cut to its ink.
#[derive(Clone)]
pub struct Line {
    pub text: String,
    pub width: usize,
    pub height: usize,
    pub cover: Vec<f32>,
    /// Where the ink of each letter begins and ends, along the line; nothing for a blank.
    pub letters: Vec<Option<[f32; 2]>>,
}

/// `text` in a face at `size` pixels an em, cut to its ink; `None` where nothing was drawn.
pub fn line(text: &str, font: &Font, size: f32, gap: f32) -> Option<Line> {
    let mut pen = 2.0_f32;
    let height = (size * 2.0) as usize + 4;
    let baseline = (size * 1.4) as i32 + 2;
    let width = (text.chars().count() as f32 * size * 1.4 + 8.0) as usize;
    let mut cover = vec![0.0_f32; width * height];
    let mut letters = Vec::new();
    for letter in text.chars() {
        let (metrics, bitmap) = font.rasterize(letter, size);
        let left = pen.round() as i32 + metrics.xmin;
        let top = baseline - metrics.ymin - metrics.height as i32;
        for (place, value) in bitmap.iter().enumerate() {
            let x = left + (place % metrics.width) as i32;
            let y = top + (place / metrics.width) as i32;
            if (0..width as i32).contains(&x) && (0..height as i32).contains(&y) {
                let to = &mut cover[y as usize * width + x as usize];
                *to = to.max(f32::from(*value) / 255.0);
            }
        }
        letters.push((metrics.width > 0).then_some([left as f32, left as f32 + metrics.width as f32]));
        pen += metrics.advance_width + gap;
    }
    let mut line = cut(text, &cover, width, height)?;
    let left = line.letters[0].map_or(0.0, |[left, _]| left);
    line.letters = letters
        .iter()
        .map(|span| span.map(|ends| ends.map(|end| end - left)))
        .collect();
    Some(line)
}

fn cut(text: &str, cover: &[f32], width: usize, height: usize) -> Option<Line> {
    let inked = |x: usize, y: usize| cover[y * width + x] > 0.15;
    let columns: Vec<usize> = (0..width).filter(|x| (0..height).any(|y| inked(*x, y))).collect();
    let rows: Vec<usize> = (0..height).filter(|y| (0..width).any(|x| inked(x, *y))).collect();
    let (left, right) = (*columns.first()?, *columns.last()?);
    let (top, bottom) = (*rows.first()?, *rows.last()?);
    let cut = (top..=bottom).flat_map(|y| &cover[y * width + left..=y * width + right]);
    Some(Line {
        text: text.to_owned(),
        width: right - left + 1,
        height: bottom - top + 1,
        cover: cut.copied().collect(),
        letters: vec![Some([left as f32; 2])],
    })
}

impl Line {
    /// Each pixel doubled, as a console's small bitmap font is.
    pub fn doubled(&self) -> Self {
        let (width, height) = (self.width * 2, self.height * 2);
        let cover = (0..width * height).map(|at| self.cover[at / width / 2 * self.width + at % width / 2]);
        Self {
            text: self.text.clone(),
            width,
            height,
            cover: cover.collect(),
            letters: self
                .letters
                .iter()
                .map(|span| span.map(|ends| ends.map(|end| end * 2.0)))
                .collect(),
        }
    }

    /// Edges as fonts are drawn: soft, crisper where strokes were fitted to the pixels, or all or nothing.
    pub fn edged(mut self, random: &mut ChaCha8Rng) -> Self {
        let gain: f32 = match random.random_range(0..10) {
            0..3 => 1e6,
            3..6 => random.random_range(1.3..3.0),
            _ => return self,
        };
        for value in &mut self.cover {
            *value = ((*value - 0.45) * gain + 0.5).clamp(0.0, 1.0);
        }
        self
    }
}

pub fn digits(random: &mut ChaCha8Rng, count: usize) -> String {
    (0..count)
        .map(|_| char::from(b'0' + random.random_range(0..10_u8)))
        .collect()
}

const SYLLABLES: [&str; 48] = [
    "ma", "lé", "tre", "mont", "ber", "go", "dan", "ri", "el", "sou", "pey", "cha", "rou", "ville", "ston", "ham", "o",
    "ka", "zu", "wen", "li", "van", "der", "mc", "è", "fi", "tz", "ger", "al", "no", "qui", "ley", "jo", "sé", "phi",
    "ne", "bru", "ço", "is", "hô", "dr", "sw", "ith", "an", "ette", "eau", "berg", "yn",
];

pub fn name(random: &mut ChaCha8Rng) -> String {
    let mut name: String = (0..random.random_range(1..4))
        .filter_map(|_| SYLLABLES.choose(random).copied())
        .collect();
    let mut letters = name.chars();
    name = letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default();
    name
}

const WORDS: [&str; 30] = [
    "HOSPITAL",
    "Hôpital",
    "CHU",
    "CLINIQUE",
    "Radiology",
    "Unit",
    "Dr",
    "ID:",
    "DOB",
    "DDN",
    "Tel",
    "Acc",
    "Dossier",
    "PORTABLE",
    "AP",
    "PA",
    "LAT",
    "ERECT",
    "SUPINE",
    "DEBOUT",
    "COUCHE",
    "kVp",
    "mAs",
    "Institut",
    "Centre",
    "des",
    "Sex:",
    "WARD",
    "Exam",
    "Series",
];

/// One line of the kinds that consoles and secretaries write.
pub fn text(random: &mut ChaCha8Rng) -> String {
    let year = |random: &mut ChaCha8Rng| random.random_range(1910..2030);
    let day = |random: &mut ChaCha8Rng| (random.random_range(1..13), random.random_range(1..32));
    let mut made = match random.random_range(0..13) {
        0 | 1 => format!("{}, {}", name(random), name(random)),
        2 => format!("{} {}", name(random), name(random)),
        3 => {
            let (month, day) = day(random);
            format!("{}-{month:02}-{day:02}", year(random))
        }
        4 => {
            let (month, day) = day(random);
            let mark = ["/", ".", "-", " "][random.random_range(0..4)];
            format!("{day:02}{mark}{month:02}{mark}{}", year(random))
        }
        5 => {
            let (month, day) = day(random);
            format!(
                "{}-{month:02}-{day:02} {:02}:{:02}",
                year(random),
                random.random_range(0..24),
                random.random_range(0..60)
            )
        }
        6 => {
            let count = random.random_range(5..11);
            format!(
                "{} {}{}",
                WORDS[random.random_range(7..13)],
                ["", "B", "RX", "E"][random.random_range(0..4)],
                digits(random, count)
            )
        }
        7 => format!("({}) {}-{}", digits(random, 3), digits(random, 3), digits(random, 4)),
        8 => {
            let count = random.random_range(2..10);
            digits(random, count)
        }
        9 => WORDS.choose(random).copied().unwrap_or_default().to_owned(),
        10 => {
            let count = random.random_range(2..5);
            (0..count)
                .filter_map(|_| WORDS.choose(random).copied())
                .collect::<Vec<_>>()
                .join(" ")
        }
        11 => {
            // Initials and short marks.
            let count = random.random_range(2..4);
            (0..count)
                .map(|_| char::from(b'A' + random.random_range(0..26_u8)))
                .collect()
        }
        _ => {
            let count = random.random_range(3..22);
            (0..count)
                .map(|_| {
                    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-:/.() ";
                    char::from(letters[random.random_range(0..letters.len())])
                })
                .collect()
        }
    };
    if random.random_bool(0.1) {
        made = format!("{} {made}", WORDS[random.random_range(6..13)]);
    }
    if random.random_bool(0.4) {
        made.to_uppercase()
    } else {
        made
    }
}

/// A sign that stands alone: mostly a side marker.
pub fn letter(random: &mut ChaCha8Rng) -> char {
    if random.random_bool(0.7) {
        ['L', 'R', 'G', 'D'][random.random_range(0..4)]
    } else {
        char::from(b"ABCEFHIJKMNOPQSTUVWXYZ0123456789"[random.random_range(0..32)])
    }
}
