//! From scores of cells to areas of the picture.

use crate::{detector::CELL, map::Map};

/// A cell at least this likely to be written on belongs to an area.
pub(crate) const JOINS: f32 = 0.5;
/// Cells whose mean likelihood is an area's: a word's worth.
const BEST_CELLS: usize = 4;

/// A rectangle of the picture, in pixels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Area {
    /// Columns to its left.
    pub x: usize,
    /// Rows above.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Area {
    /// Pixels in it.
    #[must_use]
    pub fn size(self) -> usize {
        self.width * self.height
    }

    /// Pixels that lie in both.
    #[must_use]
    pub fn shared(self, other: Self) -> usize {
        let span =
            |a: usize, length: usize, b: usize, other: usize| (a + length).min(b + other).saturating_sub(a.max(b));
        span(self.x, self.width, other.x, other.width) * span(self.y, self.height, other.y, other.height)
    }

    /// The smallest area that holds both.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        Self {
            x,
            y,
            width: (self.x + self.width).max(other.x + other.width) - x,
            height: (self.y + self.height).max(other.y + other.height) - y,
        }
    }

    /// Larger by `margin` on each side, but not past the top left.
    #[must_use]
    pub fn with_margin(self, margin: usize) -> Self {
        self.grown(margin, usize::MAX, usize::MAX)
    }

    /// Larger by `margin` on each side, within a picture of `columns` and `rows`.
    #[must_use]
    pub fn grown(self, margin: usize, columns: usize, rows: usize) -> Self {
        let (x, y) = (self.x.saturating_sub(margin), self.y.saturating_sub(margin));
        Self {
            x,
            y,
            width: (self.x + self.width)
                .saturating_add(margin)
                .min(columns)
                .saturating_sub(x),
            height: (self.y + self.height)
                .saturating_add(margin)
                .min(rows)
                .saturating_sub(y),
        }
    }
}

/// What an area seems to hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// Two letters or more.
    Text,
    /// One letter that stands alone.
    Letter,
}

/// Cells that hang together.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Patch {
    /// Where.
    pub area: Area,
    /// What.
    pub kind: Kind,
    /// Mean likelihood of its best cells, 0 to 1.
    pub likelihood: f32,
    /// How many cells.
    pub cells: usize,
    /// Pixels on a side of a cell, which is how exact the area is.
    pub cell: usize,
}

/// The patches of one scale: `scale` pixels of the picture are one of the map's.
#[must_use]
pub fn patches(answer: &Map, scale: usize) -> Vec<Patch> {
    patches_of(answer, scale, JOINS)
}

/// The same of cells that are at least as likely as `joins`.
pub(crate) fn patches_of(answer: &Map, scale: usize, joins: f32) -> Vec<Patch> {
    let likely: Vec<[f32; 2]> = answer.values.chunks_exact(answer.channels).map(likelihoods).collect();
    let (rows, columns) = (answer.rows, answer.columns);
    let mut seen: Vec<bool> = likely.iter().map(|[text, letter]| text + letter < joins).collect();
    let mut patches = Vec::new();
    for start in 0..likely.len() {
        if seen[start] {
            continue;
        }
        seen[start] = true;
        let mut members = vec![start];
        let mut next = 0;
        while let Some(cell) = members.get(next).copied() {
            next += 1;
            let (row, column) = (cell / columns, cell % columns);
            for near_row in row.saturating_sub(1)..(row + 2).min(rows) {
                for near_column in column.saturating_sub(1)..(column + 2).min(columns) {
                    let near = near_row * columns + near_column;
                    if !seen[near] {
                        seen[near] = true;
                        members.push(near);
                    }
                }
            }
        }
        patches.push(patch(&members, &likely, columns, scale));
    }
    patches
}

fn patch(members: &[usize], likely: &[[f32; 2]], columns: usize, scale: usize) -> Patch {
    let cell = CELL * scale;
    let at = |member: &usize| Area {
        x: member % columns * cell,
        y: member / columns * cell,
        width: cell,
        height: cell,
    };
    let area = members.iter().map(at).reduce(Area::with).unwrap_or(at(&0));
    let mut sums = [0.0; 2];
    let mut best: Vec<f32> = Vec::with_capacity(members.len());
    for member in members {
        let [text, letter] = likely[*member];
        sums[0] += text;
        sums[1] += letter;
        best.push(text + letter);
    }
    best.sort_by(|a, b| b.total_cmp(a));
    best.truncate(BEST_CELLS);
    Patch {
        area,
        kind: if sums[0] >= sums[1] { Kind::Text } else { Kind::Letter },
        likelihood: best.iter().sum::<f32>() / best.len().max(1) as f32,
        cells: members.len(),
        cell,
    }
}

/// How likely text and a lone letter are, from the scores of one cell.
pub(crate) fn likelihoods(scores: &[f32]) -> [f32; 2] {
    let most = scores[..3].iter().copied().fold(f32::MIN, f32::max);
    let [background, text, letter] = [0, 1, 2].map(|class| (scores[class] - most).exp());
    let sum = background + text + letter;
    [text / sum, letter / sum]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_touch_are_one_patch() {
        let mut answer = Map::zeros(6, 8, 16);
        for cell in answer.values.chunks_exact_mut(16) {
            cell[0] = 9.0;
        }
        for (row, column, class) in [(1, 1, 1), (1, 2, 1), (2, 3, 1), (5, 7, 2)] {
            answer.values[(row * 8 + column) * 16 + class] = 20.0;
        }
        let found = patches(&answer, 2);
        assert_eq!(found.len(), 2);
        let area = |x, y, width, height| Area { x, y, width, height };
        assert_eq!(
            (found[0].area, found[0].kind, found[0].cells),
            (area(8, 8, 24, 16), Kind::Text, 3)
        );
        assert_eq!((found[1].area, found[1].kind), (area(56, 40, 8, 8), Kind::Letter));
        assert!(found[0].likelihood > 0.99);
    }

    #[test]
    fn areas_meet_and_grow() {
        let area = |x, y, width, height| Area { x, y, width, height };
        assert_eq!(area(0, 0, 4, 4).shared(area(2, 3, 9, 9)), 2);
        assert_eq!(area(0, 0, 4, 4).shared(area(4, 0, 1, 1)), 0);
        assert_eq!(area(0, 0, 4, 4).with(area(2, 3, 9, 9)), area(0, 0, 11, 12));
        assert_eq!(area(1, 8, 4, 4).grown(2, 10, 13), area(0, 6, 7, 7));
    }
}
