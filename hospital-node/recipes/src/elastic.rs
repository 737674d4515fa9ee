//! Smooth bending: points of a coarse lattice are moved at random, cubic B-splines carry the rest (Rueckert et al. 1999).

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use snowball_protocol::plan::Operation;

/// Cells of the lattice on a side: with moves of a twentieth of the side no point can overtake its neighbour.
const CELLS: usize = 5;
const KNOTS: usize = CELLS + 3;

/// How far each point of a picture moves.
pub(crate) struct Bending {
    /// Row and column moves of the lattice.
    knots: [[[f32; 2]; KNOTS]; KNOTS],
    /// For each pixel of a side: its cell and the weights of the four knots around it.
    weights: Vec<(usize, [f32; 4])>,
}

/// The lattice at one row of the picture.
pub(crate) type BentRow = [[f32; 2]; KNOTS];

impl Bending {
    /// None for a picture that stays as it is.
    pub(crate) fn draw(operations: &[Operation], side: usize, random: &mut ChaCha8Rng) -> Option<Self> {
        let (probability, share) = operations.iter().find_map(|operation| match *operation {
            Operation::Elastic { probability, share } => Some((probability, share)),
            _ => None,
        })?;
        if !random.random_bool(f64::from(probability)) {
            return None;
        }
        let reach = share * side as f32;
        let mut knots = [[[0.0; 2]; KNOTS]; KNOTS];
        for knot in knots.iter_mut().flatten().flatten() {
            *knot = random.random_range(-reach..=reach);
        }
        let weights = (0..side).map(|pixel| weights(pixel as f32 / side as f32)).collect();
        Some(Self { knots, weights })
    }

    pub(crate) fn row(&self, row: usize) -> BentRow {
        let (cell, weights) = &self.weights[row];
        let mut bent = [[0.0; 2]; KNOTS];
        for (weight, knots) in weights.iter().zip(&self.knots[*cell..]) {
            for (sum, knot) in bent.iter_mut().zip(knots) {
                sum[0] += weight * knot[0];
                sum[1] += weight * knot[1];
            }
        }
        bent
    }

    /// How far the point at `column` of the row moves, by row and by column; beyond the last column nothing does.
    pub(crate) fn at(&self, bent: &BentRow, column: usize) -> [f32; 2] {
        let Some((cell, weights)) = self.weights.get(column) else {
            return [0.0; 2];
        };
        let mut moved = [0.0; 2];
        for (weight, knot) in weights.iter().zip(&bent[*cell..]) {
            moved[0] += weight * knot[0];
            moved[1] += weight * knot[1];
        }
        moved
    }
}

/// The cell of a place from 0 to 1 of the side, and the cubic B-spline's weights there, which add up to one.
fn weights(place: f32) -> (usize, [f32; 4]) {
    let place = place * CELLS as f32;
    let cell = (place as usize).min(CELLS - 1);
    let t = place - cell as f32;
    let (square, cube) = (t * t, t * t * t);
    let of = [
        1.0 - 3.0 * t + 3.0 * square - cube,
        4.0 - 6.0 * square + 3.0 * cube,
        1.0 + 3.0 * t + 3.0 * square - 3.0 * cube,
        cube,
    ];
    (cell, of.map(|weight| weight / 6.0))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn points_move_smoothly_no_further_than_asked_and_never_past_their_neighbour() {
        let elastic = [Operation::Elastic {
            probability: 1.0,
            share: 0.05,
        }];
        for seed in 0..50 {
            let bending = Bending::draw(&elastic, 100, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
            for row in 0..100 {
                let bent = bending.row(row);
                let mut before = bending.at(&bent, 0);
                for column in 1..100 {
                    let moved = bending.at(&bent, column);
                    assert!(moved.iter().all(|way| way.abs() <= 5.0));
                    assert!((moved[1] - before[1]).abs() < 1.0, "a fold at {row} {column}");
                    before = moved;
                }
            }
        }
    }

    #[test]
    fn it_happens_as_often_as_asked() {
        let elastic = [Operation::Elastic {
            probability: 0.3,
            share: 0.05,
        }];
        let bent = (0..1000).filter(|seed| Bending::draw(&elastic, 8, &mut ChaCha8Rng::seed_from_u64(*seed)).is_some());
        assert!((250..350).contains(&bent.count()));
    }
}
