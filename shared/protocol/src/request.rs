//! The number of a request: both sides write it beside their own lines, so that they can speak of the same one.

use std::fmt;

use serde::Serialize;

/// Longest that somebody else's number may be.
const CHARACTERS_MAX: usize = 64;
/// As long as a number that is drawn here is.
const CHARACTERS: usize = 16;

/// A request's number. The node draws it; where a request comes without one, the aggregator does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(transparent)]
pub struct RequestId(String);

impl RequestId {
    /// The header that carries it, both ways.
    pub const HEADER: &str = "x-request-id";

    /// The beginning of a random token; `None` where that is none.
    #[must_use]
    pub fn drawn(token: &str) -> Option<Self> {
        Self::read(token.get(..CHARACTERS)?)
    }

    /// What stands in a header. `None` where it is longer than a number or holds what could break a line of a log.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let is_plain = |one: char| one.is_ascii_alphanumeric() || one == '-' || one == '_';
        let fits = (1..=CHARACTERS_MAX).contains(&text.len()) && text.chars().all(is_plain);
        fits.then(|| Self(text.to_owned()))
    }

    /// The number as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_cannot_forge_a_line_of_a_log() {
        for number in ["a", "5f2b-90c1_77aa", &"x".repeat(64)] {
            assert_eq!(RequestId::read(number).unwrap().as_str(), number);
        }
        for other in ["", &"x".repeat(65), "a b", "a\nINFO all is well", "a\"b", "é", "{}"] {
            assert_eq!(RequestId::read(other), None, "{other}");
        }
        assert_eq!(
            RequestId::drawn("0123456789abcdefghij").unwrap().as_str(),
            "0123456789abcdef"
        );
        assert_eq!(RequestId::drawn("short"), None);
    }
}
