//! The time that a report tells of.

use serde::Serialize;
use snowball_protocol::ids::UnixSeconds;

/// From the first second, which belongs to it, to the last, which does not. Open at the ends that are not given.
#[derive(Clone, Copy, Default, Debug, Serialize)]
pub struct Period {
    pub from: Option<UnixSeconds>,
    pub to: Option<UnixSeconds>,
}

impl Period {
    /// From midnight of the day `since` to the end of the day `until`, universal time.
    pub fn of_days(since: Option<jiff::civil::Date>, until: Option<jiff::civil::Date>) -> anyhow::Result<Self> {
        let midnight = |day: jiff::civil::Date| -> anyhow::Result<UnixSeconds> {
            Ok(day.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp().as_second())
        };
        let period = Self {
            from: since.map(midnight).transpose()?,
            to: until.map(|day| midnight(day.tomorrow()?)).transpose()?,
        };
        if let (Some(from), Some(to)) = (period.from, period.to) {
            anyhow::ensure!(from < to, "--since is later than --until; nothing lies between");
        }
        Ok(period)
    }

    /// Whether `time` lies in it.
    pub fn holds(self, time: UnixSeconds) -> bool {
        self.from.is_none_or(|from| time >= from) && self.to.is_none_or(|to| time < to)
    }
}

/// The month of a time, universal time: `2026-11`.
pub fn month(time: UnixSeconds) -> String {
    jiff::Timestamp::from_second(time).map_or_else(|_| "-".to_owned(), |time| time.strftime("%Y-%m").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_days_belong_to_the_period() {
        let day = |text: &str| Some(text.parse().unwrap());
        let period = Period::of_days(day("2026-11-01"), day("2026-11-01")).unwrap();
        let first = 1_793_491_200;
        assert!(!period.holds(first - 1) && period.holds(first));
        assert!(period.holds(first + 86_399) && !period.holds(first + 86_400));
        assert!(Period::of_days(day("2026-11-02"), day("2026-11-01")).is_err());
        assert!(Period::default().holds(i64::MIN) && Period::default().holds(i64::MAX));
    }
}
