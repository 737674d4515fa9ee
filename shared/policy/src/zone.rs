//! A time zone as a policy names it. The rules of all zones are part of the program, so that an answer depends on no file and no
//! setting of the machine.

use std::fmt;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use snowball_protocol::ids::UnixSeconds;

const ZONES: &str = include_str!("zones.txt");
const RULE: &str =
    "a time zone is named as in \"Europe/Zurich\" (the IANA names), or by its offset, as in \"UTC\" or \"UTC+01:00\"";

/// A time zone: its name in the file and the rule of its clock.
#[derive(Clone, Debug)]
pub struct Zone {
    name: String,
    rule: TimeZone,
}

impl Zone {
    /// What a clock on the wall shows at `now`; none for a time that no calendar has.
    pub(crate) fn local(&self, now: UnixSeconds) -> Option<DateTime> {
        Timestamp::from_second(now)
            .ok()
            .map(|instant| self.rule.to_datetime(instant))
    }

    fn from_name(name: &str) -> Option<Self> {
        let rule = match name.strip_prefix("UTC") {
            Some("") => "UTC0".to_owned(),
            Some(offset) => fixed(offset)?,
            None => rules().find(|(zone, _)| *zone == name)?.1.to_owned(),
        };
        let rule = TimeZone::posix(&rule).ok()?;
        Some(Self {
            name: name.to_owned(),
            rule,
        })
    }
}

/// Every zone that has a name, with its rule.
fn rules() -> impl Iterator<Item = (&'static str, &'static str)> {
    ZONES
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
}

/// `+01:00` as POSIX writes it: with the sign turned round.
fn fixed(offset: &str) -> Option<String> {
    let (sign, rest) = match offset.as_bytes().first()? {
        b'+' => ('-', &offset[1..]),
        b'-' => ('+', &offset[1..]),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |text: &str| (text.len() == 2).then(|| text.parse::<u8>().ok()).flatten();
    let within = number(hours)? <= 14 && number(minutes)? <= 59;
    within.then(|| format!("<LOCAL>{sign}{hours}:{minutes}"))
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| D::Error::custom(RULE))
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Zone {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TimeZone".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = rules().map(|(name, _)| name).collect();
        json_schema!({
            "description": "The name of a time zone, or `UTC`, or a fixed offset such as `UTC+01:00`.",
            "anyOf": [
                { "type": "string", "enum": names },
                { "type": "string", "pattern": "^UTC([+-][01][0-9]:[0-5][0-9])?$" },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, instant: &str) -> String {
        let now = instant.parse::<Timestamp>().unwrap().as_second();
        Zone::from_name(name).unwrap().local(now).unwrap().to_string()
    }

    #[test]
    fn every_listed_zone_has_a_rule_that_reads() {
        assert_eq!(rules().count(), 414);
        for (name, _) in rules() {
            assert!(Zone::from_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn clocks_show_summer_and_winter_time_and_fixed_offsets() {
        assert_eq!(shown("Europe/Zurich", "2026-01-15T12:00:00Z"), "2026-01-15T13:00:00");
        assert_eq!(shown("Europe/Zurich", "2026-07-15T12:00:00Z"), "2026-07-15T14:00:00");
        assert_eq!(shown("America/Toronto", "2026-07-15T12:00:00Z"), "2026-07-15T08:00:00");
        assert_eq!(shown("Asia/Kolkata", "2026-07-15T20:00:00Z"), "2026-07-16T01:30:00");
        assert_eq!(shown("UTC", "2026-07-15T12:00:00Z"), "2026-07-15T12:00:00");
        assert_eq!(shown("UTC+01:00", "2026-07-15T12:00:00Z"), "2026-07-15T13:00:00");
        assert_eq!(shown("UTC-03:30", "2026-07-15T12:00:00Z"), "2026-07-15T08:30:00");
    }

    #[test]
    fn what_is_no_zone_is_not_guessed_at() {
        for name in [
            "",
            "Europe",
            "europe/zurich",
            "UTC+1",
            "UTC+15:00",
            "UTC+01:60",
            "UTC01:00",
            "CET",
            "Africa/Casablanca",
            "UTC+é",
        ] {
            assert!(Zone::from_name(name).is_none(), "{name}");
        }
    }

    #[test]
    fn a_time_that_no_calendar_has_is_no_time() {
        let zone = Zone::from_name("UTC").unwrap();
        assert_eq!((zone.local(i64::MAX), zone.local(i64::MIN)), (None, None));
    }

    /// Where the machine has the zone database, ours says the same for some years to come.
    #[test]
    fn the_rules_agree_with_the_database_of_the_machine() {
        let mut compared = 0;
        for (name, _) in rules() {
            let Ok(theirs) = TimeZone::get(name) else { continue };
            let ours = Zone::from_name(name).unwrap();
            for step in 0..500_i64 {
                // 2026 and the nine years after, at an odd step, so that hours of all kinds are met.
                let now = 1_767_225_600 + step * 629_017;
                let instant = Timestamp::from_second(now).unwrap();
                assert_eq!(
                    ours.local(now),
                    Some(theirs.to_datetime(instant)),
                    "{name} at {instant}"
                );
            }
            compared += 1;
        }
        if compared == 0 {
            println!("skipped: this machine has no time zone database");
        }
    }
}
