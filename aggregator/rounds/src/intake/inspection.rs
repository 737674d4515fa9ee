//! One pass over an update's bytes, as they arrive or from its file: their number, digest, norm, and whether every
//! number is finite.

use snowball_protocol::{Sha256Digest, digest::RunningDigest};

use crate::strategy::{FloatBytes, SquareSum};

/// A pass that is under way. Pieces may be cut anywhere, also within a number.
#[derive(Clone, Default)]
pub struct Inspection {
    length: u64,
    digest: RunningDigest,
    floats: FloatBytes,
    squares: SquareSum,
}

/// What a pass over an update's bytes found.
#[derive(Clone, PartialEq, Debug)]
pub struct Inspected {
    /// How many bytes there were.
    pub bytes: u64,
    /// SHA-256 of them.
    pub digest: Sha256Digest,
    square_sum: f64,
}

impl Inspection {
    /// Begins a pass.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.digest.update(bytes);
        self.floats.read(bytes, |values| self.squares.add(values));
    }

    /// What was found. A last number that is cut off counts in the length and the digest alone.
    #[must_use]
    pub fn finish(self) -> Inspected {
        Inspected {
            bytes: self.length,
            digest: self.digest.finish(),
            square_sum: self.squares.total(),
        }
    }
}

impl Inspected {
    /// Euclidean norm of the update; NaN or infinite if one of its numbers is.
    #[must_use]
    pub fn norm(&self) -> f64 {
        self.square_sum.sqrt()
    }

    /// Whether every number is finite. The squares of finite binary32 numbers cannot overflow binary64, so their sum
    /// is finite exactly when all of them are.
    #[must_use]
    pub const fn is_finite(&self) -> bool {
        self.square_sum.is_finite()
    }

    pub(super) const fn square_sum(&self) -> f64 {
        self.square_sum
    }
}
