//! What covers a part of a picture: corners where letters stand, dark borders, a cut-out rectangle.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use crate::value;

/// Width and height of what covers a corner, as shares of the radiograph.
const CORNER: (f32, f32) = (0.12, 0.22);

/// With `probability`, covers the four corners of the radiograph within its square, each with the mean tone of what it covers: letters
/// of lead stand there most often. Where they truly stand is not known when a network is trained, so letters elsewhere stay.
pub(crate) fn corners(probability: f32, square: &mut [u16], side: usize, random: &mut ChaCha8Rng) {
    if !random.random_bool(f64::from(probability)) {
        return;
    }
    let (top, left) = margins(square, side);
    let (rows, columns) = (side - 2 * top, side - 2 * left);
    for (is_lower, is_right) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut draw =
            |length: usize| ((random.random_range(CORNER.0..CORNER.1) * length as f32).ceil() as usize).min(length);
        let (height, width) = (draw(rows), draw(columns));
        let first_row = if is_lower { top + rows - height } else { top };
        let first_column = if is_right { left + columns - width } else { left };
        let lines = first_row..first_row + height;
        let of = |row: usize| row * side + first_column..row * side + first_column + width;
        let sum: u64 = lines
            .clone()
            .flat_map(|row| &square[of(row)])
            .map(|tone| u64::from(*tone))
            .sum();
        let mean = sum / (height * width).max(1) as u64;
        for row in lines {
            // A mean of 16-bit tones has 16 bits.
            square[of(row)].fill(mean as u16);
        }
    }
}

/// Rows above and columns left of the radiograph that are the letterbox's: of one tone throughout, as many on the other side.
fn margins(square: &[u16], side: usize) -> (usize, usize) {
    let Some(fill) = square.first() else { return (0, 0) };
    let is_row_filled = |row: usize| square[row * side..(row + 1) * side].iter().all(|tone| tone == fill);
    let is_column_filled = |column: usize| (0..side).all(|row| square[row * side + column] == *fill);
    // At least a third of the square stays the radiograph's, whatever a picture of one tone looks like.
    let widest = side / 3;
    let top = (0..widest)
        .take_while(|row| is_row_filled(*row) && is_row_filled(side - 1 - row))
        .count();
    let left = (0..widest)
        .take_while(|column| is_column_filled(*column) && is_column_filled(side - 1 - column))
        .count();
    (top, left)
}

/// The middle tone of the square's outermost pixels: what stands beyond them.
pub(crate) fn border_tone(square: &[u16], side: usize) -> f32 {
    let last = side * (side - 1);
    let mut tones: Vec<u16> = (0..side)
        .flat_map(|at| [at, last + at, at * side, at * side + side - 1])
        .map(|at| square[at])
        .collect();
    let middle = tones.len() / 2;
    f32::from(*tones.select_nth_unstable(middle).1)
}

/// Dark rows above and below, dark columns left and right.
pub(crate) fn borders(probability: f32, share: f32, side: usize, random: &mut ChaCha8Rng, input: &mut [f32]) {
    let [above, below, left, right]: [usize; 4] = std::array::from_fn(|_| {
        let width = random.random_range(0.0..share) * side as f32;
        if random.random_bool(f64::from(probability)) {
            width.round() as usize
        } else {
            0
        }
    });
    let black = value(0.0);
    input[..above * side].fill(black);
    input[(side - below) * side..].fill(black);
    for line in input.chunks_mut(side) {
        line[..left].fill(black);
        line[side - right..].fill(black);
    }
}

/// Covers one rectangle of up to `area_max` of the picture with the middle tone; it is at most twice as long as wide.
pub(crate) fn cutout(area_max: f32, side: usize, random: &mut ChaCha8Rng, input: &mut [f32]) {
    let area = random.random_range(0.0..area_max);
    let shape = random.random_range(0.5..2.0_f32);
    // Rounded down, so that the bound holds.
    let length = |share: f32| ((share.sqrt() * side as f32) as usize).min(side);
    let (height, width) = (length(area * shape), length(area / shape));
    let top = random.random_range(0..=side - height);
    let left = random.random_range(0..=side - width);
    for line in input.chunks_mut(side).skip(top).take(height) {
        line[left..left + width].fill(value(0.5));
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn letters_in_the_corners_of_a_letterboxed_radiograph_are_covered_and_its_middle_is_not() {
        // A portrait: 16 columns of margin on both sides, tones that rise, a white letter in each corner.
        let side = 64;
        let picture = |row: usize, column: usize| match column {
            16..48 => 10_000 + (row * 100) as u16 + column as u16,
            _ => 9_000,
        };
        let mut square: Vec<u16> = (0..side * side).map(|at| picture(at / side, at % side)).collect();
        let letters = [(1, 17), (1, 46), (62, 17), (62, 46)];
        letters
            .iter()
            .for_each(|(row, column)| square[row * side + column] = 65_535);
        assert_eq!(margins(&square, side), (0, 16));
        for seed in 0..50 {
            let mut covered = square.clone();
            corners(1.0, &mut covered, side, &mut ChaCha8Rng::seed_from_u64(seed));
            for (row, column) in letters {
                let around = |tones: &[u16]| {
                    tones[row * side + column].abs_diff(tones[row * side + column + 1 - 2 * (column / 46)])
                };
                assert!(around(&square) > 40_000 && around(&covered) == 0, "{row} {column}");
            }
            assert_eq!(covered[32 * side..33 * side], square[32 * side..33 * side]);
        }
        let mut untouched = square.clone();
        corners(0.0, &mut untouched, side, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(untouched, square);
    }

    #[test]
    fn a_picture_of_one_tone_is_no_trouble() {
        for side in [1, 2, 3, 9] {
            let mut square = vec![5; side * side];
            corners(1.0, &mut square, side, &mut ChaCha8Rng::seed_from_u64(1));
            assert_eq!(square, vec![5; side * side]);
            assert_eq!(border_tone(&square, side), 5.0);
        }
    }

    #[test]
    fn a_cutout_is_one_rectangle_of_a_tenth_at_most() {
        let mut largest = 0;
        for seed in 0..300 {
            let mut input = vec![2.0; 50 * 50];
            cutout(0.1, 50, &mut ChaCha8Rng::seed_from_u64(seed), &mut input);
            let covered = |line: &[f32]| line.iter().filter(|value| **value == 0.0).count();
            let widths: Vec<usize> = input.chunks(50).map(covered).filter(|width| *width > 0).collect();
            assert!(widths.iter().all(|width| *width == widths[0]), "a rectangle");
            largest = largest.max(widths.iter().sum());
        }
        assert!((150..=250).contains(&largest), "{largest}");
    }

    #[test]
    fn borders_are_dark_and_narrow() {
        for seed in 0..100 {
            let mut input = vec![0.0; 100 * 100];
            borders(1.0, 0.04, 100, &mut ChaCha8Rng::seed_from_u64(seed), &mut input);
            assert!((5..95).all(|row| input[row * 100 + 5..row * 100 + 95].iter().all(|value| *value == 0.0)));
            assert!(input.iter().all(|value| *value == 0.0 || *value == -2.0));
        }
    }
}
