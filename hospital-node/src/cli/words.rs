//! Words that people give for the record.

use anyhow::{Result, bail};

pub use snowball_service::account::account;

const WORDS_CHARACTERS_MAX: usize = 400;

/// Words for the record: some, not too many, in one line.
pub fn checked(what: &str, words: &str) -> Result<String> {
    let words = words.trim();
    if words.is_empty() || words.chars().count() > WORDS_CHARACTERS_MAX || words.chars().any(char::is_control) {
        bail!("{what} is one line of 1 to {WORDS_CHARACTERS_MAX} characters");
    }
    Ok(words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_endless_and_many_lined_words_are_refused() {
        assert_eq!(checked("a reason", " because ").unwrap(), "because");
        for words in ["", "  ", "a\nb", &"x".repeat(401)] {
            assert!(checked("a reason", words).is_err());
        }
    }
}
