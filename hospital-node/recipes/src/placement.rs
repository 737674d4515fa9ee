//! Where each point of a varied picture comes from: turned, slanted, scaled, moved, cropped and bent in one resampling.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use snowball_protocol::plan::Operation;

use crate::{
    elastic::{Bending, BentRow},
    tones::Tones,
    value,
};

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
    let padded = Padded::of(square, side);
    for (row, line) in input.chunks_mut(side).enumerate() {
        let row = placement.row(row, side, bending);
        for (chunk, points) in line.chunks_mut(LANES).enumerate() {
            // In turn, each for several points at once: so the processor does them side by side. Plain loops, since what
            // `array::from_fn` calls is not put in place here.
            let mut from = [From::default(); LANES];
            for (lane, from) in from.iter_mut().enumerate() {
                *from = row.from(chunk * LANES + lane);
            }
            let mut toned = [0.0; LANES];
            for (toned, from) in toned.iter_mut().zip(&from) {
                *toned = padded.bilinear(from);
            }
            for toned in &mut toned {
                *toned = value(tones.of(*toned));
            }
            for ((point, toned), from) in points.iter_mut().zip(toned).zip(from) {
                *point = match outside {
                    Some(outside) if from.is_beyond => outside,
                    _ => toned,
                };
            }
        }
    }
}

/// Points that are looked up together.
const LANES: usize = 16;

/// A picture with its last row and column once more, so that every point has a neighbour below and beside it.
struct Padded {
    tones: Vec<f32>,
    width: usize,
}

impl Padded {
    fn of(square: &[u16], side: usize) -> Self {
        let width = side + 1;
        let mut tones = Vec::with_capacity(width * width);
        for line in square.chunks_exact(side).chain(square.chunks_exact(side).last()) {
            tones.extend(line.iter().map(|tone| f32::from(*tone)));
            tones.extend(line.last().map(|tone| f32::from(*tone)));
        }
        Self { tones, width }
    }

    #[inline(always)]
    fn bilinear(&self, from: &From) -> f32 {
        // Neither is below 0 nor above the side: 32 bits hold them, and are faster to come by.
        let (top, left) = (from.row as i32, from.column as i32);
        let (down, across) = (from.row - top as f32, from.column - left as f32);
        let corner = top as usize * self.width + left as usize;
        let (upper, lower) = (&self.tones[corner..][..2], &self.tones[corner + self.width..][..2]);
        let upper = upper[0] + across * (upper[1] - upper[0]);
        let lower = lower[0] + across * (lower[1] - lower[0]);
        upper + down * (lower - upper)
    }
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
    for (row, line) in moved.chunks_mut(side).enumerate() {
        let points = placement.row(row, side, bending);
        for (column, place) in line.iter_mut().enumerate() {
            let from = points.from(column);
            let (row, column) = ((from.row + 0.5) as usize, (from.column + 0.5) as usize);
            *place = if from.is_beyond && !repeats {
                0
            } else {
                mask[row * side + column]
            };
        }
    }
}

/// Where a point of a varied picture comes from, or the nearest point of the edge.
#[derive(Clone, Copy, Default)]
struct From {
    row: f32,
    column: f32,
    is_beyond: bool,
}

/// Where the points of one row come from.
struct Row<'a> {
    placement: &'a Placement,
    y: f32,
    last: f32,
    bent: Option<(&'a Bending, BentRow)>,
}

impl Placement {
    fn row<'a>(&'a self, row: usize, side: usize, bending: Option<&'a Bending>) -> Row<'a> {
        Row {
            placement: self,
            y: row as f32 - self.centre - self.shift[0],
            last: (side - 1) as f32,
            bent: bending.map(|bending| (bending, bending.row(row))),
        }
    }
}

impl Row<'_> {
    /// A column beyond the last is as good as any other.
    #[inline(always)]
    fn from(&self, column: usize) -> From {
        let [down, across, slant, along] = self.placement.matrix;
        let x = column as f32 - self.placement.centre - self.placement.shift[1];
        let mut from_row = down * self.y + across * x + self.placement.centre;
        let mut from_column = slant * self.y + along * x + self.placement.centre;
        if let Some((bending, bent)) = &self.bent {
            let [by_row, by_column] = bending.at(bent, column);
            from_row += by_row;
            from_column += by_column;
        }
        let (row, column) = (from_row.clamp(0.0, self.last), from_column.clamp(0.0, self.last));
        From {
            row,
            column,
            is_beyond: (from_row - row).abs().max((from_column - column).abs()) > 0.5,
        }
    }
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
