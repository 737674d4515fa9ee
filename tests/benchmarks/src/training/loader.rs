//! Reading and varying alone: what a device that learned in no time would wait for.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use anyhow::Result;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore as _, SeedableRng as _},
};
use snowball_protocol::plan::Augmentation;
use snowball_worker::{key::DatasetSource, shard::Shard};

/// Pictures a second: each drawn at random, opened from the sealed dataset and varied.
pub fn rate(dataset: &DatasetSource, recipe: Augmentation, cores: usize, seconds: f64) -> Result<f64> {
    let shard = Shard::open(dataset)?;
    let side = shard.manifest().side as usize;
    let count = shard.records().len() as u64;
    let done = AtomicU64::new(0);
    let begun = Instant::now();
    let work = |core: usize| -> Result<()> {
        let mut draws = ChaCha8Rng::seed_from_u64(core as u64);
        let mut input = vec![0.0; side * side];
        while begun.elapsed().as_secs_f64() < seconds {
            let position = usize::try_from(draws.next_u64() % count)?;
            let mut square = shard.square(position)?;
            let random = ChaCha8Rng::seed_from_u64(draws.next_u64());
            snowball_recipes::vary(recipe, &mut square, side, random, &mut input);
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|core| scope.spawn(move || work(core))).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    Ok(done.into_inner() as f64 / begun.elapsed().as_secs_f64())
}
