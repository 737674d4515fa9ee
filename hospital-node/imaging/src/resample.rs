//! Pictures of other sizes, by area: each new pixel is the mean of what it covers, weighted by how much of it.
//!
//! All sums are of integers, so the same picture gives the same bytes on every machine.

/// A network's input (`letterbox-v1`): `pixels` fitted into a square of `side` with their proportions kept, centred on
/// the median of their border, and stretched so that the 0.5 and 99.5 percentiles of the picture become 0 and 65535.
///
/// `pixels` stand row by row, `rows` times `columns`; the result row by row, `side` times `side`. A picture of one tone
/// is 0 throughout.
///
/// # Panics
/// If `pixels` are not `rows` times `columns`, or one of the three sizes is 0.
#[must_use]
pub fn letterbox(rows: u32, columns: u32, pixels: &[u16], side: u32) -> Vec<u16> {
    let (inner_rows, inner_columns) = fitted(rows, columns, side);
    let picture = averaged(rows, columns, pixels, inner_rows, inner_columns);
    let stretch = stretch(&picture);
    let mut square = vec![stretch(border_median(&picture, inner_rows, inner_columns)); (side * side) as usize];
    let (top, left) = ((side - inner_rows) / 2, (side - inner_columns) / 2);
    for (row, values) in picture.chunks_exact(inner_columns as usize).enumerate() {
        let start = (top as usize + row) * side as usize + left as usize;
        for (place, value) in square[start..].iter_mut().zip(values) {
            *place = stretch(*value);
        }
    }
    square
}

/// A smaller picture in full depth, its longer side at most `longest_side_max`: rows, columns, pixels. One that is small
/// enough stays as it is.
///
/// # Panics
/// If `pixels` are not `rows` times `columns`, or one of the three sizes is 0.
#[must_use]
pub fn downscale(rows: u32, columns: u32, pixels: &[u16], longest_side_max: u32) -> (u32, u32, Vec<u16>) {
    if rows.max(columns) <= longest_side_max {
        return (rows, columns, pixels.to_vec());
    }
    let (new_rows, new_columns) = fitted(rows, columns, longest_side_max);
    (
        new_rows,
        new_columns,
        averaged(rows, columns, pixels, new_rows, new_columns),
    )
}

/// A mask's values where [`letterbox`] puts a picture of its size, each the nearest value of the mask; 0 beside the picture.
///
/// # Panics
/// As [`letterbox`].
#[must_use]
pub fn letterbox_mask(rows: u32, columns: u32, values: &[u8], side: u32) -> Vec<u8> {
    let (inner_rows, inner_columns) = fitted(rows, columns, side);
    let inner = nearest(rows, columns, values, inner_rows, inner_columns);
    let mut square = vec![0; side as usize * side as usize];
    let (top, left) = ((side - inner_rows) / 2, (side - inner_columns) / 2);
    for (row, values) in inner.chunks_exact(inner_columns as usize).enumerate() {
        let start = (top as usize + row) * side as usize + left as usize;
        square[start..start + values.len()].copy_from_slice(values);
    }
    square
}

/// The way back: what a square of `side` says of a picture of `rows` times `columns` that [`letterbox`] put into it, each value the
/// nearest of the square.
///
/// # Panics
/// As [`letterbox`].
#[must_use]
pub fn unletterbox_mask(side: u32, square: &[u8], rows: u32, columns: u32) -> Vec<u8> {
    let (inner_rows, inner_columns) = fitted(rows, columns, side);
    let (top, left) = ((side - inner_rows) / 2, (side - inner_columns) / 2);
    let inner: Vec<u8> = (top..top + inner_rows)
        .flat_map(|row| {
            let start = row as usize * side as usize + left as usize;
            &square[start..start + inner_columns as usize]
        })
        .copied()
        .collect();
    nearest(inner_rows, inner_columns, &inner, rows, columns)
}

/// A mask in another size: each new value is the old one under the new pixel's middle, so that no value is made up.
///
/// # Panics
/// If `values` are not `rows` times `columns`, or one of the sizes is 0.
#[must_use]
pub fn nearest(rows: u32, columns: u32, values: &[u8], new_rows: u32, new_columns: u32) -> Vec<u8> {
    assert_eq!(
        values.len(),
        rows as usize * columns as usize,
        "values are rows times columns"
    );
    let under = |new: u32, old_extent: u32, new_extent: u32| {
        (2 * u64::from(new) + 1) * u64::from(old_extent) / (2 * u64::from(new_extent))
    };
    let places: Vec<usize> = (0..new_columns)
        .map(|column| under(column, columns, new_columns) as usize)
        .collect();
    (0..new_rows)
        .flat_map(|row| {
            let start = under(row, rows, new_rows) as usize * columns as usize;
            places.iter().map(move |place| values[start + place])
        })
        .collect()
}

/// Rows and columns of a picture whose longer side becomes `side`.
fn fitted(rows: u32, columns: u32, side: u32) -> (u32, u32) {
    let longest = u64::from(rows.max(columns));
    let scale = |extent: u32| {
        let scaled = (u64::from(extent) * u64::from(side) + longest / 2)
            .checked_div(longest)
            .unwrap_or(0);
        // At most `side`, because no extent is longer than the longest.
        (scaled as u32).max(1)
    };
    assert!(rows > 0 && columns > 0 && side > 0, "a picture has at least one pixel");
    (scale(rows), scale(columns))
}

/// Which old places a new place covers, with integer weights that add up to the old extent.
fn cover(old: u32, new: u32, place: u32) -> impl Iterator<Item = (usize, u64)> {
    // In units of one over `new`: an old place is `new` wide, a new one `old` wide.
    let (old, new) = (u64::from(old), u64::from(new));
    let (start, stop) = (u64::from(place) * old, (u64::from(place) + 1) * old);
    (start / new..stop.div_ceil(new)).map(move |index| {
        let overlap = stop.min((index + 1) * new) - start.max(index * new);
        (index as usize, overlap)
    })
}

fn averaged(rows: u32, columns: u32, pixels: &[u16], new_rows: u32, new_columns: u32) -> Vec<u16> {
    assert_eq!(
        pixels.len(),
        rows as usize * columns as usize,
        "pixels are rows times columns"
    );
    if (rows, columns) == (new_rows, new_columns) {
        return pixels.to_vec();
    }
    let weights: Vec<Vec<(usize, u64)>> = (0..new_columns)
        .map(|column| cover(columns, new_columns, column).collect())
        .collect();
    let narrow = |row: usize| -> Vec<u64> {
        let start = row * columns as usize;
        let values = &pixels[start..start + columns as usize];
        weights
            .iter()
            .map(|cover| cover.iter().map(|(at, weight)| u64::from(values[*at]) * weight).sum())
            .collect()
    };
    let total = u64::from(rows) * u64::from(columns);
    let mut result = Vec::with_capacity((new_rows * new_columns) as usize);
    // Neighbouring new rows share an old one at most; the last one narrowed is kept.
    let mut last: Option<(usize, Vec<u64>)> = None;
    for row in 0..new_rows {
        let mut sums = vec![0_u64; new_columns as usize];
        for (at, weight) in cover(rows, new_rows, row) {
            if last.as_ref().is_none_or(|(known, _)| *known != at) {
                last = Some((at, narrow(at)));
            }
            if let Some((_, values)) = &last {
                sums.iter_mut()
                    .zip(values)
                    .for_each(|(sum, value)| *sum += value * weight);
            }
        }
        result.extend(sums.iter().map(|sum| ((sum + total / 2) / total) as u16));
    }
    result
}

/// All of `picture` stretched so that its 0.5 and 99.5 percentiles become 0 and 65535.
pub(crate) fn stretched(picture: &[u16]) -> Vec<u16> {
    let stretch = stretch(picture);
    picture.iter().map(|value| stretch(*value)).collect()
}

/// What becomes of a value where the 0.5 and 99.5 percentiles of `picture` become 0 and 65535.
fn stretch(picture: &[u16]) -> impl Fn(u16) -> u16 + use<> {
    let (low, high) = percentiles(picture);
    move |value| {
        let (value, range) = (u64::from(value.clamp(low, high) - low), u64::from(high - low));
        // In range: value is at most range, so the quotient is at most 65535.
        (value * 65_535 + range / 2).checked_div(range).unwrap_or(0) as u16
    }
}

/// The 0.5 and 99.5 percentiles: the values at those places of the sorted picture.
pub(crate) fn percentiles(picture: &[u16]) -> (u16, u16) {
    let mut counts = vec![0_u64; 1 << 16];
    picture.iter().for_each(|value| counts[usize::from(*value)] += 1);
    let last = picture.len() as u64 - 1;
    let at = |place: u64| {
        let mut passed = 0;
        let found = counts.iter().position(|count| {
            passed += count;
            passed > place
        });
        found.unwrap_or(0) as u16
    };
    (at(last * 5 / 1000), at((last * 995).div_ceil(1000)))
}

/// The median of the outermost pixels.
fn border_median(picture: &[u16], rows: u32, columns: u32) -> u16 {
    let (rows, columns) = (rows as usize, columns as usize);
    let is_border = |place: usize| {
        let (row, column) = (place / columns, place % columns);
        row == 0 || row + 1 == rows || column == 0 || column + 1 == columns
    };
    let mut border: Vec<u16> = picture
        .iter()
        .enumerate()
        .filter(|(place, _)| is_border(*place))
        .map(|(_, value)| *value)
        .collect();
    let middle = border.len() / 2;
    *border.select_nth_unstable(middle).1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn halves_are_means() {
        let (rows, columns, pixels) = downscale(2, 4, &[0, 2, 10, 30, 4, 6, 20, 40], 2);
        assert_eq!((rows, columns, pixels), (1, 2, vec![3, 25]));
        let (rows, columns, pixels) = downscale(3, 3, &[9; 9], 2);
        assert_eq!((rows, columns, pixels), (2, 2, vec![9; 4]));
    }

    #[test]
    fn thirds_are_weighted() {
        // New pixels are one and a half old ones wide.
        assert_eq!(averaged(1, 3, &[0, 30, 60], 1, 2), [10, 50]);
        assert_eq!(averaged(1, 2, &[10, 50], 1, 4), [10, 10, 50, 50]);
    }

    #[test]
    fn a_mask_lies_where_its_picture_does_and_comes_back() {
        // An L, so that no mirroring or turning leaves it as it is.
        for (rows, columns, side) in [(60, 40, 30), (40, 60, 30), (37, 23, 64), (64, 64, 16)] {
            let is_marked = |row: u32, column: u32| {
                (row > rows / 6 && row < rows / 2 && column < columns / 3)
                    || (row < rows / 6 && column < columns * 5 / 6)
            };
            let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
            let mask: Vec<u8> = places.map(|(row, column)| u8::from(is_marked(row, column))).collect();
            let pixels: Vec<u16> = mask.iter().map(|value| u16::from(*value) * 1000).collect();
            let square = letterbox_mask(rows, columns, &mask, side);
            let picture = letterbox(rows, columns, &pixels, side);
            let apart = square
                .iter()
                .zip(&picture)
                .filter(|(mask, pixel)| (**mask == 1) != (**pixel > 32_767))
                .count();
            // The picture is averaged and the mask is not: they part at most along the edge.
            assert!(apart <= side as usize, "{rows} {columns} {side}: {apart}");
            let back = unletterbox_mask(side, &square, rows, columns);
            let apart = back.iter().zip(&mask).filter(|(back, mask)| back != mask).count();
            assert!(apart * 8 <= mask.len(), "{rows} {columns} {side}: {apart}");
            assert_eq!(nearest(rows, columns, &mask, rows, columns), mask);
        }
        assert_eq!(letterbox_mask(2, 1, &[1, 2], 2), [1, 0, 2, 0]);
        assert_eq!(nearest(1, 4, &[1, 2, 3, 4], 1, 2), [2, 4]);
        assert_eq!(nearest(1, 2, &[1, 2], 1, 4), [1, 1, 2, 2]);
    }

    #[test]
    fn a_tall_picture_stands_between_two_bands_of_its_border() {
        let pixels: Vec<u16> = (0..4).flat_map(|row| [row * 100, row * 100]).collect();
        let square = letterbox(4, 2, &pixels, 4);
        let columns: Vec<Vec<u16>> = (0..4)
            .map(|column| (0..4).map(|row| square[row * 4 + column]).collect())
            .collect();
        assert_eq!(columns[1], [0, 21845, 43690, 65535]);
        assert_eq!(columns[2], columns[1]);
        assert_eq!(
            (columns[0].clone(), columns[3].clone()),
            (vec![43690; 4], vec![43690; 4])
        );
    }

    #[test]
    fn one_tone_is_black() {
        assert_eq!(letterbox(5, 3, &[700; 15], 2), [0; 4]);
    }

    proptest! {
        #[test]
        fn averages_stay_within_and_keep_the_mean(rows in 1_u32..30, columns in 1_u32..30, side in 1_u32..20, seed: u16) {
            let pixels: Vec<u16> = (0..rows * columns).map(|place| (place as u16).wrapping_mul(40503) ^ seed).collect();
            let (new_rows, new_columns) = fitted(rows, columns, side);
            let result = averaged(rows, columns, &pixels, new_rows, new_columns);
            prop_assert_eq!(result.len(), (new_rows * new_columns) as usize);
            prop_assert!(result.iter().min() >= pixels.iter().min() && result.iter().max() <= pixels.iter().max());
            let mean = |values: &[u16]| values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64;
            prop_assert!((mean(&result) - mean(&pixels)).abs() <= 0.5 + 1e-6);
            prop_assert_eq!(letterbox(rows, columns, &pixels, side).len(), (side * side) as usize);
        }
    }
}
