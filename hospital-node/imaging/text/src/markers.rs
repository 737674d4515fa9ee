//! The closed list of markers that may stay.

use serde::Deserialize;
use thiserror::Error;

/// Signs that may stay in a picture.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Markers {
    letters: Vec<char>,
}

/// Why a list of markers cannot be used.
#[derive(Debug, Error)]
pub enum MarkersError {
    /// Not TOML of the expected form.
    #[error("the list of markers cannot be read: correct it as hospital-node/imaging/text/markers.toml shows")]
    Form(#[from] toml::de::Error),
    /// A sign that is to be read is not one that the reader knows.
    #[error("the list of markers asks for a sign that the reader does not know: set read = false for it")]
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
        let mut letters = Vec::new();
        for group in list.marker.iter().filter(|group| group.read) {
            for sign in &group.signs {
                let mut signs = sign.chars();
                let known = |letter: &char| crate::reader::CLASSES.contains(&Some(*letter));
                match (signs.next().filter(known), signs.next()) {
                    (Some(letter), None) => letters.push(letter),
                    _ => return Err(MarkersError::Unknown),
                }
            }
        }
        Ok(Self { letters })
    }

    /// True if a letter that stands alone may stay.
    #[must_use]
    pub fn allows(&self, letter: char) -> bool {
        self.letters.contains(&letter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_list_holds_the_sides_and_nothing_else_that_is_read() {
        let markers = Markers::standard();
        assert!("LRGD".chars().all(|letter| markers.allows(letter)));
        assert!(!"XO7l".chars().any(|letter| markers.allows(letter)));
    }

    #[test]
    fn a_sign_that_cannot_be_read_is_refused() {
        let list = "[[marker]]\nsigns = [\"AP\"]\nmeaning = \"view\"\nread = true\n";
        assert!(matches!(Markers::from_toml(list), Err(MarkersError::Unknown)));
        assert!(matches!(Markers::from_toml("marker = 1"), Err(MarkersError::Form(_))));
    }
}
