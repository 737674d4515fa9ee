//! From grey values of any depth to what the networks see: contrast against the surroundings, at two ranges.

use std::{ops::Range, slice};

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::map::Map;

/// Half widths of the windows that a pixel is compared with.
const RADII: [usize; 2] = [6, 20];
/// Maps are padded to a multiple of this, so that they can be folded three times.
pub const PADDED: usize = 8;
/// Rows that one thread takes at a time.
const BAND: usize = 64;
/// Contrast below this share of the picture's range is noise.
const FLOOR: f32 = 0.01;
/// Contrasts beyond this many deviations say nothing more.
const CONTRAST_MAX: f32 = 4.0;

/// A picture as values in 0 to 1: its darkest and brightest hundredth lie at the ends.
#[derive(Clone, Debug)]
pub struct Tones {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Row by row.
    pub values: Vec<f32>,
    /// The pixels that 0 and 1 stand for.
    pub ends: [f32; 2],
}

impl Tones {
    /// Tones of `pixels`, row by row.
    #[must_use]
    pub fn of(pixels: &[u16], rows: usize, columns: usize) -> Self {
        Self::within(pixels, rows, columns, usize::MAX).0
    }

    /// Tones of `pixels`, halved as often as it takes to have at most `count` of them, and how many pixels are then one on a
    /// side.
    pub(crate) fn within(pixels: &[u16], rows: usize, columns: usize, count: usize) -> (Self, usize) {
        let ends = ends(pixels);
        let [low, high] = ends;
        let factor = 1.0 / (high - low).max(1.0);
        let tone = |value: u16| ((f32::from(value) - low) * factor).clamp(-0.5, 1.5);
        let (mut tones, mut scale) = if pixels.len() > count {
            // Without a copy at full size in between.
            (halved(pixels, [rows, columns], ends, tone), 2)
        } else {
            let values = pixels.par_iter().with_min_len(1 << 16).map(|value| tone(*value));
            let values = values.collect();
            (
                Self {
                    rows,
                    columns,
                    values,
                    ends,
                },
                1,
            )
        };
        while tones.values.len() > count {
            tones = tones.halved();
            scale *= 2;
        }
        (tones, scale)
    }

    /// Half the size: each value is the mean of four. An odd last row or column is repeated.
    #[must_use]
    pub fn halved(&self) -> Self {
        halved(&self.values, [self.rows, self.columns], self.ends, |tone| tone)
    }

    /// The tone at a place between pixels; past the border, that of the border.
    #[must_use]
    pub fn between(&self, x: f32, y: f32) -> f32 {
        let x = x.clamp(0.0, (self.columns - 1) as f32);
        let y = y.clamp(0.0, (self.rows - 1) as f32);
        let (i, j) = (x as usize, y as usize);
        let (s, t) = (x.fract(), y.fract());
        let tone = |i: usize, j: usize| self.values[j.min(self.rows - 1) * self.columns + i.min(self.columns - 1)];
        let above = tone(i, j) * (1.0 - s) + tone(i + 1, j) * s;
        let below = tone(i, j + 1) * (1.0 - s) + tone(i + 1, j + 1) * s;
        above * (1.0 - t) + below * t
    }

    /// Contrast of each pixel against two surroundings, padded at the right and below to a multiple of [`PADDED`].
    #[must_use]
    pub fn contrast(&self) -> Map {
        let mut contrast = Contrast::of(self);
        contrast.ask(slice::from_ref(&(0..self.rows)));
        contrast.map
    }
}

/// Rows of the contrast against one surrounding.
struct Band<'a> {
    tones: &'a Tones,
    radius: usize,
    channel: usize,
    /// The first row.
    first: usize,
    lines: &'a mut [f32],
    /// Values of a line.
    width: usize,
}

impl WithSimd for Band<'_> {
    type Output = ();

    // What is called here is inlined, so that it is compiled for the widest instructions too.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self {
            tones,
            radius,
            channel,
            first,
            lines,
            width,
        } = self;
        let (rows, columns) = (tones.rows, tones.columns);
        let mut window = Window {
            sums: vec![0.0; columns],
            squares: vec![0.0; columns],
        };
        let row_of = |row: usize| &tones.values[row * columns..][..columns];
        for row in first.saturating_sub(radius)..(first + radius).min(rows) {
            window.add(row_of(row), 1.0);
        }
        // Sums from the left up to each column, so that each window is a difference.
        let [mut sums, mut squares] = [(); 2].map(|()| vec![0.0_f64; columns + 1]);
        let mut contrast = vec![0.0; columns];
        // Columns whose window is as wide as it can be.
        let inner = radius.min(columns)..columns.saturating_sub(radius).max(radius.min(columns));
        for (line, row) in lines.chunks_exact_mut(width).zip(first..rows) {
            if row + radius < rows {
                window.add(row_of(row + radius), 1.0);
            }
            if row > radius && row > first {
                window.add(row_of(row - radius - 1), -1.0);
            }
            let height = (row + radius).min(rows - 1) - row.saturating_sub(radius) + 1;
            running(&window.sums, &mut sums);
            running(&window.squares, &mut squares);
            let values = row_of(row);
            for column in (0..inner.start).chain(inner.end..columns) {
                let (from, to) = (column.saturating_sub(radius), (column + radius + 1).min(columns));
                let share = 1.0 / (height * (to - from)) as f64;
                let [sum, square] = [&sums, &squares].map(|sums| sums[to] - sums[from]);
                contrast[column] = against(values[column], sum * share, square * share);
            }
            let share = 1.0 / (height * (2 * radius + 1)) as f64;
            let wide = (2 * radius + 1).min(columns);
            let inside = contrast[inner.clone()].iter_mut().zip(&values[inner.clone()]);
            let ends = sums[wide..].iter().zip(&sums).zip(squares[wide..].iter().zip(&squares));
            for ((contrast, value), ((sum, before), (square, square_before))) in inside.zip(ends) {
                *contrast = against(*value, (sum - before) * share, (square - square_before) * share);
            }
            for (place, contrast) in line.chunks_exact_mut(RADII.len()).zip(&contrast) {
                place[channel] = *contrast;
            }
        }
    }
}

/// Sums over the rows of a window, of each column.
struct Window {
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl Window {
    /// Adds a row, or takes it away where `sign` is negative.
    #[inline(always)]
    fn add(&mut self, row: &[f32], sign: f64) {
        for ((sum, square), value) in self.sums.iter_mut().zip(&mut self.squares).zip(row) {
            let value = f64::from(*value);
            *sum += sign * value;
            *square += sign * value * value;
        }
    }
}

/// Of each place the sum of all before it.
#[inline(always)]
fn running(values: &[f64], sums: &mut [f64]) {
    let mut all = 0.0;
    for (sum, value) in sums[1..].iter_mut().zip(values) {
        all += value;
        *sum = all;
    }
}

/// A tone against the mean of its window and that of the squares.
#[inline(always)]
fn against(value: f32, mean: f64, square: f64) -> f32 {
    let deviation = ((square - mean * mean).max(0.0) as f32).sqrt();
    let value = (value - mean as f32) / (deviation + FLOOR);
    value.clamp(-CONTRAST_MAX, CONTRAST_MAX) / 2.0
}

/// The pixels below and above which few lie.
fn ends(pixels: &[u16]) -> [f32; 2] {
    let mut counts = vec![0_usize; 1 << 16];
    pixels.iter().for_each(|value| counts[usize::from(*value)] += 1);
    [0.002, 0.998].map(|share| {
        let wanted = (pixels.len() as f64 * share) as usize;
        let mut seen = 0;
        let end = counts.iter().position(|count| {
            seen += count;
            seen > wanted
        });
        end.unwrap_or(0) as f32
    })
}

fn halved<T: Copy + Sync>(
    values: &[T],
    [rows, columns]: [usize; 2],
    ends: [f32; 2],
    tone: impl Fn(T) -> f32 + Copy + Sync,
) -> Tones {
    let half = [rows.div_ceil(2), columns.div_ceil(2)];
    let mut halved = vec![0.0; half[0] * half[1]];
    let lines = halved.par_chunks_exact_mut(half[1].max(1)).enumerate();
    lines.with_min_len(BAND).for_each(|(row, to)| {
        let line = |row: usize| &values[row.min(rows - 1) * columns..][..columns];
        let (above, below) = (line(2 * row), line(2 * row + 1));
        let mean = |[a, b]: [T; 2], [c, d]: [T; 2]| (tone(a) + tone(b) + tone(c) + tone(d)) / 4.0;
        Arch::new().dispatch(|| {
            let pairs = above.as_chunks::<2>().0.iter().zip(below.as_chunks::<2>().0);
            for (to, (above, below)) in to.iter_mut().zip(pairs) {
                *to = mean(*above, *below);
            }
        });
        if columns % 2 == 1 {
            to[half[1] - 1] = mean([above[columns - 1]; 2], [below[columns - 1]; 2]);
        }
    });
    Tones {
        rows: half[0],
        columns: half[1],
        values: halved,
        ends,
    }
}

/// The contrast of a picture, computed where it is asked for: what is looked at again after a small change is small.
pub struct Contrast<'a> {
    tones: &'a Tones,
    map: Map,
    /// Of bands of [`BAND`] rows.
    done: Vec<bool>,
}

impl<'a> Contrast<'a> {
    /// Nothing of it yet.
    #[must_use]
    pub fn of(tones: &'a Tones) -> Self {
        let (rows, columns) = (
            tones.rows.next_multiple_of(PADDED),
            tones.columns.next_multiple_of(PADDED),
        );
        Self {
            tones,
            map: Map::zeros(rows, columns, RADII.len()),
            done: vec![false; rows.div_ceil(BAND)],
        }
    }

    /// Computes what is missing of some rows. Sums are kept per column and moved down a row at a time, then across: two passes,
    /// whatever the radius. Bands of rows are shared out among rayon's threads.
    pub fn ask(&mut self, rows: &[Range<usize>]) {
        let mut wanted = vec![false; self.done.len()];
        for rows in rows.iter().filter(|rows| !rows.is_empty()) {
            let last = (rows.end.div_ceil(BAND)).min(wanted.len());
            wanted[(rows.start / BAND).min(last)..last].fill(true);
        }
        let width = self.map.columns * self.map.channels;
        let bands = self.map.values.par_chunks_mut((width * BAND).max(1)).enumerate();
        bands
            .filter(|(band, _)| wanted[*band] && !self.done[*band])
            .for_each(|(band, lines)| {
                for (channel, radius) in RADII.into_iter().enumerate() {
                    Arch::new().dispatch(Band {
                        tones: self.tones,
                        radius,
                        channel,
                        first: band * BAND,
                        lines: &mut *lines,
                        width,
                    });
                }
            });
        for (done, wanted) in self.done.iter_mut().zip(wanted) {
            *done |= wanted;
        }
    }

    /// What is computed so far; zeros elsewhere.
    #[must_use]
    pub fn map(&self) -> &Map {
        &self.map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_computed_where_it_is_asked_for() {
        let (rows, columns) = (3 * BAND + 5, 31);
        let pixels: Vec<u16> = (0..rows * columns).map(|at| ((at * 7919) % 4096) as u16).collect();
        let tones = Tones::of(&pixels, rows, columns);
        let (whole, mut part) = (tones.contrast(), Contrast::of(&tones));
        part.ask(&[BAND + 3..BAND + 4, 0..0]);
        let row = |map: &Map, row: usize| map.values[row * map.columns * 2..][..map.columns * 2].to_vec();
        assert_eq!(row(part.map(), BAND + 60), row(&whole, BAND + 60));
        assert!(
            row(part.map(), 0)
                .iter()
                .chain(&row(part.map(), 2 * BAND))
                .all(|value| *value == 0.0)
        );
        part.ask(&[0..BAND, 3 * BAND..rows + 100]);
        part.ask(slice::from_ref(&(2 * BAND..2 * BAND + 1)));
        assert_eq!(part.map(), &whole);
    }

    #[test]
    fn a_large_picture_is_halved_until_it_is_small_enough() {
        for (rows, columns) in [(64, 48), (33, 51), (1, 90), (90, 1)] {
            let pixels: Vec<u16> = (0..rows * columns).map(|at| ((at * 7919) % 4096) as u16).collect();
            let tones = Tones::of(&pixels, rows, columns);
            let quarter = tones.halved().halved();
            let (seen, scale) = Tones::within(&pixels, rows, columns, quarter.values.len());
            assert_eq!(
                (scale, seen.rows, seen.columns),
                (4, rows.div_ceil(4), columns.div_ceil(4))
            );
            assert_eq!((&seen.values, seen.ends), (&quarter.values, quarter.ends));
            let last = |row: usize| tones.values[row.min(rows - 1) * columns + columns - 1];
            if columns % 2 == 1 {
                let expected = (2.0 * last(0) + last(1) + last(1)) / 4.0;
                assert!((tones.halved().values[columns / 2] - expected).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn contrast_is_that_of_the_window() {
        let (rows, columns) = (50, 47);
        let pixels: Vec<u16> = (0..rows * columns).map(|at| ((at * 7919) % 4096) as u16).collect();
        let tones = Tones::of(&pixels, rows, columns);
        let map = tones.contrast();
        assert_eq!((map.rows, map.columns), (56, 48));
        for (row, column) in [(0_usize, 0_usize), (25, 20), (49, 46), (3, 40)] {
            let mut window = Vec::new();
            for y in row.saturating_sub(6)..=(row + 6).min(rows - 1) {
                for x in column.saturating_sub(6)..=(column + 6).min(columns - 1) {
                    window.push(tones.values[y * columns + x]);
                }
            }
            let mean = window.iter().sum::<f32>() / window.len() as f32;
            let variance = window.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / window.len() as f32;
            let expected = (tones.values[row * columns + column] - mean) / (variance.sqrt() + FLOOR) / 2.0;
            assert!((map.values[(row * 48 + column) * 2] - expected).abs() < 1e-3);
        }
    }

    #[test]
    fn depth_and_offset_do_not_matter() {
        let pixels: Vec<u16> = (0..400).map(|at| (at * 31 % 256) as u16).collect();
        let deep: Vec<u16> = pixels.iter().map(|value| value * 16 + 100).collect();
        let (one, other) = (Tones::of(&pixels, 20, 20), Tones::of(&deep, 20, 20));
        assert!(one.values.iter().zip(&other.values).all(|(a, b)| (a - b).abs() < 1e-3));
    }
}
