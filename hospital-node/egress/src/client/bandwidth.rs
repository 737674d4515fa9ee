//! No more than so many bytes a second each way, at the hours for which the site says so.
//!
//! Updates and models go in pieces, and before each piece its turn is waited for: a bucket of tokens each way, in the form that needs no
//! clockwork (the generic cell rate algorithm, ITU-T I.371): when the line is free again is all that it remembers. Other messages are
//! small and pass.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How many bytes a second may go each way at this moment; none: as many as the line takes. Asked before each piece.
pub type ReadLimit = Arc<dyn Fn() -> Option<u64> + Send + Sync>;

/// A piece takes about so long, in seconds.
const PIECE_SECONDS: u64 = 2;
/// Smaller pieces would be requests more than bytes.
const PIECE_BYTES_MIN: usize = 4 * 1024;
/// So much idle time is made up for at full speed.
const SAVED: Duration = Duration::from_secs(1);

/// A bound on the speed of all transfers together, each way by itself.
#[derive(Clone)]
pub struct Bandwidth {
    limit: ReadLimit,
    up: Arc<Bucket>,
    down: Arc<Bucket>,
}

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    Up,
    Down,
}

impl Bandwidth {
    /// A bound that `limit` tells.
    #[must_use]
    pub fn new(limit: ReadLimit) -> Self {
        Self {
            limit,
            up: Arc::default(),
            down: Arc::default(),
        }
    }

    /// No bound.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::new(Arc::new(|| None))
    }

    /// Whether there is a bound at this moment.
    pub(crate) fn is_limited(&self) -> bool {
        (self.limit)().is_some()
    }

    /// Waits for the turn of the next piece of at most `most` bytes, and gives how many it may have.
    pub(crate) async fn turn(&self, way: Way, most: usize) -> usize {
        let Some(speed) = (self.limit)() else { return most };
        let bytes = piece(speed).min(most);
        let bucket = match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        };
        let wait = bucket.wait(bytes as u64, speed, Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        bytes
    }
}

fn piece(speed: u64) -> usize {
    usize::try_from(speed.saturating_mul(PIECE_SECONDS))
        .unwrap_or(usize::MAX)
        .max(PIECE_BYTES_MIN)
}

/// When the line is free again.
#[derive(Default)]
struct Bucket(Mutex<Option<Instant>>);

impl Bucket {
    /// How long `bytes` must wait at `now`; they count as sent when that is over.
    fn wait(&self, bytes: u64, speed: u64, now: Instant) -> Duration {
        let mut free_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(SAVED).unwrap_or(now);
        let begin = free_at.map_or(earliest, |at| at.max(earliest));
        let seconds = bytes as f64 / speed.max(1) as f64;
        // Longer than a clock can tell is as long as a clock can tell.
        *free_at = Duration::try_from_secs_f64(seconds)
            .ok()
            .and_then(|takes| begin.checked_add(takes));
        begin.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn over_any_time_no_more_passes_than_the_speed_lets_and_one_piece() {
        let (bucket, begin) = (Bucket::default(), Instant::now() + 100 * SECOND);
        let (mut now, mut sent) = (begin, 0);
        for _ in 0..100 {
            now += bucket.wait(500, 1000, now);
            sent += 500;
            let most = 1000.0 * ((now - begin).as_secs_f64() + SAVED.as_secs_f64()) + 500.0;
            assert!(f64::from(sent) <= most, "{sent} after {:?}", now - begin);
        }
        assert!(now - begin <= 49 * SECOND, "and not much less: {:?}", now - begin);
    }

    #[test]
    fn idleness_is_saved_up_for_a_second_and_no_longer() {
        let (bucket, now) = (Bucket::default(), Instant::now() + 100 * SECOND);
        assert_eq!(bucket.wait(1000, 1000, now), Duration::ZERO);
        assert_eq!(bucket.wait(1000, 1000, now), Duration::ZERO, "what a second saved");
        assert_eq!(bucket.wait(1000, 1000, now), SECOND);
        let later = now + 3600 * SECOND;
        assert_eq!(bucket.wait(2000, 1000, later), Duration::ZERO);
        assert_eq!(bucket.wait(1, 1000, later), SECOND);
    }

    #[test]
    fn another_speed_holds_from_the_next_piece_on() {
        let (bucket, now) = (Bucket::default(), Instant::now() + 100 * SECOND);
        bucket.wait(1000, 1000, now);
        bucket.wait(1000, 1000, now);
        assert_eq!(bucket.wait(1000, 10, now), SECOND);
        assert_eq!(bucket.wait(1, 1_000_000, now), 101 * SECOND);
    }

    #[test]
    fn pieces_are_as_large_as_two_seconds_let() {
        assert_eq!([1, 4096, 1_000_000].map(piece), [PIECE_BYTES_MIN, 8192, 2_000_000]);
        assert!(piece(u64::MAX) > 1 << 30);
    }

    #[tokio::test]
    async fn without_a_bound_everything_passes_at_once_and_with_one_it_goes_in_pieces() {
        assert_eq!(Bandwidth::unlimited().turn(Way::Up, 1 << 40).await, 1 << 40);
        let bounded = Bandwidth::new(Arc::new(|| Some(1_000_000)));
        assert_eq!(bounded.turn(Way::Up, 1 << 40).await, 2_000_000);
        assert_eq!(bounded.turn(Way::Down, 10).await, 10, "each way by itself");
        assert!(bounded.is_limited() && !Bandwidth::unlimited().is_limited());
    }
}
