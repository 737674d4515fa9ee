//! What a person gives as a reason.

use std::{fmt, str::FromStr};

/// Longest reason that is kept, in characters.
const CHARACTERS_MAX: usize = 500;

/// A reason that says something, in one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason(String);

impl FromStr for Reason {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() {
            return Err("a reason says why, in some words");
        }
        if text.chars().count() > CHARACTERS_MAX || text.chars().any(char::is_control) {
            return Err("a reason is one line of at most 500 characters");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_something_in_one_line() {
        assert_eq!(" compared ".parse::<Reason>().unwrap().to_string(), "compared");
        for nothing in ["", "  ", "two\nlines", "\u{1b}[2J", &"x".repeat(501)] {
            assert!(nothing.parse::<Reason>().is_err(), "{nothing:?}");
        }
    }
}
