//! From grey values of any depth to what the networks see: contrast against the surroundings, at two ranges.

use std::{ops::Range, slice};

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
        let mut counts = vec![0_usize; 1 << 16];
        pixels.iter().for_each(|value| counts[usize::from(*value)] += 1);
        let at = |share: f64| {
            let wanted = (pixels.len() as f64 * share) as usize;
            let mut seen = 0;
            counts
                .iter()
                .position(|count| {
                    seen += count;
                    seen > wanted
                })
                .unwrap_or(0) as f32
        };
        let (low, high) = (at(0.002), at(0.998));
        let scale = 1.0 / (high - low).max(1.0);
        Self {
            rows,
            columns,
            values: pixels
                .par_iter()
                .with_min_len(1 << 16)
                .map(|value| ((f32::from(*value) - low) * scale).clamp(-0.5, 1.5))
                .collect(),
            ends: [low, high],
        }
    }

    /// Half the size: each value is the mean of four. An odd last row or column is repeated.
    #[must_use]
    pub fn halved(&self) -> Self {
        let (rows, columns) = (self.rows.div_ceil(2), self.columns.div_ceil(2));
        let mut values = Vec::with_capacity(rows * columns);
        for row in 0..rows {
            let above = &self.values[2 * row * self.columns..][..self.columns];
            let below = &self.values[(2 * row + 1).min(self.rows - 1) * self.columns..][..self.columns];
            for column in 0..columns {
                let (left, right) = (2 * column, (2 * column + 1).min(self.columns - 1));
                values.push((above[left] + above[right] + below[left] + below[right]) / 4.0);
            }
        }
        Self {
            rows,
            columns,
            values,
            ends: self.ends,
        }
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

    fn band(&self, [radius, channel, first]: [usize; 3], lines: &mut [f32], width: usize) {
        let (rows, columns) = (self.rows, self.columns);
        let mut sums = vec![[0.0_f64; 2]; columns];
        let add = |sums: &mut [[f64; 2]], row: usize, sign: f64| {
            for (sum, value) in sums.iter_mut().zip(&self.values[row * columns..][..columns]) {
                let value = f64::from(*value);
                *sum = [sum[0] + sign * value, sum[1] + sign * value * value];
            }
        };
        for row in first.saturating_sub(radius)..(first + radius).min(rows) {
            add(&mut sums, row, 1.0);
        }
        // Sums from the left up to each column, so that each window is a difference.
        let mut left = vec![[0.0_f64; 2]; columns + 1];
        for (line, row) in lines.chunks_exact_mut(width).zip(first..rows) {
            if row + radius < rows {
                add(&mut sums, row + radius, 1.0);
            }
            if row > radius && row > first {
                add(&mut sums, row - radius - 1, -1.0);
            }
            let height = (row + radius).min(rows - 1) - row.saturating_sub(radius) + 1;
            let mut all = [0.0_f64; 2];
            for (left, sum) in left[1..].iter_mut().zip(&sums) {
                all = [all[0] + sum[0], all[1] + sum[1]];
                *left = all;
            }
            let values = &self.values[row * columns..][..columns];
            let places = line.chunks_exact_mut(RADII.len()).zip(values).enumerate();
            for (column, (place, value)) in places {
                let (from, to) = (column.saturating_sub(radius), (column + radius + 1).min(columns));
                let share = 1.0 / (height * (to - from)) as f64;
                let mean = (left[to][0] - left[from][0]) * share;
                let square = (left[to][1] - left[from][1]) * share;
                let deviation = ((square - mean * mean).max(0.0) as f32).sqrt();
                let value = (value - mean as f32) / (deviation + FLOOR);
                place[channel] = value.clamp(-CONTRAST_MAX, CONTRAST_MAX) / 2.0;
            }
        }
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
                    self.tones.band([radius, channel, band * BAND], lines, width);
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
