//! The closed list of markers that may stay.

use serde::Deserialize;
use thiserror::Error;

use crate::words;

/// Signs that may stay in a picture.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Markers {
    letters: Vec<char>,
    words: Vec<String>,
    spelt: Vec<Vec<usize>>,
}

/// Letters of the longest word.
const LETTERS_MAX: usize = 12;

/// Why a list of markers cannot be used.
#[derive(Debug, Error)]
pub enum MarkersError {
    /// Not TOML of the expected form.
    #[error("the list of markers cannot be read: correct it as hospital-node/imaging/text/markers.toml shows")]
    Form(#[from] toml::de::Error),
    /// A sign that is to be read is not one that the reader knows.
    #[error(
        "the list of markers asks for a sign that the reader does not know: use the side letters L, R, G, D or words of 2 to 12 capitals, or set read = false"
    )]
    Unknown,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    marker: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    signs: Vec<String>,
    #[expect(dead_code, reason = "for people")]
    meaning: String,
    read: bool,
}

impl Markers {
    /// The list that comes with the node.
    #[must_use]
    pub fn standard() -> Self {
        // The list is built in and a test reads it.
        Self::from_toml(include_str!("../markers.toml")).expect("the built-in list")
    }

    /// Reads a list.
    ///
    /// # Errors
    /// If it is not of the form of `markers.toml`, or wants a sign read that the reader does not know.
    pub fn from_toml(text: &str) -> Result<Self, MarkersError> {
        let list: List = toml::from_str(text)?;
        let mut markers = Self {
            letters: Vec::new(),
            words: Vec::new(),
            spelt: Vec::new(),
        };
        for sign in list
            .marker
            .iter()
            .filter(|group| group.read)
            .flat_map(|group| &group.signs)
        {
            let letters: Vec<char> = sign.chars().collect();
            match letters.as_slice() {
                [letter] if crate::reader::CLASSES.contains(&Some(*letter)) => markers.letters.push(*letter),
                [_, _, ..] if letters.len() <= LETTERS_MAX && letters.iter().all(|letter| is_spelt(*letter)) => {
                    let spelt = spelling(sign);
                    if !markers.spelt.contains(&spelt) {
                        markers.spelt.push(spelt);
                        markers.words.push(sign.clone());
                    }
                }
                _ => return Err(MarkersError::Unknown),
            }
        }
        Ok(markers)
    }

    /// True if a letter that stands alone may stay.
    #[must_use]
    pub fn allows(&self, letter: char) -> bool {
        self.letters.contains(&letter)
    }

    /// True if a word may stay. Accents do not matter.
    #[must_use]
    pub fn allows_word(&self, word: &str) -> bool {
        self.spelt.contains(&spelling(word))
    }

    /// The words that may stay.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The same as classes of the reader of words.
    #[must_use]
    pub fn spelt(&self) -> &[Vec<usize>] {
        &self.spelt
    }
}

/// Capitals only: a digit in a marker would let numbers through.
fn is_spelt(letter: char) -> bool {
    !letter.is_ascii_digit() && words::class(letter) != words::OTHER
}

fn spelling(word: &str) -> Vec<usize> {
    word.chars().map(words::class).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_list_holds_sides_and_words() {
        let markers = Markers::standard();
        assert!("LRGD".chars().all(|letter| markers.allows(letter)));
        assert!(!"XO7l".chars().any(|letter| markers.allows(letter)));
        assert!(
            ["AP", "PORTABLE", "COUCHÉ", "COUCHE"]
                .iter()
                .all(|word| markers.allows_word(word))
        );
        assert!(
            !["APO", "PORTABEL", "L", "", "É"]
                .iter()
                .any(|word| markers.allows_word(word))
        );
    }

    #[test]
    fn a_sign_that_cannot_be_read_is_refused() {
        for sign in ["Ap", "A1", "Q", "", "ABCDEFGHIJKLM"] {
            let list = format!("[[marker]]\nsigns = [\"{sign}\"]\nmeaning = \"view\"\nread = true\n");
            assert!(
                matches!(Markers::from_toml(&list), Err(MarkersError::Unknown)),
                "{sign}"
            );
        }
        assert!(matches!(Markers::from_toml("marker = 1"), Err(MarkersError::Form(_))));
    }
}
