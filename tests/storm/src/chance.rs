//! Everything that is left to chance, from one seed. What the operating system does in between is not.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// One source of chance.
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The chance of one part of a run: each part has a stream of its own, so that no part's luck depends on another's pace.
    pub fn of(seed: u64, part: u64) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        chance.set_stream(part);
        Self(chance)
    }

    /// A time from `low` to `high` milliseconds.
    pub fn milliseconds(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.0.random_range(low..=high))
    }

    /// One of `of` places.
    pub fn place(&mut self, of: usize) -> usize {
        self.0.random_range(0..of.max(1))
    }
}
