//! From line integrals to stored pixels: dose, scatter, noise, the maker's curve, shutters and letters of lead.

use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;
use snowball_protocol::labels::{BodyPart, Laterality};

use crate::{
    anatomy::{Examination, SOFT, is_paired, stage, vary},
    letters,
    scene::{Camera, Scene, Shadow, cast},
    vendor::{Curve, Vendor},
};

/// A finished radiograph as stored: row by row, `bits_stored` bits in each sample.
#[derive(Clone, Debug)]
pub struct Picture {
    pub columns: u16,
    pub rows: u16,
    pub bits_stored: u8,
    pub is_monochrome1: bool,
    pub samples: Vec<u16>,
    /// The side marker that stands in the picture.
    pub marker: Option<&'static str>,
    /// Half of the field's width and height were `centimetres` in reality, per pixel.
    pub spacing_millimetres: f32,
}

/// Tissue that weakens the beam more than soft tissue does is bone, 1/cm.
const BONE_FROM: f32 = SOFT * 1.01;
/// From this on bone is seen.
const BONE_SEEN: f32 = 0.15;

/// What the operator did beside choosing the view.
struct Handling {
    marker: Option<&'static str>,
    shutters: [f32; 4],
    is_shut: bool,
    exposure: f32,
}

/// Takes the picture of `examination` with `vendor`'s machine, `longest_side` pixels long, give or take a tenth.
pub fn expose(examination: &Examination, vendor: &Vendor, longest_side: u32, random: &mut ChaCha8Rng) -> Picture {
    let (scene, camera, columns, rows) = aim(examination, longest_side, random);
    let handling = handle(examination, vendor, random);
    let mut shadow = cast(&scene, &camera, columns, rows);
    lead(&mut shadow, handling.marker, random);
    let mut signal = detect(&shadow, vendor, handling.exposure, random);
    window(&mut signal, vendor, &shadow);
    let samples = store(&signal, &handling, vendor, columns, rows, random);
    Picture {
        columns: columns as u16,
        rows: rows as u16,
        bits_stored: vendor.bits_stored,
        is_monochrome1: vendor.is_monochrome1,
        samples,
        marker: handling.marker,
        spacing_millimetres: 20.0 * camera.half_width / columns as f32,
    }
}

/// Where the picture of `examination` shows bone: columns, rows, and whether the beam goes through enough of it at each pixel.
pub fn bones(examination: &Examination, longest_side: u32, random: &mut ChaCha8Rng) -> (usize, usize, Vec<bool>) {
    let (mut scene, camera, columns, rows) = aim(examination, longest_side, random);
    scene.tissues.retain(|tissue| tissue.attenuation > BONE_FROM);
    let shadow = cast(&scene, &camera, columns, rows);
    (
        columns,
        rows,
        shadow.depths.iter().map(|depth| *depth > BONE_SEEN).collect(),
    )
}

/// Patient and camera as they are when the picture is taken, and its columns and rows.
fn aim(examination: &Examination, longest_side: u32, random: &mut ChaCha8Rng) -> (Scene, Camera, usize, usize) {
    let (scene, camera) = stage(examination, random);
    // Standing and lying on a large detector is steadier than a hand on a table.
    let steady = match examination.part {
        BodyPart::Chest | BodyPart::Pelvis | BodyPart::LumbarSpine => 0.45,
        BodyPart::Skull => 0.7,
        _ => 1.0,
    };
    let mut camera = camera.turned(
        steady * random.random_range(-12.0..12.0),
        steady * random.random_range(-5.0..5.0),
        steady * random.random_range(-7.0..7.0),
    );
    let zoom = 1.0 + vary(random, 0.06);
    camera.half_width *= zoom;
    camera.half_height *= zoom * (1.0 + vary(random, 0.03));
    camera.centre = camera.centre
        + camera.right * (vary(random, 0.05) * camera.half_width)
        + camera.down * (vary(random, 0.045) * camera.half_height);
    let longest = (longest_side as f32 * random.random_range(0.9..1.1)).clamp(24.0, 4096.0);
    let scale = longest / camera.half_width.max(camera.half_height);
    let columns = ((camera.half_width * scale) as usize).max(16);
    let rows = ((camera.half_height * scale) as usize).max(16);
    (scene, camera, columns, rows)
}

fn handle(examination: &Examination, vendor: &Vendor, random: &mut ChaCha8Rng) -> Handling {
    let marker = random
        .random_bool(0.6)
        .then_some(match (examination.side, vendor.is_french) {
            (Laterality::Left, true) => "G",
            (Laterality::Right, true) => "D",
            (Laterality::Left, false) => "L",
            _ => "R",
        });
    // On unpaired parts the operator marks one side as it hangs, nearly always the patient's right.
    let marker = match marker {
        Some(_) if !is_paired(examination.part) => Some(if vendor.is_french { "D" } else { "R" }),
        other => other,
    };
    let is_shut = random.random_bool(0.45);
    let mut shutters = [0.0; 4];
    if is_shut {
        shutters = shutters.map(|_| random.random_range(0.0..0.07));
    }
    Handling {
        marker,
        shutters,
        is_shut,
        exposure: (vary(random, 0.3)).exp(),
    }
}

/// Puts the marker where a corner is least covered.
fn lead(shadow: &mut Shadow, marker: Option<&'static str>, random: &mut ChaCha8Rng) {
    let Some(text) = marker else { return };
    let scale = (shadow.columns / 110).max(1);
    let (wide, high) = (letters::width(text) * scale, letters::HEIGHT * scale);
    let (gap_x, gap_y) = (shadow.columns / 11, shadow.rows / 11);
    if wide + 2 * gap_x >= shadow.columns || high + 2 * gap_y >= shadow.rows {
        return;
    }
    let corners = [
        (gap_x, gap_y),
        (shadow.columns - gap_x - wide, gap_y),
        (gap_x, shadow.rows - gap_y - high),
        (shadow.columns - gap_x - wide, shadow.rows - gap_y - high),
    ];
    let cover = |&(x, y): &(usize, usize)| -> f32 {
        (0..high)
            .map(|row| {
                shadow.depths[(y + row) * shadow.columns + x..][..wide]
                    .iter()
                    .sum::<f32>()
            })
            .sum()
    };
    let first = random.random_range(0..2);
    let best = (0..4)
        .map(|index| corners[(index + first) % 4])
        .min_by(|one, other| cover(one).total_cmp(&cover(other)))
        .unwrap_or(corners[0]);
    let columns = shadow.columns;
    letters::pixels(text, scale, |x, y| {
        shadow.depths[(best.1 + y) * columns + best.0 + x] += 5.0
    });
}

/// Dose behind the patient with scatter, blur and quantum noise, then its negative logarithm.
fn detect(shadow: &Shadow, vendor: &Vendor, exposure: f32, random: &mut ChaCha8Rng) -> Vec<f32> {
    let (columns, rows) = (shadow.columns, shadow.rows);
    let mut dose: Vec<f32> = shadow.depths.iter().map(|depth| (-depth).exp()).collect();
    let mut scattered = dose.clone();
    let reach = (columns.max(rows) / 12).max(2);
    for _ in 0..2 {
        box_blur(&mut scattered, columns, rows, reach);
    }
    for (dose, scattered) in dose.iter_mut().zip(&scattered) {
        *dose = (1.0 - vendor.scatter) * *dose + vendor.scatter * 0.55 * scattered;
    }
    soften(&mut dose, columns, rows);
    // The automatic exposure brings the same dose behind every patient, so thick parts are not noisier than thin ones.
    let mut behind: Vec<f32> = dose
        .iter()
        .zip(&shadow.depths)
        .filter(|(_, depth)| **depth > 0.1)
        .map(|(dose, _)| *dose)
        .collect();
    let middle = behind.len() / 2;
    let reference = if behind.is_empty() {
        1.0
    } else {
        *behind.select_nth_unstable_by(middle, f32::total_cmp).1
    };
    let grain = 0.022 * vendor.noise / exposure.sqrt();
    for dose in &mut dose {
        let sigma = grain * (*dose * reference).sqrt() + 0.004 * reference;
        *dose = (*dose + sigma * deviate(random)).max(0.02 * reference).max(1e-6);
        *dose = -dose.ln();
    }
    dose
}

/// A cheap normal deviate: four uniform 16-bit numbers from one draw.
fn deviate(random: &mut ChaCha8Rng) -> f32 {
    let draw = random.next_u64();
    let sum: f32 = (0..4).map(|part| (draw >> (16 * part) & 0xffff) as f32).sum();
    (sum / 65536.0 - 2.0) * 1.732
}

fn box_blur(values: &mut [f32], columns: usize, rows: usize, reach: usize) {
    let mut line = Vec::new();
    let mut along = |values: &mut [f32], start: usize, stride: usize, count: usize| {
        line.clear();
        line.extend((0..count).map(|index| values[start + index * stride]));
        let width = (2 * reach + 1) as f32;
        let at = |index: isize| line[index.clamp(0, count as isize - 1) as usize];
        let mut sum: f32 = (-(reach as isize)..=reach as isize).map(at).sum();
        for index in 0..count {
            values[start + index * stride] = sum / width;
            sum += at((index + reach + 1) as isize) - at(index as isize - reach as isize);
        }
    };
    for row in 0..rows {
        along(values, row * columns, 1, columns);
    }
    for column in 0..columns {
        along(values, column, columns, rows);
    }
}

/// The focal spot's and the detector's blur: a 1-4-1 kernel in both directions.
fn soften(values: &mut [f32], columns: usize, rows: usize) {
    let mut along = |start: usize, stride: usize, count: usize| {
        let mut before = values[start];
        for index in 0..count {
            let place = start + index * stride;
            let here = values[place];
            let after = if index + 1 < count {
                values[place + stride]
            } else {
                here
            };
            values[place] = (before + 4.0 * here + after) / 6.0;
            before = here;
        }
    };
    for row in 0..rows {
        along(row * columns, 1, columns);
    }
    for column in 0..columns {
        along(column, columns, rows);
    }
}

/// The maker's automatic window, then its curve; the result lies in 0 to 1, bone bright.
fn window(signal: &mut [f32], vendor: &Vendor, shadow: &Shadow) {
    let mut sorted: Vec<f32> = signal.iter().step_by(3).copied().collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let covered = shadow.depths.iter().filter(|depth| **depth > 0.05).count() as f32 / shadow.depths.len() as f32;
    let rank = |share: f32| sorted[((sorted.len() - 1) as f32 * share) as usize];
    // Air is black and not of interest, so the low end is taken just inside the body.
    let low = rank(0.01 + 0.5 * (1.0 - covered).min(0.5)) * 0.9;
    let high = rank(0.992);
    let range = (high - low).max(0.05);
    for value in signal {
        let share = ((*value - low) / range * 0.93 + 0.03).clamp(0.0, 1.0);
        *value = match vendor.curve {
            Curve::Linear => share,
            Curve::Power(power) => share.powf(power),
            Curve::Sigmoid(steep) => {
                let s = |x: f32| 1.0 / (1.0 + (-steep * (x - 0.5)).exp());
                (s(share) - s(0.0)) / (s(1.0) - s(0.0))
            }
        };
    }
}

/// Shutters, photometric sense and whole numbers.
fn store(
    signal: &[f32],
    handling: &Handling,
    vendor: &Vendor,
    columns: usize,
    rows: usize,
    random: &mut ChaCha8Rng,
) -> Vec<u16> {
    let top = (1_u32 << vendor.bits_stored) - 1;
    let [left, right, above, below] = handling.shutters;
    let (w, h) = (columns as f32, rows as f32);
    let mut sample = |(index, value): (usize, &f32)| -> u16 {
        let (x, y) = ((index % columns) as f32 / w, (index / columns) as f32 / h);
        let is_outside = handling.is_shut && (x < left || x > 1.0 - right || y < above || y > 1.0 - below);
        if let (true, Some(padding)) = (is_outside, vendor.padding) {
            return padding;
        }
        let grey = if is_outside {
            0.02 + 0.004 * deviate(random)
        } else {
            *value
        };
        let stored = (grey.clamp(0.0, 1.0) * top as f32).round() as u32;
        (if vendor.is_monochrome1 { top - stored } else { stored }) as u16
    };
    signal.iter().enumerate().map(&mut sample).collect()
}
