//! Feature maps: rows by columns by channels, the channel running fastest.

/// A feature map.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Values a place.
    pub channels: usize,
    /// Row by row, place by place, channel by channel.
    pub values: Vec<f32>,
}

impl Map {
    /// A map of zeros.
    #[must_use]
    pub fn zeros(rows: usize, columns: usize, channels: usize) -> Self {
        Self {
            rows,
            columns,
            channels,
            values: vec![0.0; rows * columns * channels],
        }
    }

    /// The same map with `border` places of zeros on each side.
    #[must_use]
    pub fn padded(&self, border: usize) -> Self {
        let mut padded = Self::zeros(self.rows + 2 * border, self.columns + 2 * border, self.channels);
        let width = self.columns * self.channels;
        for (row, line) in self.values.chunks_exact(width.max(1)).enumerate() {
            let start = ((row + border) * padded.columns + border) * self.channels;
            padded.values[start..start + width].copy_from_slice(line);
        }
        padded
    }

    /// Squares of two by two places become one place with four times the channels (space to depth). An odd last row or
    /// column is left out: callers pad to a multiple first.
    #[must_use]
    pub fn folded(&self) -> Self {
        let mut folded = Self::zeros(self.rows / 2, self.columns / 2, self.channels * 4);
        let (line, width) = (self.columns * self.channels, folded.columns * folded.channels);
        let pairs = self.values.chunks_exact(2 * line.max(1));
        for (pair, to) in pairs.zip(folded.values.chunks_exact_mut(width.max(1))) {
            fold(pair.split_at(line).into(), self.channels, to);
        }
        folded
    }

    /// All rows as one: each place has the channels of its column, row by row.
    #[must_use]
    pub fn stacked(&self) -> Self {
        let mut stacked = Self::zeros(1, self.columns, self.channels * self.rows);
        for (row, line) in self
            .values
            .chunks_exact((self.columns * self.channels).max(1))
            .enumerate()
        {
            let places = stacked.values.chunks_exact_mut(self.channels * self.rows);
            for (place, from) in places.zip(line.chunks_exact(self.channels)) {
                place[row * self.channels..][..self.channels].copy_from_slice(from);
            }
        }
        stacked
    }

    /// Turns [`Map::stacked`] back to `rows`.
    #[must_use]
    pub fn unstacked(&self, rows: usize) -> Self {
        let channels = self.channels / rows;
        let mut map = Self::zeros(rows, self.columns, channels);
        for row in 0..rows {
            for (column, place) in self.values.chunks_exact(self.channels).enumerate() {
                let to = (row * self.columns + column) * channels;
                map.values[to..to + channels].copy_from_slice(&place[row * channels..][..channels]);
            }
        }
        map
    }

    /// Turns [`Map::folded`] back.
    #[must_use]
    pub fn unfolded(&self) -> Self {
        let channels = self.channels / 4;
        let mut unfolded = Self::zeros(self.rows * 2, self.columns * 2, channels);
        for row in 0..self.rows {
            for column in 0..self.columns {
                let from = (row * self.columns + column) * self.channels;
                for part in 0..4 {
                    let to = ((2 * row + part / 2) * unfolded.columns + 2 * column + part % 2) * channels;
                    unfolded.values[to..to + channels]
                        .copy_from_slice(&self.values[from + part * channels..from + (part + 1) * channels]);
                }
            }
        }
        unfolded
    }
}

/// Folds places of two rows, which begin where they do, into `to`.
pub(crate) fn fold([above, below]: [&[f32]; 2], channels: usize, to: &mut [f32]) {
    match 2 * channels {
        // The first folds of every picture: lengths that the compiler knows.
        4 => interleave::<4>(above, below, to),
        16 => interleave::<16>(above, below, to),
        half => {
            let pairs = above.chunks_exact(half).zip(below.chunks_exact(half));
            for ((above, below), to) in pairs.zip(to.chunks_exact_mut(2 * half)) {
                to[..half].copy_from_slice(above);
                to[half..].copy_from_slice(below);
            }
        }
    }
}

/// Runs of `N` values, from `above` and `below` in turn.
fn interleave<const N: usize>(above: &[f32], below: &[f32], to: &mut [f32]) {
    let pairs = above.as_chunks::<N>().0.iter().zip(below.as_chunks::<N>().0);
    let (to, _) = to.as_chunks_mut::<N>();
    for ((above, below), to) in pairs.zip(to.as_chunks_mut::<2>().0) {
        *to = [*above, *below];
    }
}

#[cfg(test)]
mod tests {
    use super::Map;

    #[test]
    fn folding_turns_back() {
        let mut map = Map::zeros(4, 6, 3);
        map.values
            .iter_mut()
            .enumerate()
            .for_each(|(place, value)| *value = place as f32);
        assert_eq!(map.folded().unfolded(), map);
        assert_eq!(map.folded().values[3..6], map.values[3..6]);
        assert_eq!(map.stacked().unstacked(4), map);
        assert_eq!(map.stacked().values[5 * 12 + 4], map.values[(6 + 5) * 3 + 1]);
        let padded = map.padded(2);
        assert_eq!((padded.rows, padded.columns), (8, 10));
        assert_eq!(padded.values[(2 * 10 + 2) * 3 + 4], 4.0);
        assert_eq!(padded.values.iter().sum::<f32>(), map.values.iter().sum::<f32>());
    }
}
