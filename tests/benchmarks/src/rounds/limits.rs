//! What this machine can do at most, measured in the same run: everything that a round is made of, one at a time.

use std::{fs::File, hint::black_box, io::Write as _, path::Path, time::Instant};

use anyhow::Result;
use serde::Serialize;
use snowball_protocol::digest::RunningDigest;

use super::probe::Probe;

/// Numbers that are added: more than any cache holds.
const NUMBERS: usize = 16 << 20;
const BYTES: usize = 256 << 20;
const BLOCK_BYTES: usize = 256 * 1024;
/// 1.5 * 2^52: what is added to it is rounded to a whole number, as the server's sum does.
const ROUNDING: f64 = 6_755_399_441_055_744.0;

/// The machine's limits.
#[derive(Clone, Copy, Serialize)]
pub struct Limits {
    /// Nanoseconds to add one number, weighted, into a sum of binary32.
    pub float_add_nanoseconds: f64,
    /// The same into a sum of 64-bit whole numbers, which is exact.
    pub whole_add_nanoseconds: f64,
    /// SHA-256 on one processor, in bytes a second.
    pub sha256_bytes_per_second: f64,
    /// One TLS 1.3 connection over loopback, both ends here, in bytes a second.
    pub tls_bytes_per_second: f64,
    /// Writing to the work folder until it is durable, in bytes a second.
    pub durable_bytes_per_second: f64,
}

impl Limits {
    /// Measures them; files go to `folder`.
    ///
    /// # Errors
    /// When the disk or a connection fails.
    pub fn measure(probe: &Probe, folder: &Path) -> Result<Self> {
        let values = vec![0.5_f32; NUMBERS];
        let per_number = |seconds: f64| seconds * 1e9 / NUMBERS as f64;
        let (mut floats, mut wholes) = (vec![0_f32; NUMBERS], vec![0_i64; NUMBERS]);
        let float_add = best(|| {
            for (sum, value) in floats.iter_mut().zip(&values) {
                *sum += 3.0 * value;
            }
            black_box(&mut floats);
        });
        let whole_add = best(|| {
            for (sum, value) in wholes.iter_mut().zip(&values) {
                let whole = (f64::from(*value) * 1024.0 + ROUNDING).to_bits() as i64;
                *sum = sum.wrapping_add(whole);
            }
            black_box(&mut wholes);
        });
        let block = vec![7; BLOCK_BYTES];
        let sha256 = best(|| {
            let mut digest = RunningDigest::default();
            (0..BYTES / BLOCK_BYTES).for_each(|_| digest.update(&block));
            black_box(digest.finish());
        });
        let path = folder.join("durable");
        let begun = Instant::now();
        let mut file = File::create(&path)?;
        (0..BYTES / BLOCK_BYTES).try_for_each(|_| file.write_all(&block))?;
        file.sync_data()?;
        let durable = begun.elapsed().as_secs_f64();
        std::fs::remove_file(&path)?;
        Ok(Self {
            float_add_nanoseconds: per_number(float_add),
            whole_add_nanoseconds: per_number(whole_add),
            sha256_bytes_per_second: BYTES as f64 / sha256,
            tls_bytes_per_second: probe.bytes_per_second(BYTES)?,
            durable_bytes_per_second: BYTES as f64 / durable,
        })
    }
}

/// Seconds of the fastest of three.
fn best(mut work: impl FnMut()) -> f64 {
    let mut seconds = f64::INFINITY;
    for _ in 0..3 {
        let begun = Instant::now();
        work();
        seconds = seconds.min(begun.elapsed().as_secs_f64());
    }
    seconds
}
