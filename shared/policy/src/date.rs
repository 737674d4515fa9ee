//! A day in a policy, as an auditor writes it: `2026-03-01`, with or without quotes.

use std::fmt;

use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use snowball_protocol::ids::UnixSeconds;

const EPOCH: Date = Date::constant(1970, 1, 1);
const FIRST: Date = Date::constant(2000, 1, 1);
const LAST: Date = Date::constant(2199, 12, 31);
const RULE: &str = "a date is written year-month-day, such as 2026-03-01, from 2000-01-01 to 2199-12-31";

/// A calendar day in universal time (UTC).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct PolicyDate(Date);

impl PolicyDate {
    /// Its first second.
    pub(crate) fn begins(self) -> UnixSeconds {
        self.0.duration_since(EPOCH).as_secs()
    }

    /// The first second of the next day.
    pub(crate) fn ends(self) -> UnixSeconds {
        self.begins() + 24 * 60 * 60
    }

    /// Day of the month, month from 0 for January on, and year.
    pub(crate) fn parts(self) -> (i8, usize, i16) {
        let month = usize::try_from(self.0.month() - 1).unwrap_or_default();
        (self.0.day(), month.min(11), self.0.year())
    }

    fn new(date: Date) -> Option<Self> {
        (FIRST..=LAST).contains(&date).then_some(Self(date))
    }

    fn from_text(text: &str) -> Option<Self> {
        // jiff also takes dates with a time or in other ISO forms; an auditor should meet one form only.
        let is_plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        is_plain.then(|| text.parse().ok()).flatten().and_then(Self::new)
    }
}

impl<'de> Deserialize<'de> for PolicyDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DateVisitor)
    }
}

struct DateVisitor;

impl<'de> Visitor<'de> for DateVisitor {
    type Value = PolicyDate;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a date such as 2026-03-01")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PolicyDate, E> {
        PolicyDate::from_text(text).ok_or_else(|| E::custom(RULE))
    }

    /// TOML's own dates arrive as a map with one private key, which only `Datetime` knows how to read.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PolicyDate, A::Error> {
        let datetime =
            toml::value::Datetime::deserialize(MapAccessDeserializer::new(map)).map_err(|_| A::Error::custom(RULE))?;
        match (datetime.date, datetime.time, datetime.offset) {
            (Some(date), None, None) => PolicyDate::from_text(&date.to_string()).ok_or_else(|| A::Error::custom(RULE)),
            _ => Err(A::Error::custom(RULE)),
        }
    }
}

impl JsonSchema for PolicyDate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Date".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date", "description": "A calendar day in universal time (UTC)." })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{english, french};

    #[derive(Deserialize)]
    struct Holder {
        day: PolicyDate,
    }

    fn read(text: &str) -> Result<PolicyDate, toml::de::Error> {
        toml::from_str::<Holder>(text).map(|holder| holder.day)
    }

    #[test]
    fn a_day_reads_the_same_with_and_without_quotes() {
        assert_eq!(read("day = 2026-03-01").unwrap(), read("day = \"2026-03-01\"").unwrap());
        assert_eq!(english::date(read("day = 2026-03-01").ok()), "1 March 2026");
        assert_eq!(french::date(read("day = 2026-03-01").ok()), "1er mars 2026");
        assert_eq!(french::date(read("day = 2026-12-31").ok()), "31 décembre 2026");
    }

    #[test]
    fn a_day_begins_and_ends_at_midnight_in_utc() {
        let day = read("day = 2000-02-29").unwrap();
        assert_eq!(day.begins(), 951_782_400);
        assert_eq!(day.ends(), 951_868_800);
    }

    #[test]
    fn what_is_no_day_is_refused_with_the_rule() {
        for text in [
            "2026-02-30",
            "2026-13-01",
            "1999-12-31",
            "2200-01-01",
            "2026-03-01T00:00:00Z",
            "12:00:00",
            "\"2026-3-1\"",
            "\"20260301\"",
            "\"\"",
            "\"tomorrow\"",
            "20260301",
            "true",
            "{ a = 1 }",
            "[]",
            "\"2026-W10-1\"",
        ] {
            assert!(read(&format!("day = {text}")).is_err(), "{text}");
        }
        assert!(
            read("day = \"2026-02-30\"")
                .err()
                .unwrap()
                .message()
                .contains("year-month-day")
        );
    }
}
