//! Hours of the week in the site's own time: when the GPU may be used, and when the line.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use snowball_protocol::ids::UnixSeconds;

use crate::zone::Zone;

const RULE: &str = "a window of hours is \"always\", or days and a time such as \"mon-fri 19:00-06:00\", \"sat 00:00-24:00\" or \
                    \"daily 01:00-05:30\"";
/// Names of days, from Monday on.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY_MINUTES: u16 = 24 * 60;

/// One window: from a time of some days to a later one, perhaps on the next day. In a file it is a text, such as
/// `mon-fri 19:00-06:00`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Window {
    /// The first and the last day on which it begins, 0 for Monday; the week goes round.
    pub(crate) days: (u8, u8),
    /// Its first minute, counted from midnight.
    pub(crate) from: u16,
    /// The minute at which it is over. Not after `from`: on the next day.
    pub(crate) to: u16,
}

/// Whether it is within one of `windows` at `now` by the clocks of `zone`.
pub(crate) fn is_within(windows: &[Window], zone: &Zone, now: UnixSeconds) -> bool {
    let Some(local) = zone.local(now) else { return false };
    let day = u8::try_from(local.weekday().to_monday_zero_offset()).unwrap_or_default();
    let minute = |number: i8| u16::try_from(number).unwrap_or_default();
    let minute = minute(local.hour()) * 60 + minute(local.minute());
    windows.iter().any(|window| window.holds(day, minute))
}

impl Window {
    const ALWAYS: Self = Self {
        days: (0, 6),
        from: 0,
        to: DAY_MINUTES,
    };

    /// Whether it has no end.
    pub(crate) fn is_always(self) -> bool {
        self == Self::ALWAYS
    }

    /// Whether it is within the window at `now` by the clocks of `zone`.
    #[must_use]
    pub fn is_at(self, zone: &Zone, now: UnixSeconds) -> bool {
        is_within(&[self], zone, now)
    }

    fn holds(self, day: u8, minute: u16) -> bool {
        let before = (day + 6) % 7;
        if self.from < self.to {
            self.begins_on(day) && (self.from..self.to).contains(&minute)
        } else {
            (self.begins_on(day) && minute >= self.from) || (self.begins_on(before) && minute < self.to)
        }
    }

    const fn begins_on(self, day: u8) -> bool {
        let (first, last) = self.days;
        if first <= last {
            first <= day && day <= last
        } else {
            day >= first || day <= last
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        if text == "always" {
            return Some(Self::ALWAYS);
        }
        let (days, times) = text.split_once(' ')?;
        let day = |name: &str| {
            DAYS.iter()
                .position(|day| *day == name)
                .and_then(|day| u8::try_from(day).ok())
        };
        let days = match (days, days.split_once('-')) {
            ("daily", _) => (0, 6),
            (_, Some((first, last))) => (day(first)?, day(last)?),
            (only, None) => (day(only)?, day(only)?),
        };
        let (from, to) = times.split_once('-')?;
        let (from, to) = (minutes(from)?, minutes(to)?);
        (from < DAY_MINUTES && to > 0 && from != to).then_some(Self { days, from, to })
    }
}

/// `06:30` in minutes from midnight; up to `24:00`.
fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY_MINUTES).then_some(total)
}

/// `06:30`.
pub(crate) fn clock(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

impl fmt::Display for Window {
    /// As it is written in a policy.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_always() {
            return formatter.write_str("always");
        }
        let name = |day: u8| DAYS.get(usize::from(day)).copied().unwrap_or_default();
        let (first, last) = self.days;
        match (first, last) {
            (0, 6) => formatter.write_str("daily")?,
            (first, last) if first == last => formatter.write_str(name(first))?,
            (first, last) => write!(formatter, "{}-{}", name(first), name(last))?,
        }
        write!(formatter, " {}-{}", clock(self.from), clock(self.to))
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_text(&text).ok_or_else(|| D::Error::custom(RULE))
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Window {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Window".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "`always`, or days and a time such as `mon-fri 19:00-06:00`, in the site's own time. A time that \
                            ends before it begins ends on the next day.",
            "pattern": "^(always|(daily|(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?) \
                        [0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9])$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str) -> Window {
        Window::from_text(text).unwrap()
    }

    /// Monday is 0.
    fn holds(text: &str, day: u8, time: &str) -> bool {
        window(text).holds(day, minutes(time).unwrap())
    }

    #[test]
    fn a_window_begins_with_its_first_minute_and_is_over_at_its_last() {
        assert!(holds("mon-fri 08:00-18:00", 0, "08:00") && holds("mon-fri 08:00-18:00", 4, "17:59"));
        assert!(!holds("mon-fri 08:00-18:00", 0, "07:59") && !holds("mon-fri 08:00-18:00", 0, "18:00"));
        assert!(!holds("mon-fri 08:00-18:00", 5, "12:00") && !holds("mon-fri 08:00-18:00", 6, "12:00"));
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
        let night = "mon-fri 19:00-06:00";
        assert!(holds(night, 0, "19:00") && holds(night, 1, "05:59") && holds(night, 5, "05:59"));
        assert!(!holds(night, 0, "05:59"), "the night to Monday began on Sunday");
        assert!(!holds(night, 5, "19:00") && !holds(night, 1, "06:00") && !holds(night, 1, "18:59"));
    }

    #[test]
    fn days_go_round_the_week_and_one_day_is_one_day() {
        assert!(holds("sat-mon 10:00-11:00", 5, "10:30") && holds("sat-mon 10:00-11:00", 6, "10:30"));
        assert!(holds("sat-mon 10:00-11:00", 0, "10:30") && !holds("sat-mon 10:00-11:00", 1, "10:30"));
        assert!(!holds("sat-mon 10:00-11:00", 4, "10:30"));
        assert!(holds("sun 22:00-02:00", 6, "23:00") && holds("sun 22:00-02:00", 0, "01:00"));
        assert!(!holds("sun 22:00-02:00", 0, "23:00") && !holds("sun 22:00-02:00", 6, "01:00"));
        for day in 0..7 {
            for minute in [0, 1, 719, 1439] {
                assert!(Window::ALWAYS.holds(day, minute));
            }
        }
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        for text in [
            "always",
            "daily 01:00-05:30",
            "mon-fri 19:00-06:00",
            "sat 00:00-24:00",
            "sun-tue 23:00-01:00",
        ] {
            assert_eq!(window(text).to_string(), text);
        }
        assert_eq!(window("daily 00:00-24:00"), Window::ALWAYS);
        assert_eq!(window("mon-sun 00:00-24:00"), Window::ALWAYS);
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in [
            "",
            "never",
            "mon",
            "mon 8-18",
            "monday 08:00-18:00",
            "Mon 08:00-18:00",
            "mon 08:00-08:00",
            "mon 24:00-06:00",
            "mon 08:00-24:01",
            "mon 08:00-00:00",
            "mon 08:60-09:00",
            "mon 08:60-10:00",
            "mon-tue-wed 08:00-09:00",
            "mon  08:00-09:00",
            "mon +8:00-09:00",
        ] {
            assert_eq!(Window::from_text(text), None, "{text}");
        }
    }
}
