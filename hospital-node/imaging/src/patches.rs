//! Squares cut from a radiograph near its own resolution (`patches-v1`), for networks that learn its texture without labels: fitted into
//! one square, a radiograph of 2,000 pixels loses all that is finer than a rib.

use crate::resample::{downscale, letterbox, percentiles, stretched};

/// Squares along the longer side at most.
const FIELDS_MAX: u32 = 4;
/// Most patches of one radiograph.
pub const PATCHES_MAX: usize = (FIELDS_MAX * FIELDS_MAX) as usize;
/// Between the 0.5 and the 99.5 percentile of a patch lies at least this much of what lies between the radiograph's; less is air, or what
/// the collimator shut out.
const SPAN_MIN: u16 = u16::MAX / 8;

/// A network's inputs (`patches-v1`): `pixels`, averaged down until the longer side has four squares of `side` at most, and stretched as
/// [`letterbox`] stretches; then cut into as many whole squares as fit, centred, row by row. Squares that show next to nothing are left
/// out, but never all. What is smaller than one square is letterboxed.
///
/// # Panics
/// As [`letterbox`].
#[must_use]
pub fn patches(rows: u32, columns: u32, pixels: &[u16], side: u32) -> Vec<Vec<u16>> {
    let (new_rows, new_columns, picture) = downscale(rows, columns, pixels, side.saturating_mul(FIELDS_MAX));
    if new_rows < side || new_columns < side {
        return vec![letterbox(rows, columns, pixels, side)];
    }
    let picture = stretched(&picture);
    let (down, across) = (new_rows / side, new_columns / side);
    let (top, left) = ((new_rows - down * side) / 2, (new_columns - across * side) / 2);
    let mut cut: Vec<(u16, Vec<u16>)> = (0..down * across)
        .map(|field| {
            let (row, column) = (top + field / across * side, left + field % across * side);
            let patch: Vec<u16> = (row..row + side)
                .flat_map(|row| {
                    let start = row as usize * new_columns as usize + column as usize;
                    &picture[start..start + side as usize]
                })
                .copied()
                .collect();
            let (low, high) = percentiles(&patch);
            (high - low, patch)
        })
        .collect();
    let widest = cut.iter().map(|(span, _)| *span).max().unwrap_or_default();
    cut.retain(|(span, _)| *span >= SPAN_MIN.min(widest));
    cut.into_iter().map(|(_, patch)| patch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture whose value tells its place.
    fn slope(rows: u32, columns: u32) -> Vec<u16> {
        (0..rows)
            .flat_map(|row| (0..columns).map(move |column| (row * 300 + column) as u16))
            .collect()
    }

    #[test]
    fn patches_are_whole_squares_from_the_middle_in_order() {
        let (rows, columns, side) = (70, 50, 20);
        let found = patches(rows, columns, &slope(rows, columns), side);
        assert_eq!(found.len(), 3 * 2);
        let whole = stretched(&slope(rows, columns));
        for (number, patch) in found.iter().enumerate() {
            // Five pixels are left over on each side, both ways.
            let (top, left) = (5 + number / 2 * 20, 5 + number % 2 * 20);
            for (place, value) in patch.iter().enumerate() {
                assert_eq!(*value, whole[(top + place / 20) * 50 + left + place % 20], "{number}");
            }
        }
    }

    #[test]
    fn a_large_radiograph_gives_sixteen_at_most_and_a_small_one_itself() {
        let (rows, columns) = (301, 290);
        assert_eq!(patches(rows, columns, &slope(rows, columns), 16).len(), 4 * 3);
        assert_eq!(patches(256, 256, &slope(256, 256), 16).len(), PATCHES_MAX);
        let small = slope(15, 40);
        assert_eq!(patches(15, 40, &small, 16), [letterbox(15, 40, &small, 16)]);
    }

    #[test]
    fn what_shows_next_to_nothing_is_left_out_but_never_all() {
        let mut half = slope(32, 64);
        for row in half.chunks_mut(64) {
            row[32..].fill(7);
        }
        assert_eq!(patches(32, 64, &half, 32).len(), 1);
        let found = patches(64, 64, &[9; 64 * 64], 32);
        assert_eq!(
            found,
            vec![vec![0; 32 * 32]; 4],
            "all alike: none is better than another"
        );
    }
}
