//! Where each point of a varied picture comes from: turned, slanted, scaled, moved, cropped and bent in one resampling.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use snowball_protocol::plan::Operation;

use crate::{elastic::Bending, tones::Tones, value};

/// An affine map from the varied picture to the stored one.
pub(crate) struct Placement {
    /// Row from row and column, column from row and column; about the centre.
    matrix: [f32; 4],
    centre: f32,
    shift: [f32; 2],
}

impl Placement {
    pub(crate) fn draw(operations: &[Operation], side: usize, random: &mut ChaCha8Rng) -> Self {
        let mut placement = Self {
            matrix: [1.0, 0.0, 0.0, 1.0],
            centre: (side as f32 - 1.0) / 2.0,
            shift: [0.0; 2],
        };
        for operation in operations {
            match *operation {
                Operation::Rotate { degrees } => {
                    let (sine, cosine) = turn(random.random_range(-degrees..degrees));
                    placement.then([cosine, -sine, sine, cosine]);
                }
                Operation::Scale { from, to } => {
                    let zoom = 1.0 / random.random_range(from..to);
                    placement.then([zoom, 0.0, 0.0, zoom]);
                }
                Operation::Shear { degrees } => {
                    let (sine, cosine) = turn(random.random_range(-degrees..degrees));
                    let slant = sine / cosine;
                    let matrix = if random.random_bool(0.5) {
                        [1.0, slant, 0.0, 1.0]
                    } else {
                        [1.0, 0.0, slant, 1.0]
                    };
                    placement.then(matrix);
                }
                Operation::Shift { share } => {
                    let reach = share * side as f32;
                    placement.shift = [random.random_range(-reach..reach), random.random_range(-reach..reach)];
                }
                Operation::Crop { area_min } => {
                    let zoom = random.random_range(area_min..1.0).sqrt();
                    let room = (1.0 - zoom) * placement.centre / zoom;
                    placement.then([zoom, 0.0, 0.0, zoom]);
                    placement.shift = [random.random_range(-room..=room), random.random_range(-room..=room)];
                }
                _ => {}
            }
        }
        placement
    }

    fn then(&mut self, by: [f32; 4]) {
        let [a, b, c, d] = self.matrix;
        self.matrix = [
            a * by[0] + b * by[2],
            a * by[1] + b * by[3],
            c * by[0] + d * by[2],
            c * by[1] + d * by[3],
        ];
    }
}

/// Sine and cosine of at most 45 degrees. Taylor's series to the seventh order: exact to f32 there and the same on every machine.
fn turn(degrees: f32) -> (f32, f32) {
    let angle = degrees.to_radians();
    let square = angle * angle;
    let sine = angle * (1.0 - square / 6.0 * (1.0 - square / 20.0 * (1.0 - square / 42.0)));
    let cosine = 1.0 - square / 2.0 * (1.0 - square / 12.0 * (1.0 - square / 30.0 * (1.0 - square / 56.0)));
    (sine, cosine)
}

/// Writes the varied picture, bilinear, each tone through `tones`. Beyond the edge stands `beyond`, the edge where there is none.
pub(crate) fn resample(
    square: &[u16],
    side: usize,
    placement: &Placement,
    bending: Option<&Bending>,
    beyond: Option<f32>,
    tones: &Tones,
    input: &mut [f32],
) {
    let outside = beyond.map(|stored| value(tones.of(stored)));
    each(side, placement, bending, input, |place, from| {
        *place = match outside {
            Some(outside) if from.is_beyond => outside,
            _ => value(tones.of(bilinear(square, side, from.row, from.column))),
        };
    });
}

/// Writes the mask of the varied picture, each value the nearest one. Beyond the edge nothing is marked; `repeats` says that the picture's
/// edge is repeated there, and so is the mask's.
pub(crate) fn move_mask(
    mask: &[u8],
    side: usize,
    placement: &Placement,
    bending: Option<&Bending>,
    repeats: bool,
    moved: &mut [u8],
) {
    each(side, placement, bending, moved, |place, from| {
        let (row, column) = ((from.row + 0.5) as usize, (from.column + 0.5) as usize);
        *place = if from.is_beyond && !repeats {
            0
        } else {
            mask[row * side + column]
        };
    });
}

/// Where a point of a varied picture comes from, or the nearest point of the edge.
struct From {
    row: f32,
    column: f32,
    is_beyond: bool,
}

/// Tells `take` of every point where it comes from.
#[inline]
fn each<T>(
    side: usize,
    placement: &Placement,
    bending: Option<&Bending>,
    points: &mut [T],
    mut take: impl FnMut(&mut T, From),
) {
    let [down, across, slant, along] = placement.matrix;
    let centre = placement.centre;
    let last = (side - 1) as f32;
    for (row, line) in points.chunks_mut(side).enumerate() {
        let y = row as f32 - centre - placement.shift[0];
        let bent = bending.map(|bending| bending.row(row));
        for (column, point) in line.iter_mut().enumerate() {
            let x = column as f32 - centre - placement.shift[1];
            let mut from_row = down * y + across * x + centre;
            let mut from_column = slant * y + along * x + centre;
            if let (Some(bending), Some(bent)) = (bending, &bent) {
                let [by_row, by_column] = bending.at(bent, column);
                from_row += by_row;
                from_column += by_column;
            }
            let (near_row, near_column) = (from_row.clamp(0.0, last), from_column.clamp(0.0, last));
            let from = From {
                row: near_row,
                column: near_column,
                is_beyond: (from_row - near_row).abs().max((from_column - near_column).abs()) > 0.5,
            };
            take(point, from);
        }
    }
}

fn bilinear(square: &[u16], side: usize, row: f32, column: f32) -> f32 {
    let (top, left) = (row as usize, column as usize);
    let (bottom, right) = ((top + 1).min(side - 1), (left + 1).min(side - 1));
    let (down, across) = (row - top as f32, column - left as f32);
    let at = |row: usize, column: usize| f32::from(square[row * side + column]);
    let upper = at(top, left) + across * (at(top, right) - at(top, left));
    let lower = at(bottom, left) + across * (at(bottom, right) - at(bottom, left));
    upper + down * (lower - upper)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn matrix(operation: Operation, seed: u64) -> Placement {
        Placement::draw(&[operation], 101, &mut ChaCha8Rng::seed_from_u64(seed))
    }

    #[test]
    fn each_operation_moves_points_within_its_range_and_as_its_name_says() {
        for seed in 0..300 {
            let turned = matrix(Operation::Rotate { degrees: 25.0 }, seed).matrix;
            assert!(
                (turned[0] * turned[3] - turned[1] * turned[2] - 1.0).abs() < 1e-5,
                "an area stays"
            );
            assert!(turned[1].atan2(turned[0]).abs() <= 25.1_f32.to_radians());
            let scaled = matrix(Operation::Scale { from: 0.75, to: 1.3 }, seed).matrix;
            assert!(1.0 / scaled[0] >= 0.75 && 1.0 / scaled[0] <= 1.3 && scaled[0] == scaled[3]);
            let slanted = matrix(Operation::Shear { degrees: 8.0 }, seed).matrix;
            assert!(slanted[1] == 0.0 || slanted[2] == 0.0);
            assert!((slanted[1] + slanted[2]).abs() <= 8.1_f32.to_radians().tan());
            let moved = matrix(Operation::Shift { share: 0.06 }, seed);
            assert!(moved.shift.iter().all(|shift| shift.abs() <= 6.06) && moved.matrix == [1.0, 0.0, 0.0, 1.0]);
        }
    }

    #[test]
    fn a_crop_stays_within_the_picture() {
        for seed in 0..300 {
            let crop = matrix(Operation::Crop { area_min: 0.5 }, seed);
            assert!(crop.matrix[0] * crop.matrix[0] >= 0.499 && crop.matrix[0] <= 1.0);
            for corner in [0.0_f32, 100.0] {
                for shift in crop.shift {
                    let from = crop.matrix[0] * (corner - crop.centre - shift) + crop.centre;
                    assert!((-0.01..=100.01).contains(&from), "{from}");
                }
            }
        }
    }

    #[test]
    fn sines_are_right_to_binary32() {
        for degrees in -45..=45 {
            let (sine, cosine) = turn(degrees as f32);
            let exact = f64::from(degrees).to_radians();
            assert!(
                (f64::from(sine) - exact.sin()).abs() < 5e-7 * 10.0 && (f64::from(cosine) - exact.cos()).abs() < 5e-6
            );
        }
    }
}
