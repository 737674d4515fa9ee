//! No more than so many bytes a second, whoever asks.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A bound on the speed of all transfers together.
pub(super) struct Throttle {
    bytes_per_second: Option<u64>,
    /// When the line is free again.
    free_at: Mutex<Option<Instant>>,
}

impl Throttle {
    pub fn new(bytes_per_second: Option<u64>) -> Self {
        Self {
            bytes_per_second: bytes_per_second.filter(|speed| *speed > 0),
            free_at: Mutex::new(None),
        }
    }

    /// Waits until `bytes` that have come were due.
    pub async fn passed(&self, bytes: usize) {
        let wait = self.wait(bytes as u64, Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    fn wait(&self, bytes: u64, now: Instant) -> Duration {
        let Some(speed) = self.bytes_per_second else {
            return Duration::ZERO;
        };
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        // Time in which nothing was asked for is not saved up.
        let begin = free_at.map_or(now, |at| at.max(now));
        let end = begin + Duration::from_secs_f64(bytes as f64 / speed as f64);
        *free_at = Some(end);
        end - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_add_up_and_idleness_is_not_saved() {
        let (throttle, now) = (Throttle::new(Some(1000)), Instant::now());
        assert_eq!(throttle.wait(500, now), Duration::from_millis(500));
        assert_eq!(throttle.wait(500, now), Duration::from_millis(1000));
        assert_eq!(
            throttle.wait(500, now + Duration::from_secs(60)),
            Duration::from_millis(500)
        );
        assert_eq!(Throttle::new(None).wait(u64::MAX, now), Duration::ZERO);
    }
}
