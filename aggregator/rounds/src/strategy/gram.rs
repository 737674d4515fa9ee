//! The products of all updates with one another. Distances between updates, and between an update and any mixture of them, follow
//! from these, so that rules which ask for distances look at the numbers once.

/// Eight lanes, by the place of a number: how the numbers were cut into blocks does not matter.
const LANES: usize = 8;

/// The products of `n` updates, under way.
#[derive(Clone, Debug)]
pub struct Gram {
    updates: usize,
    /// Of the pairs (i, j) with j at most i, one after the other.
    pairs: Vec<[f64; LANES]>,
    offset: usize,
}

impl Gram {
    /// Nothing yet, of so many updates.
    #[must_use]
    pub fn new(updates: usize) -> Self {
        Self {
            updates,
            pairs: vec![[0.0; LANES]; updates * (updates + 1) / 2],
            offset: 0,
        }
    }

    /// Takes in the next numbers of each update, `rows` one after the other: all of the same length. It is fastest where that is
    /// a multiple of eight.
    pub fn block(&mut self, rows: &[f32]) {
        let width = rows.len() / self.updates.max(1);
        if width == 0 {
            return;
        }
        let mut pairs = self.pairs.iter_mut();
        for (index, one) in rows.chunks_exact(width).enumerate() {
            for (other, lanes) in rows.chunks_exact(width).take(index + 1).zip(&mut pairs) {
                multiply(lanes, self.offset, one, other);
            }
        }
        self.offset += width;
    }

    /// The product of two updates, each shortened by its factor.
    pub(super) fn product(&self, one: usize, other: usize, shortenings: &[f64]) -> f64 {
        let (high, low) = (one.max(other), one.min(other));
        let lanes = &self.pairs[high * (high + 1) / 2 + low];
        lanes.iter().sum::<f64>() * shortenings[one] * shortenings[other]
    }

    pub(super) const fn updates(&self) -> usize {
        self.updates
    }
}

fn multiply(lanes: &mut [f64; LANES], offset: usize, one: &[f32], other: &[f32]) {
    let (blocks, tail) = (one.chunks_exact(LANES), one.chunks_exact(LANES).remainder());
    let other_tail = other.chunks_exact(LANES).remainder();
    if offset.is_multiple_of(LANES) {
        for (one, other) in blocks.zip(other.chunks_exact(LANES)) {
            for ((lane, one), other) in lanes.iter_mut().zip(one).zip(other) {
                *lane += f64::from(*one) * f64::from(*other);
            }
        }
        for ((lane, one), other) in lanes.iter_mut().zip(tail).zip(other_tail) {
            *lane += f64::from(*one) * f64::from(*other);
        }
        return;
    }
    for (place, (one, other)) in one.iter().zip(other).enumerate() {
        lanes[(offset + place) % LANES] += f64::from(*one) * f64::from(*other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_do_not_depend_on_the_cuts() {
        let rows: Vec<Vec<f32>> = (0..3)
            .map(|row| (0..53).map(|place| ((row * 53 + place) as f32 * 0.7).sin()).collect())
            .collect();
        let gram = |cuts: &[usize]| {
            let (mut gram, mut from) = (Gram::new(3), 0);
            for to in cuts.iter().copied().chain([53]) {
                let block: Vec<f32> = rows.iter().flat_map(|row| row[from..to].to_vec()).collect();
                gram.block(&block);
                from = to;
            }
            gram
        };
        let whole = gram(&[]);
        for one in 0..3 {
            for other in 0..3 {
                let expected: f64 = rows[one]
                    .iter()
                    .zip(&rows[other])
                    .map(|(a, b)| f64::from(*a) * f64::from(*b))
                    .sum();
                let found = whole.product(one, other, &[1.0; 3]);
                assert!((found - expected).abs() < 1e-9, "{one} {other}: {found} {expected}");
                for cuts in [&[8][..], &[16, 24], &[3, 11, 12], &[1, 2, 50]] {
                    assert_eq!(
                        gram(cuts).product(one, other, &[1.0; 3]).to_bits(),
                        found.to_bits(),
                        "{cuts:?}"
                    );
                }
            }
        }
        assert!((whole.product(2, 1, &[1.0, 0.5, 0.1]) - 0.05 * whole.product(1, 2, &[1.0; 3])).abs() < 1e-12);
    }
}
