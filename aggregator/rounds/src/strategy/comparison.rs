//! How far one update points where the round's mean points: a second pass over its numbers.

use super::{FloatBytes, SquareSum, StrategyFault};

/// A comparison of one update with the mean, under way.
pub struct Comparison<'a> {
    /// The mean up to a positive factor, which a cosine does not see.
    sums: &'a [i64],
    offset: usize,
    is_longer: bool,
    floats: FloatBytes,
    dot: f64,
    sum_squares: f64,
    squares: SquareSum,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(sums: &'a [i64]) -> Self {
        Self {
            sums,
            offset: 0,
            is_longer: false,
            floats: FloatBytes::default(),
            dot: 0.0,
            sum_squares: 0.0,
            squares: SquareSum::default(),
        }
    }

    /// Takes in the next numbers.
    pub fn chunk(&mut self, values: &[f32]) {
        let sums = self.sums.get(self.offset..).unwrap_or_default();
        self.is_longer |= values.len() > sums.len();
        for (sum, value) in sums.iter().zip(values) {
            let sum = *sum as f64;
            self.dot += sum * f64::from(*value);
            self.sum_squares += sum * sum;
        }
        self.squares.add(values);
        self.offset += values.len();
    }

    /// Takes in the next numbers as little-endian bytes, cut anywhere.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let mut floats = std::mem::take(&mut self.floats);
        floats.read(bytes, |values| self.chunk(values));
        self.floats = floats;
    }

    /// The cosine, in -1 to 1; 0 where the update or the mean is zero.
    ///
    /// # Errors
    /// When there were more or fewer numbers than the mean has.
    pub fn finish(self) -> Result<f64, StrategyFault> {
        if self.is_longer || self.offset != self.sums.len() || !self.floats.is_whole() {
            return Err(StrategyFault::WrongLength);
        }
        let norms = self.sum_squares.sqrt() * self.squares.total().sqrt();
        Ok(if norms > 0.0 {
            (self.dot / norms).clamp(-1.0, 1.0)
        } else {
            0.0
        })
    }
}
