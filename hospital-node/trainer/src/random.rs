//! Everything random of a job, from one seed, whatever the number of threads.

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use snowball_protocol::Sha256Digest;

/// The job's seed: a digest of the plan's seed and the stream that the node gave.
#[derive(Clone, Copy)]
pub struct JobSeed([u8; 32]);

/// Streams from here on shuffle; those below vary pictures, and the upper half of these hides parts of them.
const SHUFFLES: u64 = 1 << 63;
/// Streams from here on make labels and mix pictures; no job has so many epochs.
const MAKING: u64 = SHUFFLES | 1 << 62;
/// From here to the half of all streams they hide parts of pictures.
const MASKS: u64 = 1 << 62;

impl JobSeed {
    /// The seed of the job with number `stream` under a plan with `seed`.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut text = b"snowball trainer v1\n".to_vec();
        text.extend(seed.to_le_bytes());
        text.extend(stream.to_le_bytes());
        Self(*Sha256Digest::of(&text).as_bytes())
    }

    /// The generator for the picture that is the `draw`th of this job.
    pub fn picture(&self, draw: u64) -> ChaCha8Rng {
        self.stream(draw & (MASKS - 1))
    }

    /// The generator for what is hidden of the picture that is the `draw`th of this job.
    pub fn mask(&self, draw: u64) -> ChaCha8Rng {
        self.stream(MASKS | draw & (MASKS - 1))
    }

    /// The generator that exchanges labels.
    pub fn exchange(&self) -> ChaCha8Rng {
        self.stream(MAKING - 1)
    }

    /// The generator for what is done to the picture that is the `draw`th of this job after it was varied.
    pub fn making(&self, draw: u64) -> ChaCha8Rng {
        self.stream(MAKING | draw & (SHUFFLES / 2 - 1))
    }

    fn stream(&self, stream: u64) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::from_seed(self.0);
        random.set_stream(stream);
        random
    }
}

/// Draws without replacement: every example once, in a new order, before any comes again.
pub struct Sampler {
    seed: JobSeed,
    examples: Vec<usize>,
    order: Vec<usize>,
    epoch: u64,
}

impl Sampler {
    /// Draws from `examples`, of which there is at least one.
    pub fn new(seed: JobSeed, examples: Vec<usize>) -> Self {
        Self {
            seed,
            examples,
            order: Vec::new(),
            epoch: 0,
        }
    }

    /// The next `count` examples.
    pub fn draw(&mut self, count: usize) -> Vec<usize> {
        let mut batch = Vec::with_capacity(count);
        while batch.len() < count && !self.examples.is_empty() {
            if self.order.is_empty() {
                self.order.clone_from(&self.examples);
                self.order.shuffle(&mut self.seed.stream(SHUFFLES + self.epoch));
                self.epoch += 1;
            }
            let take = self.order.len().min(count - batch.len());
            batch.extend(self.order.drain(..take));
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comes_once_an_epoch_and_in_another_order() {
        let draw = |stream| {
            let mut sampler = Sampler::new(JobSeed::new(1, stream), (0..10).collect());
            (0..5).flat_map(|_| sampler.draw(4)).collect::<Vec<_>>()
        };
        let drawn = draw(1);
        for epoch in drawn.chunks(10) {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(drawn[..10], drawn[10..]);
        assert_eq!(drawn, draw(1));
        assert_ne!(drawn, draw(2));
    }
}
