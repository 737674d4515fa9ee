//! The languages that pages are written in.

use std::{fmt, str::FromStr};

/// A language of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// French.
    French,
}

/// A word that names no language of ours.
#[derive(Debug)]
pub struct UnknownLanguage;

impl Language {
    /// Both.
    pub const ALL: [Self; 2] = [Self::English, Self::French];

    /// The code of BCP 47: `en` or `fr`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// What it calls itself.
    #[must_use]
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::French => "Français",
        }
    }

    /// A whole number as it is written: groups of three, parted by a comma in English, by a narrow space in French.
    #[must_use]
    pub fn number(self, number: u64) -> String {
        let separator = match self {
            Self::English => ',',
            Self::French => '\u{202f}',
        };
        let digits = number.to_string();
        let mut written = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                written.push(separator);
            }
            written.push(digit);
        }
        written
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        let known = Self::ALL.into_iter().find(|language| language.code() == text);
        known.ok_or(UnknownLanguage)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl fmt::Display for UnknownLanguage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a page can be written in en or fr")
    }
}

impl std::error::Error for UnknownLanguage {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_as_each_language_does() {
        assert_eq!(Language::English.number(0), "0");
        assert_eq!(Language::English.number(999), "999");
        assert_eq!(Language::English.number(1_234_567), "1,234,567");
        assert_eq!(Language::French.number(12_345), "12\u{202f}345");
    }

    #[test]
    fn a_language_is_read_as_it_is_written() {
        for language in Language::ALL {
            assert_eq!(language.to_string().parse::<Language>().unwrap(), language);
        }
        assert!("de".parse::<Language>().is_err());
    }
}
