//! Pictures that are no radiographs but have what misleads a search for text: bones with rims and a mesh inside, ribs, wires,
//! screws, implants, rulers, grids, shutters, noise, blocks of a lossy codec.

use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use snowball_phantoms::Bare;

/// A square picture, 0 is black and 1 is white.
#[derive(Clone)]
pub struct Canvas {
    pub side: usize,
    pub values: Vec<f32>,
}

impl Canvas {
    pub fn at(&self, x: usize, y: usize) -> f32 {
        self.values[y * self.side + x]
    }

    /// Changes each pixel by its distance in x and y from the top left.
    fn each(&mut self, mut change: impl FnMut(f32, f32, &mut f32)) {
        for (place, value) in self.values.iter_mut().enumerate() {
            change((place % self.side) as f32, (place / self.side) as f32, value);
        }
    }
}

/// One picture of `side` pixels, at times a part of a phantom.
pub fn background(side: usize, phantoms: &[Bare], random: &mut ChaCha8Rng) -> Canvas {
    if let Some(phantom) = phantoms.choose(random).filter(|_| random.random_bool(0.4)) {
        return part_of(phantom, side, random);
    }
    let mut canvas = Canvas {
        side,
        values: vec![random.random_range(0.0..0.7); side * side],
    };
    if random.random_bool(0.25) {
        // Direct exposure: black, hardly any noise.
        canvas.values.fill(random.random_range(0.0..0.08));
        if random.random_bool(0.4) {
            let noise = random.random_range(0.0..0.02);
            speckle(&mut canvas, noise, 1, random);
        }
    } else {
        slope(&mut canvas, random);
        for _ in 0..random.random_range(1..4) {
            let cell = [3.0, 6.0, 12.0, 24.0, 48.0, 80.0][random.random_range(0..6)];
            let height = random.random_range(0.01..0.25) * (cell / 48.0_f32).clamp(0.2, 1.0);
            clouds(&mut canvas, cell, height, random);
        }
    }
    for _ in 0..random.random_range(0..3) {
        tissue(&mut canvas, random);
    }
    for _ in 0..random.random_range(0..4) {
        bone(&mut canvas, random);
    }
    if random.random_bool(0.3) {
        ribs(&mut canvas, random);
    }
    if random.random_bool(0.4) {
        mesh(&mut canvas, random);
    }
    if random.random_bool(0.4) {
        equalise(&mut canvas, random);
    }
    for _ in 0..random.random_range(0..3) {
        match random.random_range(0..9) {
            0 | 1 => wire(&mut canvas, random),
            2 => screw(&mut canvas, random),
            3 => implant(&mut canvas, random),
            4 => ruler(&mut canvas, random),
            5 => beads(&mut canvas, random),
            6 => grid(&mut canvas, random),
            7 => ring(&mut canvas, random),
            _ => arrow(&mut canvas, random),
        }
    }
    if random.random_bool(0.3) {
        shutter(&mut canvas, random);
    }
    if random.random_bool(0.7) {
        // Noise of single pixels, at times of grains that are as large as small letters.
        let width = if random.random_bool(0.15) {
            random.random_range(3..6)
        } else {
            random.random_range(1..3)
        };
        let noise = if random.random_bool(0.1) {
            random.random_range(0.05..0.25)
        } else {
            random.random_range(0.003_f32..0.06).powf(1.3)
        };
        speckle(&mut canvas, noise, width, random);
    }
    let gamma = random.random_range(0.6_f32..1.6);
    canvas
        .values
        .iter_mut()
        .for_each(|value| *value = value.clamp(0.0, 1.0).powf(gamma));
    if random.random_bool(0.2) {
        plate(&mut canvas, random);
    }
    canvas
}

/// A square of a phantom, closer or farther, turned or mirrored, with what may lie on it.
fn part_of(phantom: &Bare, side: usize, random: &mut ChaCha8Rng) -> Canvas {
    let step = random.random_range(0.5_f32..1.6);
    let span = |length: usize| (length as f32 - side as f32 * step).max(0.0);
    let (left, top) = (
        random.random_range(0.0..=span(phantom.columns)),
        random.random_range(0.0..=span(phantom.rows)),
    );
    let (turned, across, down) = (
        random.random_bool(0.3),
        random.random_bool(0.5),
        random.random_bool(0.2),
    );
    let mut canvas = Canvas {
        side,
        values: vec![0.0; side * side],
    };
    let last = side as f32 - 1.0;
    canvas.each(|x, y, value| {
        let (x, y) = if turned { (y, x) } else { (x, y) };
        let (x, y) = (if across { last - x } else { x }, if down { last - y } else { y });
        let (x, y) = (left + x * step, top + y * step);
        let (i, j) = (x as usize, y as usize);
        // Past its border a phantom is black, as behind a shutter.
        let at = |i: usize, j: usize| {
            if i < phantom.columns && j < phantom.rows {
                phantom.values[j * phantom.columns + i]
            } else {
                0.0
            }
        };
        let (s, t) = (x.fract(), y.fract());
        let above = at(i, j) * (1.0 - s) + at(i + 1, j) * s;
        let below = at(i, j + 1) * (1.0 - s) + at(i + 1, j + 1) * s;
        *value = above * (1.0 - t) + below * t;
    });
    if random.random_bool(0.3) {
        match random.random_range(0..4) {
            0 => wire(&mut canvas, random),
            1 => screw(&mut canvas, random),
            2 => ruler(&mut canvas, random),
            _ => beads(&mut canvas, random),
        }
    }
    if random.random_bool(0.3) {
        equalise(&mut canvas, random);
    }
    if random.random_bool(0.3) {
        let noise = random.random_range(0.003_f32..0.04);
        speckle(&mut canvas, noise, 1, random);
    }
    let gamma = random.random_range(0.6_f32..1.6);
    canvas
        .values
        .iter_mut()
        .for_each(|value| *value = value.clamp(0.0, 1.0).powf(gamma));
    if random.random_bool(0.2) {
        plate(&mut canvas, random);
    }
    canvas
}

/// A rectangle of one value, as text that was removed leaves it.
fn plate(canvas: &mut Canvas, random: &mut ChaCha8Rng) {
    let side = canvas.side;
    let (left, top) = (random.random_range(0..side - 8), random.random_range(0..side - 8));
    let right = (left + random.random_range(6..side)).min(side);
    let bottom = (top + random.random_range(6..side / 2)).min(side);
    let level = if random.random_bool(0.7) {
        canvas.at(left, top)
    } else {
        random.random_range(0.0..1.0)
    };
    for y in top..bottom {
        canvas.values[y * side + left..y * side + right].fill(level);
    }
}

fn slope(canvas: &mut Canvas, random: &mut ChaCha8Rng) {
    let (a, b) = (random.random_range(-0.5..0.5), random.random_range(-0.5..0.5));
    let side = canvas.side as f32;
    canvas.each(|x, y, value| *value += (a * x + b * y) / side);
}

/// Noise that is smooth over `cell` pixels.
fn clouds(canvas: &mut Canvas, cell: f32, height: f32, random: &mut ChaCha8Rng) {
    let count = (canvas.side as f32 * 2.5 / cell) as usize + 3;
    let points: Vec<f32> = (0..count * count).map(|_| random.random_range(-1.0..1.0)).collect();
    // Streaks: longer one way than the other.
    let long = if random.random_bool(0.4) {
        random.random_range(1.0..5.0_f32)
    } else {
        1.0
    };
    let (sine, cosine) = random.random_range(0.0..std::f32::consts::PI).sin_cos();
    let shift = canvas.side as f32;
    let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
    canvas.each(|x, y, value| {
        let u = ((x * cosine + y * sine) / long + shift) / cell;
        let v = (y * cosine - x * sine + shift) / cell;
        let (i, j) = (u as usize, v as usize);
        let (s, t) = (smooth(u.fract()), smooth(v.fract()));
        let at = |i: usize, j: usize| points[j.min(count - 1) * count + i.min(count - 1)];
        let above = at(i, j) * (1.0 - s) + at(i + 1, j) * s;
        let below = at(i, j + 1) * (1.0 - s) + at(i + 1, j + 1) * s;
        *value += height * (above * (1.0 - t) + below * t);
    });
}

fn point(canvas: &Canvas, random: &mut ChaCha8Rng) -> [f32; 2] {
    let side = canvas.side as f32;
    [
        random.random_range(-0.2..1.2) * side,
        random.random_range(-0.2..1.2) * side,
    ]
}

/// Distance of a point from a stretch, and how far along it lies, in pixels.
fn from_stretch(x: f32, y: f32, [a, b]: [[f32; 2]; 2]) -> (f32, f32) {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let length = (dx * dx + dy * dy).sqrt().max(1.0);
    let along = (((x - a[0]) * dx + (y - a[1]) * dy) / length).clamp(0.0, length);
    let (px, py) = (a[0] + dx * along / length, a[1] + dy * along / length);
    (((x - px).powi(2) + (y - py).powi(2)).sqrt(), along)
}

fn edge(inside: f32, softness: f32) -> f32 {
    (0.5 + inside / softness.max(0.1)).clamp(0.0, 1.0)
}

fn tissue(canvas: &mut Canvas, random: &mut ChaCha8Rng) {
    let line = [point(canvas, random), point(canvas, random)];
    let radius = random.random_range(15.0..70.0);
    let (height, softness) = (random.random_range(-0.25..0.4), random.random_range(1.0..30.0));
    canvas.each(|x, y, value| *value += height * edge(radius - from_stretch(x, y, line).0, softness));
}

/// A shaft: bright rims, a darker middle, a mesh inside.
fn bone(canvas: &mut Canvas, random: &mut ChaCha8Rng) {
    let line = [point(canvas, random), point(canvas, random)];
    let radius = random.random_range(3.0..35.0_f32);
    let (height, rim) = (random.random_range(0.05..0.4), random.random_range(0.0..0.35));
    let rim_width = random.random_range(0.8..radius * 0.4 + 1.0);
    let softness = random.random_range(0.7..5.0);
    canvas.each(|x, y, value| {
        let inside = radius - from_stretch(x, y, line).0;
        let cover = edge(inside, softness);
        *value += cover * (height + rim * (-(inside / rim_width).powi(2)).exp());
    });
}

fn ribs(canvas: &mut Canvas, random: &mut ChaCha8Rng) {
    let centre = point(canvas, random);
    let gap = random.random_range(7.0..30.0_f32);
    let (width, height) = (random.random_range(0.2..0.6), random.random_range(0.04..0.25));
    let sharp = random.random_range(2.0..12.0_f32);
    let flat = random.random_range(0.4..2.0);
    canvas.each(|x, y, value| {
        let distance = ((x - centre[0]).powi(2) * flat + (y - centre[1]).powi(2)).sqrt() / gap;
        let wave = (distance * std::f32::consts::TAU).sin() - 1.0 + 2.0 * width;
        *value += height * (0.5 + wave * sharp / 4.0).clamp(0.0, 1.0);
    });
}

/// Short strokes in one region, as trabeculae after sharpening.
fn mesh(canvas: &mut Canvas, random: &mut ChaCha8Rng) {
    let lean = random.random_range(0.0..std::f32::consts::PI);
    let spread = random.random_range(0.1..1.6);
    let height = random.random_range(0.02..0.16);
    let [cx, cy] = point(canvas, random);
    let reach = random.random_range(20.0..80.0);
    for _ in 0..random.random_range(60..400) {
        let angle = lean + random.random_range(-spread..spread);
        let (x, y) = (
            cx + random.random_range(-reach..reach),
            cy + random.random_range(-reach..reach),
        );
        let length = random.random_range(2.0..14.0);
        let ink = height * random.random_range(-1.0..1.0);
        stroke(
            canvas,
            [x, y],
            [x + angle.cos() * length, y + angle.sin() * length],
            0.7,
            ink,
        );
    }
}

/// A line that adds `ink`, drawn within its own box only.
fn stroke(canvas: &mut Canvas, a: [f32; 2], b: [f32; 2], radius: f32, ink: f32) {
    let side = canvas.side as f32;
    let span = |low: f32, high: f32| {
        let from = (low - radius - 1.0).clamp(0.0, side) as usize;
        from..((high + radius + 2.0).clamp(0.0, side) as usize)
    };
    for y in span(a[1].min(b[1]), a[1].max(b[1])) {
        for x in span(a[0].min(b[0]), a[0].max(b[0])) {
            let cover = edge(radius - from_stretch(x as f32, y as f32, [a, b]).0, 1.2);
            canvas.values[y * canvas.side + x] += ink * cover;
        }
    }
}

fn ink(random: &mut ChaCha8Rng) -> f32 {
    let strength = random.random_range(0.1..0.8);
    if random.random_bool(0.75) { strength } else { -strength }
}

fn wire(canvas: &mut Canvas, random: &mut ChaCha8Rng) {
    let points: Vec<[f32; 2]> = (0..3).map(|_| point(canvas, random)).collect();
    let (radius, ink) = (random.random_range(0.4..2.5), ink(random));
    let at = |t: f32, axis: usize| {
        let u = 1.0 - t;
        u * u * points[0][axis] + 2.0 * u * t * points[1][axis] + t * t * points[2][axis]
    };
    let dashes = random.random_bool(0.2);
    for part in 0..24 {
        if dashes && part % 2 == 0 {
            continue;
        }
        let (t, next) = (part as f32 / 24.0, (part + 1) as f32 / 24.0);
        stroke(canvas, [at(t, 0), at(t, 1)], [at(next, 0), at(next, 1)], radius, ink);
    }
}

fn screw(canvas: &mut Canvas, random: &mut ChaCha8Rng) {
    let line = [point(canvas, random), point(canvas, random)];
    let (radius, pitch) = (random.random_range(2.0..7.0), random.random_range(2.5..7.0));
    let ink = ink(random).abs();
    canvas.each(|x, y, value| {
        let (distance, along) = from_stretch(x, y, line);
        let thread = 0.75 + 0.25 * (along * std::f32::consts::TAU / pitch).sin();
        *value += ink * edge(radius * thread - distance, 1.0);
    });
}

fn implant(canvas: &mut Canvas, random: &mut ChaCha8Rng) {
    let line = [point(canvas, random), point(canvas, random)];
    let (radius, level) = (random.random_range(3.0..25.0), random.random_range(0.8..1.0));
    canvas.each(|x, y, value| {
        let cover = edge(radius - from_stretch(x, y, line).0, 1.5);
        *value = *value * (1.0 - cover) + level * cover;
    });
}

/// Ticks along a line, every fifth longer.
fn ruler(canvas: &mut Canvas, random: &mut ChaCha8Rng) {
    let [x, y] = point(canvas, random);
    let (gap, length) = (random.random_range(3.0..12.0), random.random_range(2.0..14.0));
    let (ink, radius) = (ink(random), random.random_range(0.4..1.0));
    let turned = random.random_bool(0.5);
    let along = |a: f32, b: f32| if turned { [x + b, y + a] } else { [x + a, y + b] };
    let count = random.random_range(4..30);
    for tick in 0..count {
        let long = if tick % 5 == 0 { length * 1.6 } else { length };
        let at = tick as f32 * gap;
        stroke(canvas, along(at, 0.0), along(at, long), radius, ink);
    }
    if random.random_bool(0.5) {
        stroke(canvas, along(0.0, 0.0), along(count as f32 * gap, 0.0), radius, ink);
    }
}

/// Beads, staples or clips in a row.
fn beads(canvas: &mut Canvas, random: &mut ChaCha8Rng) {
    let [mut x, mut y] = point(canvas, random);
    let mut angle = random.random_range(0.0..std::f32::consts::TAU);
    let (gap, radius) = (random.random_range(4.0..14.0_f32), random.random_range(0.6..3.0));
    let (ink, long) = (ink(random), random.random_range(0.0..6.0_f32));
    let lean = angle + random.random_range(-1.6..1.6);
    for _ in 0..random.random_range(1..14) {
        stroke(
            canvas,
            [x, y],
            [x + lean.cos() * long, y + lean.sin() * long],
            radius,
            ink,
        );
        angle += random.random_range(-0.3..0.3);
        x += angle.cos() * gap;
        y += angle.sin() * gap;
    }
}

fn grid(canvas: &mut Canvas, random: &mut ChaCha8Rng) {
    let gap = random.random_range(3.0..24.0_f32);
    let (ink, width) = (ink(random) * 0.4, random.random_range(0.08..0.4) * gap);
    let both = random.random_bool(0.5);
    let limit = random.random_range(0.3..1.5) * canvas.side as f32;
    canvas.each(|x, y, value| {
        if x + y * 0.5 < limit && (x % gap < width || (both && y % gap < width)) {
            *value += ink;
        }
    });
}

fn ring(canvas: &mut Canvas, random: &mut ChaCha8Rng) {
    let [cx, cy] = point(canvas, random);
    let (radius, width) = (random.random_range(2.0..14.0_f32), random.random_range(0.6..3.0));
    let (ink, filled) = (ink(random), random.random_bool(0.4));
    canvas.each(|x, y, value| {
        let distance = ((x - cx).powi(2) + (y - cy).powi(2)).sqrt();
        let inside = if filled {
            radius - distance
        } else {
            width - (distance - radius).abs()
        };
        *value += ink * edge(inside, 1.2);
    });
}

fn arrow(canvas: &mut Canvas, random: &mut ChaCha8Rng) {
    let (a, size) = (point(canvas, random), random.random_range(6.0..24.0));
    let angle = random.random_range(0.0..std::f32::consts::TAU);
    let (ink, radius) = (ink(random), random.random_range(0.5..1.8));
    let from = |angle: f32, length: f32| [a[0] + angle.cos() * length, a[1] + angle.sin() * length];
    stroke(canvas, a, from(angle, size), radius, ink);
    if random.random_bool(0.7) {
        stroke(canvas, a, from(angle + 0.6, size * 0.4), radius, ink);
        stroke(canvas, a, from(angle - 0.6, size * 0.4), radius, ink);
    }
}

/// A straight edge of the beam, or a frame of paper or lead.
fn shutter(canvas: &mut Canvas, random: &mut ChaCha8Rng) {
    for _ in 0..random.random_range(1..4) {
        let [px, py] = point(canvas, random);
        let lean: f32 = if random.random_bool(0.7) {
            0.0
        } else {
            random.random_range(-0.3..0.3)
        };
        let angle = lean + std::f32::consts::FRAC_PI_2 * random.random_range(0..4) as f32;
        let level = if random.random_bool(0.75) {
            random.random_range(0.0..0.1)
        } else {
            random.random_range(0.5..1.0)
        };
        let softness = random.random_range(0.3..5.0);
        let keep = canvas.side as f32 * 0.35;
        canvas.each(|x, y, value| {
            let inside = (x - px) * angle.cos() + (y - py) * angle.sin() - keep;
            let cover = edge(inside, softness);
            *value = *value * (1.0 - cover) + level * cover;
        });
    }
}

/// Contrast against the surroundings, mixed in: what sharpening and equalisation do.
fn equalise(canvas: &mut Canvas, random: &mut ChaCha8Rng) {
    let radius = random.random_range(3..16_usize);
    let part = random.random_range(0.3..1.0);
    let side = canvas.side;
    let mut sums = vec![[0.0_f64; 2]; (side + 1) * (side + 1)];
    for y in 0..side {
        let mut row = [0.0_f64; 2];
        for x in 0..side {
            let value = f64::from(canvas.at(x, y));
            row[0] += value;
            row[1] += value * value;
            let above = sums[y * (side + 1) + x + 1];
            sums[(y + 1) * (side + 1) + x + 1] = [above[0] + row[0], above[1] + row[1]];
        }
    }
    canvas.each(|x, y, value| {
        let (x, y) = (x as usize, y as usize);
        let (left, right) = (x.saturating_sub(radius), (x + radius + 1).min(side));
        let (top, bottom) = (y.saturating_sub(radius), (y + radius + 1).min(side));
        let count = ((right - left) * (bottom - top)) as f64;
        let sum = |part: usize| {
            let at = |x: usize, y: usize| sums[y * (side + 1) + x][part];
            (at(right, bottom) - at(left, bottom) - at(right, top) + at(left, top)) / count
        };
        let mean = sum(0);
        let deviation = (sum(1) - mean * mean).max(0.0).sqrt();
        let flat = 0.5 + 0.2 * (f64::from(*value) - mean) / (deviation + 0.02);
        *value = *value * (1.0 - part) + flat as f32 * part;
    });
}

/// Noise of single pixels, or of pairs and threes.
pub fn speckle(canvas: &mut Canvas, height: f32, width: usize, random: &mut ChaCha8Rng) {
    let side = canvas.side;
    let grains: Vec<f32> = (0..side * side)
        .map(|_| random.random_range(-1.0..1.0) + random.random_range(-1.0..1.0_f32))
        .collect();
    canvas.each(|x, y, value| {
        let (x, y) = (x as usize, y as usize);
        let mut sum = 0.0;
        for dy in 0..width {
            for dx in 0..width {
                sum += grains[(y + dy).min(side - 1) * side + (x + dx).min(side - 1)];
            }
        }
        *value += height * sum / width as f32;
    });
}
