//! Which places of a map are to be computed, as spans of columns row by row.

use std::ops::Range;

/// Spans with fewer columns between them are computed as one: a kernel's step is wider than that.
const GAP_MIN: usize = 4;

/// Places of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Columns of the map.
    pub columns: usize,
    /// Spans of each row, ascending, apart.
    pub rows: Vec<Vec<Range<usize>>>,
}

impl Places {
    /// Every place of a map.
    #[must_use]
    pub fn all(rows: usize, columns: usize) -> Self {
        let span: Vec<_> = std::iter::once(0..columns).filter(|_| columns > 0).collect();
        Self {
            columns,
            rows: vec![span; rows],
        }
    }

    /// No place of a map.
    #[must_use]
    pub fn none(rows: usize, columns: usize) -> Self {
        Self {
            columns,
            rows: vec![Vec::new(); rows],
        }
    }

    /// The marked places; `marks` run row by row.
    #[must_use]
    pub fn marked(marks: &[bool], columns: usize) -> Self {
        let rows = marks.chunks_exact(columns.max(1)).map(|row| {
            let mut spans = Vec::new();
            let mut start = None;
            for (column, mark) in row.iter().chain([&false]).enumerate() {
                match (mark, start) {
                    (true, None) => start = Some(column),
                    (false, Some(from)) => {
                        spans.push(from..column);
                        start = None;
                    }
                    _ => {}
                }
            }
            spans
        });
        Self {
            columns,
            rows: rows.collect(),
        }
    }

    /// Those of some rows.
    #[must_use]
    pub fn within(&self, rows: Range<usize>) -> Self {
        let spans = |(row, spans): (usize, &Vec<Range<usize>>)| {
            if rows.contains(&row) { spans.clone() } else { Vec::new() }
        };
        Self {
            columns: self.columns,
            rows: self.rows.iter().enumerate().map(spans).collect(),
        }
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rows.iter().flatten().map(ExactSizeIterator::len).sum()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.iter().all(Vec::is_empty)
    }

    /// True if the place is one of them.
    #[must_use]
    pub fn holds(&self, row: usize, column: usize) -> bool {
        self.rows
            .get(row)
            .is_some_and(|spans| spans.iter().any(|span| span.contains(&column)))
    }

    /// These and all that lie at most `by` rows and columns away.
    #[must_use]
    pub fn grown(&self, by: usize) -> Self {
        let rows = (0..self.rows.len()).map(|row| {
            let near = &self.rows[row.saturating_sub(by)..(row + by + 1).min(self.rows.len())];
            let spans = near.iter().flatten();
            let spans = spans.map(|span| span.start.saturating_sub(by)..(span.end + by).min(self.columns));
            merged(spans.collect())
        });
        Self {
            columns: self.columns,
            rows: rows.collect(),
        }
    }

    /// These and those of `other`, of the same shape.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        let both = self.rows.iter().zip(&other.rows);
        Self {
            columns: self.columns,
            rows: both.map(|(a, b)| merged([a.as_slice(), b].concat())).collect(),
        }
    }

    /// The places of a map of `rows` by `columns`, twice as fine, that these are folded from.
    #[must_use]
    pub fn unfolded(&self, rows: usize, columns: usize) -> Self {
        let spans = |row: usize| {
            let spans = self.rows.get(row / 2).into_iter().flatten();
            spans
                .map(|span| span.start * 2..(span.end * 2).min(columns))
                .filter(|span| !span.is_empty())
                .collect()
        };
        Self {
            columns,
            rows: (0..rows).map(spans).collect(),
        }
    }
}

fn merged(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.sort_unstable_by_key(|span| span.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start < last.end + GAP_MIN => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_grow_and_unfold() {
        let mut marks = vec![false; 60];
        [13, 14, 38, 59].iter().for_each(|at| marks[*at] = true);
        let places = Places::marked(&marks, 20);
        assert_eq!(places.rows, vec![vec![13..15], vec![18..19], vec![19..20]]);
        assert_eq!(places.count(), 4);
        assert!(places.holds(1, 18) && !places.holds(0, 18) && !places.holds(7, 0));
        let grown = places.grown(1);
        assert_eq!(grown.rows, vec![vec![12..20], vec![12..20], vec![17..20]]);
        let fine = places.unfolded(6, 39);
        assert_eq!(fine.rows[1], vec![26..30]);
        assert_eq!(fine.rows[5], vec![38..39]);
        assert_eq!(places.with(&Places::none(3, 20)), places);
        assert_eq!(places.within(1..2).rows, vec![vec![], vec![18..19], vec![]]);
        assert!(Places::none(3, 20).is_empty());
        assert_eq!(Places::all(2, 3).count(), 6);
    }
}
