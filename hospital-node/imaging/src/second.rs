//! A second opinion on text: another reader, which knows nothing of our own search, looks at every picture that is about to be
//! taken in. It removes nothing; what it reads sends the file to a person.

use std::sync::Arc;

use snowball_text::markers::Markers;

/// A reader of text other than our own search.
pub trait SecondReader: Send + Sync {
    /// The words that it reads in a picture of `rows` by `columns` values, 0 black; `None` if it cannot say, because it failed or
    /// took too long.
    fn words(&self, rows: usize, columns: usize, pixels: &[u16]) -> Option<Vec<Word>>;
}

/// A word, and how sure the reader is of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Word {
    /// As it was read. It may name a patient: it is judged and dropped.
    pub text: String,
    /// In percent.
    pub confidence: f32,
}

/// A word less sure than this is noise. Chosen with the next one on public radiographs, see `CARD.md` of the text search.
const CONFIDENCE_MIN: f32 = 90.0;
/// Letters and digits of the shortest word that counts: bones are read as shorter ones.
const SIGNS_MIN: usize = 3;

/// Whether `words` hold text that may not stay.
fn is_text(words: &[Word], markers: &Markers) -> bool {
    words.iter().any(|word| {
        let signs: String = word.text.chars().filter(|sign| sign.is_alphanumeric()).collect();
        let length = signs.chars().count();
        word.confidence >= CONFIDENCE_MIN && length >= SIGNS_MIN && !markers.allows_word(&signs.to_uppercase())
    })
}

/// A reader, and what it may read.
pub(crate) struct Second {
    reader: Arc<dyn SecondReader>,
    markers: Markers,
}

impl Second {
    pub(crate) fn new(reader: Arc<dyn SecondReader>) -> Self {
        Self {
            reader,
            markers: Markers::standard(),
        }
    }

    /// Whether it reads text in a picture (rows, columns) as our own search left it; what it cannot read does not pass.
    pub(crate) fn finds(&self, [rows, columns]: [u32; 2], pixels: &[u16]) -> bool {
        let words = self.reader.words(rows as usize, columns as usize, pixels);
        words.is_none_or(|words| is_text(&words, &self.markers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sure_words_that_are_no_markers_are_text() {
        let word = |text: &str, confidence| Word {
            text: text.to_owned(),
            confidence,
        };
        let is = |text, confidence| is_text(&[word("L", 99.0), word(text, confidence)], &Markers::standard());
        assert!(is("Tremblay,", 91.0) && is("29047183", 90.0) && is("1957-03-02", 96.0));
        assert!(!is("Tremblay,", 80.0), "not sure");
        assert!(!is("PORTABLE", 99.0) && !is("Erect.", 99.0), "on the list of markers");
        assert!(!is("Il", 99.0) && !is("--|=", 99.0), "too little");
    }
}
