//! Which words of a free text may stay.

use std::collections::HashSet;

use crate::labels::fold;

/// Longest run of digits that a kept text may hold: years of age and numbers of images, not dates, records or telephones.
const DIGITS_MAX: usize = 5;

/// The closed vocabulary of cleaned descriptions: the words of the label dictionary, and what describes an exposure.
pub(crate) struct Vocabulary(HashSet<String>);

/// Words of radiography that the label dictionary has no use for. English and French, folded.
const MORE: &str = "ap pa lat lateral oblique obl axial sagittal coronal left right gauche droite droit bilateral both deux \
    inspiration expiration flexion extension internal external rotation interne externe neutral weight non contrast \
    with without avec sans decubitus semi sitting assis grid grille bucky table detector wall mural tomo stitched long \
    leg legs length measure mesure comparison stress varus valgus open mouth bouche ouverte swimmer nageur scout low high \
    dose fracture trauma traumatisme pain douleur fall chute tube line placement position catheter pneumonia pneumonie \
    opacity opacite effusion epanchement nodule mass masse normal abnormal anormal arthritis arthrose prosthesis prothese \
    implant screw vis plate plaque cast platre splint attelle anterior posterior anterieur posterieur superior inferior \
    proximal distal medial upper lower part partie adult child enfant infant nourrisson first second third premier";

impl Vocabulary {
    pub(crate) fn new() -> Self {
        let mut words: HashSet<String> = MORE.split_whitespace().map(str::to_owned).collect();
        let standard: toml::Table = include_str!("../labels/standard.toml").parse().unwrap_or_default();
        for (name, value) in &standard {
            // The stop words introduce what is about a person.
            if name != "stop" {
                gather(value, &mut words);
            }
        }
        Self(words)
    }

    /// Whether one folded word is in it, or is a number of one or two digits.
    pub(super) fn has(&self, word: &str) -> bool {
        let small_number = word.len() <= 2 && word.bytes().all(|byte| byte.is_ascii_digit());
        small_number || self.0.contains(word)
    }

    /// `text` without the words that are not in it and those that `is_identifying` names; what stays is in capitals.
    pub(super) fn clean(&self, text: &str, is_identifying: impl Fn(&str) -> bool) -> String {
        // A piece with more than two digits is a date, a record or a telephone, and none of its parts stays.
        let pieces = text
            .split_whitespace()
            .filter(|piece| piece.bytes().filter(u8::is_ascii_digit).count() <= 2);
        let words: Vec<String> = pieces.flat_map(fold::words).collect();
        let is_number = |place: usize| {
            let word: Option<&String> = words.get(place);
            word.is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let kept = words.iter().enumerate().filter(|(place, word)| {
            // So are small numbers in a row.
            let in_a_row = is_number(*place) && (is_number(place + 1) || place.checked_sub(1).is_some_and(is_number));
            self.has(word) && !in_a_row && !is_identifying(word)
        });
        kept.map(|(_, word)| word.to_uppercase()).collect::<Vec<_>>().join(" ")
    }
}

fn gather(value: &toml::Value, words: &mut HashSet<String>) {
    match value {
        toml::Value::String(text) => words.extend(fold::words(text)),
        toml::Value::Array(values) => values.iter().for_each(|value| gather(value, words)),
        toml::Value::Table(table) => {
            let inner = table.iter().filter(|(name, _)| *name != "codes");
            inner.for_each(|(_, value)| gather(value, words));
        }
        _ => {}
    }
}

/// Whether a text looks like it names someone or some day, whoever is meant: an address of mail, a name in the form of
/// DICOM, a long number, a number parted by dashes, dots or slashes.
pub(super) fn looks_identifying(text: &str) -> bool {
    if text.contains(['@', '^']) {
        return true;
    }
    let (mut digits, mut parted) = (0, 0);
    for letter in text.chars() {
        match letter {
            '0'..='9' => {
                digits += 1;
                parted += 1;
            }
            '-' | '/' if parted > 0 => digits = 0,
            _ => (digits, parted) = (0, 0),
        }
        if digits > DIGITS_MAX || parted > DIGITS_MAX {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_keeps_its_words_and_loses_names() {
        let vocabulary = Vocabulary::new();
        let clean = |text| vocabulary.clean(text, |word| word == "hand");
        assert_eq!(clean("CHEST PA Archambault 2 vues"), "CHEST PA 2 VUES");
        assert_eq!(clean("THORAX de face, Mme Tremblay 514-555-0101"), "THORAX DE FACE");
        assert_eq!(
            clean("hand"),
            "",
            "a word of the vocabulary that names the patient goes"
        );
        assert_eq!(clean("dossier 1234567, 2002-01-10 45 05 55 01"), "");
    }

    #[test]
    fn dates_numbers_and_addresses_look_identifying() {
        for text in [
            "2014-06-17",
            "20140617",
            "a@b.ca",
            "Doe^Jane",
            "514-555-0188",
            "H 1203640",
        ] {
            assert!(looks_identifying(text), "{text}");
        }
        for text in ["ACME Radiography 3000", "Chest", "v1.2.3", "12 bit", "T-D3000", ""] {
            assert!(!looks_identifying(text), "{text}");
        }
    }
}
