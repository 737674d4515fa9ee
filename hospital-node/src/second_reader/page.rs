//! A picture as Tesseract reads it best: eight bits, its letters neither tiny nor huge.

/// A picture with less on its longer side is made larger, in whole steps.
const SIDE_WANTED: usize = 640;
const STEPS_MAX: usize = 4;
/// A picture with more is halved until it has not.
const SIDE_MAX: usize = 2_560;
/// Shares of the pixels that are darker than black and brighter than white.
const ENDS: [f64; 2] = [0.002, 0.998];

/// An upright picture of eight bits, 0 black.
pub struct Page {
    rows: usize,
    columns: usize,
    grey: Vec<u8>,
}

impl Page {
    /// `None` if there is no picture.
    pub fn of(rows: usize, columns: usize, pixels: &[u16]) -> Option<Self> {
        if rows == 0 || columns == 0 || pixels.len() != rows * columns {
            return None;
        }
        let mut sorted = pixels.to_vec();
        let mut at = |share: f64| {
            let place = (pixels.len() as f64 * share) as usize;
            *sorted.select_nth_unstable(place.min(pixels.len() - 1)).1
        };
        let [low, high] = ENDS.map(&mut at);
        let range = f32::from(high.saturating_sub(low).max(1));
        let grey = pixels.iter().map(|value| {
            let above = f32::from(value.saturating_sub(low)) / range;
            (above.min(1.0) * 255.0) as u8
        });
        let mut page = Self {
            rows,
            columns,
            grey: grey.collect(),
        };
        while page.rows.max(page.columns) > SIDE_MAX && page.rows.min(page.columns) > 1 {
            page = page.halved();
        }
        let steps = (SIDE_WANTED / page.rows.max(page.columns)).clamp(1, STEPS_MAX);
        Some(if steps > 1 { page.enlarged(steps) } else { page })
    }

    fn halved(&self) -> Self {
        let (rows, columns) = (self.rows / 2, self.columns / 2);
        let grey = (0..rows * columns).map(|at| {
            let (x, y) = (at % columns * 2, at / columns * 2);
            let sum: u16 = [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)]
                .into_iter()
                .map(|(x, y)| u16::from(self.grey[y * self.columns + x]))
                .sum();
            (sum / 4) as u8
        });
        Self {
            rows,
            columns,
            grey: grey.collect(),
        }
    }

    /// Larger, what lies between two pixels in between.
    fn enlarged(&self, steps: usize) -> Self {
        let (rows, columns) = (self.rows * steps, self.columns * steps);
        let at =
            |x: usize, y: usize| f32::from(self.grey[y.min(self.rows - 1) * self.columns + x.min(self.columns - 1)]);
        let place = |at: usize, last: usize| {
            let from = ((at as f32 + 0.5) / steps as f32 - 0.5).clamp(0.0, last as f32);
            (from as usize, from.fract())
        };
        let mut grey = Vec::with_capacity(rows * columns);
        for row in 0..rows {
            let (y, t) = place(row, self.rows - 1);
            for column in 0..columns {
                let (x, s) = place(column, self.columns - 1);
                let above = at(x, y) * (1.0 - s) + at(x + 1, y) * s;
                let below = at(x, y + 1) * (1.0 - s) + at(x + 1, y + 1) * s;
                grey.push((above * (1.0 - t) + below * t) as u8);
            }
        }
        Self { rows, columns, grey }
    }

    /// Turned by quarters, clockwise.
    pub fn turned(&self, quarters: usize) -> Self {
        let (rows, columns) = if quarters.is_multiple_of(2) {
            (self.rows, self.columns)
        } else {
            (self.columns, self.rows)
        };
        let grey = (0..rows * columns).map(|at| {
            let (x, y) = (at % columns, at / columns);
            let (x, y) = match quarters % 4 {
                0 => (x, y),
                1 => (y, self.rows - 1 - x),
                2 => (self.columns - 1 - x, self.rows - 1 - y),
                _ => (self.columns - 1 - y, x),
            };
            self.grey[y * self.columns + x]
        });
        Self {
            rows,
            columns,
            grey: grey.collect(),
        }
    }

    /// As a PGM file, which readers take from a pipe.
    pub fn portable_greymap(&self) -> Vec<u8> {
        let mut file = format!("P5\n{} {}\n255\n", self.columns, self.rows).into_bytes();
        file.extend_from_slice(&self.grey);
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_clockwise_and_four_are_none() {
        let page = Page {
            rows: 2,
            columns: 3,
            grey: vec![1, 2, 3, 4, 5, 6],
        };
        let turned = page.turned(1);
        assert_eq!((turned.rows, turned.columns), (3, 2));
        assert_eq!(turned.grey, [4, 1, 5, 2, 6, 3]);
        assert_eq!(page.turned(2).grey, [6, 5, 4, 3, 2, 1]);
        assert_eq!(page.turned(3).turned(1).grey, page.grey);
        assert_eq!(page.portable_greymap(), b"P5\n3 2\n255\n\x01\x02\x03\x04\x05\x06");
    }

    #[test]
    fn small_pictures_grow_large_ones_shrink_and_both_fill_eight_bits() {
        let small = Page::of(100, 160, &vec![700; 16_000]).unwrap();
        assert_eq!((small.rows, small.columns), (400, 640));
        let large = Page::of(3_000, 1_000, &vec![0; 3_000_000]).unwrap();
        assert_eq!((large.rows, large.columns), (1_500, 500));
        let slope: Vec<u16> = (0..640 * 640).map(|at| (at % 640) as u16 * 90).collect();
        let page = Page::of(640, 640, &slope).unwrap();
        assert_eq!((page.grey[0], page.grey[639]), (0, 255));
        assert!(Page::of(0, 4, &[]).is_none() && Page::of(2, 2, &[1]).is_none());
    }
}
