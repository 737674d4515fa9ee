//! How far a long transfer is: said from time to time, and never of a short one. Pure: the time comes as an argument.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use snowball_protocol::{RoundNumber, StudyName};

/// What is told about transfers goes here.
pub type HearProgress = Arc<dyn Fn(&Progress) + Send + Sync>;

/// How often a transfer speaks.
const EVERY: Duration = Duration::from_secs(5);

/// Which way a transfer goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// An update to the aggregator.
    Sending,
    /// A model from it.
    Fetching,
}

/// How far one transfer is.
#[derive(Clone, PartialEq, Debug)]
pub struct Progress {
    /// Of which study.
    pub study: StudyName,
    /// The update's round, or the one that made the model.
    pub round: RoundNumber,
    /// Which way it goes.
    pub direction: Direction,
    /// Bytes that have moved, of this transfer and of what a broken line had moved before.
    pub bytes: u64,
    /// Bytes in all.
    pub bytes_total: u64,
    /// Since this transfer began or went on.
    pub bytes_per_second: f64,
    /// What is left at that speed, in seconds; none while nothing has moved.
    pub seconds_left: Option<f64>,
}

impl Progress {
    /// From 0 to 100.
    #[must_use]
    pub fn percent(&self) -> f64 {
        if self.bytes_total == 0 {
            return 100.0;
        }
        self.bytes as f64 / self.bytes_total as f64 * 100.0
    }
}

/// One transfer, as it goes on.
pub(crate) struct Meter {
    study: StudyName,
    round: RoundNumber,
    direction: Direction,
    bytes_total: u64,
    begun: Option<(Instant, u64)>,
    spoken: Option<Instant>,
}

impl Meter {
    pub(crate) const fn new(study: StudyName, round: RoundNumber, direction: Direction, bytes_total: u64) -> Self {
        Self {
            study,
            round,
            direction,
            bytes_total,
            begun: None,
            spoken: None,
        }
    }

    /// So many bytes have moved by `now`; gives what is worth saying. The first call tells where the transfer begins.
    pub(crate) fn moved(&mut self, bytes: u64, now: Instant) -> Option<Progress> {
        let (begun, first) = *self.begun.get_or_insert((now, bytes));
        let is_over = bytes >= self.bytes_total;
        let is_time = now.saturating_duration_since(self.spoken.unwrap_or(begun)) >= EVERY;
        // A transfer that was short enough to say nothing says nothing at its end.
        let is_worth_it = is_time || (is_over && self.spoken.is_some());
        if !is_worth_it {
            return None;
        }
        self.spoken = Some(now);
        let seconds = now.saturating_duration_since(begun).as_secs_f64();
        let bytes_per_second = if seconds > 0.0 {
            bytes.saturating_sub(first) as f64 / seconds
        } else {
            0.0
        };
        let left = self.bytes_total.saturating_sub(bytes) as f64;
        Some(Progress {
            study: self.study.clone(),
            round: self.round,
            direction: self.direction,
            bytes,
            bytes_total: self.bytes_total,
            bytes_per_second,
            seconds_left: (bytes_per_second > 0.0).then(|| left / bytes_per_second),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn meter() -> (Meter, Instant) {
        let meter = Meter::new("story".parse().unwrap(), RoundNumber(2), Direction::Sending, 1000);
        (meter, Instant::now())
    }

    #[test]
    fn a_long_transfer_says_how_far_it_is_and_when_it_is_over() {
        let (mut meter, begin) = meter();
        assert_eq!(meter.moved(200, begin), None);
        assert_eq!(meter.moved(300, begin + 4 * SECOND), None);
        let said = meter.moved(400, begin + 5 * SECOND).unwrap();
        assert_eq!(
            (said.percent(), said.bytes_per_second, said.seconds_left),
            (40.0, 40.0, Some(15.0))
        );
        assert_eq!(meter.moved(500, begin + 9 * SECOND), None, "not at every piece");
        let last = meter.moved(1000, begin + 9 * SECOND).unwrap();
        assert_eq!((last.percent(), last.seconds_left), (100.0, Some(0.0)));
    }

    #[test]
    fn a_short_one_says_nothing_and_one_that_stands_still_says_so() {
        let (mut short, begin) = meter();
        assert_eq!(short.moved(0, begin).or(short.moved(1000, begin + 4 * SECOND)), None);
        let (mut still, begin) = meter();
        still.moved(0, begin);
        let said = still.moved(0, begin + 60 * SECOND).unwrap();
        assert_eq!(
            (said.percent(), said.bytes_per_second, said.seconds_left),
            (0.0, 0.0, None)
        );
    }
}
