//! Something that strangers may do as often as they like, told in the log at most once a minute with how often it was.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::time::sleep;

/// Between two lines.
const EVERY: Duration = Duration::from_secs(60);

/// What happened since the last line.
#[derive(Default)]
pub struct Tally(Mutex<State>);

#[derive(Default)]
struct State {
    /// Before then nothing is told.
    silent_until: Option<Instant>,
    untold: u64,
}

/// What one more means for the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    /// It is told now, that many.
    Tell(u64),
    /// It is the first that is not told now; after so long it is.
    Wait(Duration),
    /// Somebody waits already.
    Nothing,
}

impl Tally {
    /// Counts one; `tell` writes the line, now or when its minute has come, with how many there were since the last line.
    pub fn count(self: &Arc<Self>, tell: fn(u64)) {
        match self.next(Instant::now()) {
            Next::Tell(times) => tell(times),
            Next::Nothing => {}
            Next::Wait(rest) => {
                let tally = Arc::clone(self);
                tokio::spawn(async move {
                    sleep(rest).await;
                    tell(tally.take(Instant::now()));
                });
            }
        }
    }

    fn next(&self, now: Instant) -> Next {
        let mut state = self.state();
        match state.silent_until {
            Some(until) if until > now || state.untold > 0 => {
                state.untold += 1;
                if state.untold == 1 {
                    Next::Wait(until - now)
                } else {
                    Next::Nothing
                }
            }
            _ => {
                state.silent_until = Some(now + EVERY);
                Next::Tell(1)
            }
        }
    }

    /// What was not told yet; the next minute begins.
    fn take(&self, now: Instant) -> u64 {
        let mut state = self.state();
        state.silent_until = Some(now + EVERY);
        std::mem::take(&mut state.untold)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done where a holder panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_those_of_its_minute_together_at_its_end() {
        let (tally, start) = (Tally::default(), Instant::now());
        assert_eq!(tally.next(start), Next::Tell(1));
        let second = start + Duration::from_secs(1);
        assert_eq!(tally.next(second), Next::Wait(EVERY - Duration::from_secs(1)));
        for _ in 0..1000 {
            assert_eq!(tally.next(second), Next::Nothing);
        }
        // Whoever waits is woken late: those that come until then are told with the rest.
        let late = start + 2 * EVERY;
        assert_eq!(tally.next(late), Next::Nothing);
        assert_eq!(tally.take(late), 1002);
        assert_eq!(tally.next(late), Next::Wait(EVERY));
        assert_eq!(tally.take(late + EVERY), 1);
        // After a quiet minute the next is told at once.
        assert_eq!(tally.next(late + 2 * EVERY), Next::Tell(1));
    }
}
