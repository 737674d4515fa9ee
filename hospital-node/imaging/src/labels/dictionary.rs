//! The dictionary that reads body part, view and side from what hospitals write: editable TOML, whole words only.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;
use snowball_protocol::labels::{BodyPart, Labels, Laterality, View};

use super::fold;

const STANDARD: &str = include_str!("standard.toml");
/// A phrase of more words than this never matches.
const PHRASE_WORDS_MAX: usize = 4;
const ENTRIES_MAX: usize = 10_000;

/// What words mean. Immutable once made.
#[derive(Clone, Debug)]
pub struct Dictionary {
    phrases: HashMap<Vec<String>, Meaning>,
    terms: HashMap<Vec<String>, View>,
    body_part_codes: HashMap<String, BodyPart>,
    view_codes: HashMap<String, View>,
}

/// Why a text is not a dictionary.
#[derive(Debug, thiserror::Error)]
pub enum DictionaryError {
    /// Not the expected TOML.
    #[error("the label dictionary is not valid: {0}")]
    Malformed(String),
    /// A heading that is not in the vocabulary.
    #[error("the label dictionary has no term {term} under {section}")]
    UnknownTerm {
        /// `body_part`, `view` or `side`.
        section: &'static str,
        /// The heading.
        term: String,
    },
    /// A phrase without words, or with too many.
    #[error("the phrase {0:?} of the label dictionary has no words, or more than {PHRASE_WORDS_MAX}")]
    Phrase(String),
    /// One phrase with two meanings.
    #[error("the phrase {0:?} of the label dictionary has two meanings")]
    Ambiguous(String),
    /// Too many entries.
    #[error("the label dictionary has more than {ENTRIES_MAX} entries")]
    TooLarge,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Meaning {
    Part(BodyPart),
    View(View),
    Side(Laterality),
    /// A side when the whole text is understood, else nothing: single letters are everywhere.
    SideLetter(Laterality),
    /// Known to say nothing.
    Neutral,
    /// What follows is about a person, not about the examination.
    Stop,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Document {
    body_part: BTreeMap<String, Terms>,
    view: BTreeMap<String, Terms>,
    side: BTreeMap<String, Terms>,
    neutral: Vec<String>,
    stop: Vec<String>,
    forget: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Terms {
    words: Vec<String>,
    terms: Vec<String>,
    letters: Vec<String>,
    codes: Vec<String>,
}

/// What one text names.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) body_parts: BTreeSet<BodyPart>,
    views: BTreeSet<View>,
    sides: BTreeSet<Laterality>,
    letters: BTreeSet<Laterality>,
    understood: bool,
}

impl Dictionary {
    /// English and French, with the codes of PS3.16 CID 4010 and CID 4031.
    #[must_use]
    pub fn standard() -> Self {
        let empty = Self {
            phrases: HashMap::new(),
            terms: HashMap::new(),
            body_part_codes: HashMap::new(),
            view_codes: HashMap::new(),
        };
        empty
            .extended(STANDARD, false)
            .expect("the embedded dictionary is read by a test")
    }

    /// The standard dictionary with a site's own entries, which win over it; `forget` lists phrases to leave out.
    ///
    /// # Errors
    /// If `text` is not a dictionary, or gives one phrase two meanings.
    pub fn from_toml(text: &str) -> Result<Self, DictionaryError> {
        Self::standard().extended(text, true)
    }

    fn extended(mut self, text: &str, site: bool) -> Result<Self, DictionaryError> {
        let document: Document =
            toml::from_str(text).map_err(|error| DictionaryError::Malformed(error.message().to_owned()))?;
        let mut added = HashMap::new();
        let mut add = |phrase: &str, meaning| {
            let words = phrase_words(phrase)?;
            match added.insert(words, meaning) {
                Some(other) if other != meaning => Err(DictionaryError::Ambiguous(phrase.to_owned())),
                _ if added.len() > ENTRIES_MAX => Err(DictionaryError::TooLarge),
                _ => Ok(()),
            }
        };
        let unknown = |section, term: &String| DictionaryError::UnknownTerm {
            section,
            term: term.clone(),
        };
        for (code, entry) in &document.body_part {
            let part = BodyPart::from_code(code).ok_or_else(|| unknown("body_part", code))?;
            entry
                .words
                .iter()
                .try_for_each(|phrase| add(phrase, Meaning::Part(part)))?;
            self.body_part_codes
                .extend(entry.codes.iter().map(|code| (code.clone(), part)));
        }
        for (code, entry) in &document.view {
            let view = View::from_code(code).ok_or_else(|| unknown("view", code))?;
            entry
                .words
                .iter()
                .try_for_each(|phrase| add(phrase, Meaning::View(view)))?;
            for term in &entry.terms {
                self.terms.insert(phrase_words(term)?, view);
            }
            self.view_codes
                .extend(entry.codes.iter().map(|code| (code.clone(), view)));
        }
        for (code, entry) in &document.side {
            let side = Laterality::from_code(code).ok_or_else(|| unknown("side", code))?;
            entry
                .words
                .iter()
                .try_for_each(|phrase| add(phrase, Meaning::Side(side)))?;
            entry
                .letters
                .iter()
                .try_for_each(|letter| add(letter, Meaning::SideLetter(side)))?;
        }
        document
            .neutral
            .iter()
            .try_for_each(|phrase| add(phrase, Meaning::Neutral))?;
        document.stop.iter().try_for_each(|phrase| add(phrase, Meaning::Stop))?;
        if site {
            for phrase in &document.forget {
                self.phrases.remove(&phrase_words(phrase)?);
            }
        }
        self.phrases.extend(added);
        Ok(self)
    }

    /// Reads a description: free text in which only whole words count, and nothing after a word that turns to a person.
    pub(crate) fn read(&self, text: &str) -> Reading {
        let words = fold::words(text);
        let mut reading = Reading {
            understood: true,
            ..Reading::default()
        };
        let mut rest = &words[..];
        while !rest.is_empty() {
            let longest = (1..=rest.len().min(PHRASE_WORDS_MAX)).rev();
            let found = longest
                .clone()
                .find_map(|length| Some((length, *self.phrases.get(&rest[..length])?)));
            match found {
                Some((_, Meaning::Stop)) => {
                    reading.understood = false;
                    break;
                }
                Some((length, meaning)) => {
                    reading.note(meaning);
                    rest = &rest[length..];
                }
                None => {
                    reading.understood &= rest[0].bytes().all(|byte| byte.is_ascii_digit());
                    rest = &rest[1..];
                }
            }
        }
        reading.narrow();
        reading
    }

    /// What a description says by this dictionary alone.
    #[must_use]
    pub fn labels_of(&self, description: &str) -> Labels {
        let reading = self.read_term(description);
        Labels {
            body_part: reading.body_part(),
            view: reading.view(),
            laterality: reading.laterality(),
            ..Labels::default()
        }
    }

    /// Reads the value of an attribute made for one term (`BodyPartExamined`, `ViewPosition`): also its defined terms.
    pub(crate) fn read_term(&self, text: &str) -> Reading {
        let mut reading = self.read(text);
        if let Some(view) = self.terms.get(&fold::words(text)) {
            reading.views = BTreeSet::from([*view]);
        }
        reading
    }

    /// The body part of a code value (SNOMED CT or its older forms).
    pub(crate) fn body_part_of_code(&self, code: &str) -> Option<BodyPart> {
        self.body_part_codes.get(code).copied()
    }

    /// The view of a code value.
    pub(crate) fn view_of_code(&self, code: &str) -> Option<View> {
        self.view_codes.get(code).copied()
    }
}

fn phrase_words(phrase: &str) -> Result<Vec<String>, DictionaryError> {
    let words = fold::words(phrase);
    let fits = (1..=PHRASE_WORDS_MAX).contains(&words.len());
    if fits {
        Ok(words)
    } else {
        Err(DictionaryError::Phrase(phrase.to_owned()))
    }
}

impl Reading {
    fn note(&mut self, meaning: Meaning) {
        match meaning {
            Meaning::Part(part) => self.body_parts.extend([part]),
            Meaning::View(view) => self.views.extend([view]),
            Meaning::Side(side) => self.sides.extend([side]),
            Meaning::SideLetter(side) => self.letters.extend([side]),
            Meaning::Neutral | Meaning::Stop => {}
        }
    }

    /// A part of the spine says more than the spine; two parts of it are the spine.
    fn narrow(&mut self) {
        let parts = [BodyPart::CervicalSpine, BodyPart::ThoracicSpine, BodyPart::LumbarSpine];
        let named = parts.iter().filter(|part| self.body_parts.contains(part)).count();
        if named > 1 {
            self.body_parts.retain(|part| !parts.contains(part));
            self.body_parts.insert(BodyPart::Spine);
        } else if named == 1 {
            self.body_parts.remove(&BodyPart::Spine);
        }
    }

    /// The one part that the text names.
    pub(crate) fn body_part(&self) -> Option<BodyPart> {
        only(&self.body_parts)
    }

    /// The one view that the text names.
    pub(crate) fn view(&self) -> Option<View> {
        only(&self.views)
    }

    /// The one side that the text names.
    pub(crate) fn laterality(&self) -> Option<Laterality> {
        if self.understood {
            let both: BTreeSet<_> = self.sides.union(&self.letters).copied().collect();
            return only(&both);
        }
        only(&self.sides)
    }
}

/// The only member of a set.
pub(super) fn only<T: Copy + Ord>(set: &BTreeSet<T>) -> Option<T> {
    if set.len() == 1 { set.first().copied() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use snowball_protocol::labels::{BodyPart as Part, Laterality as Side};

    use super::*;

    #[test]
    fn english_and_french_read_alike() {
        let dictionary = Dictionary::standard();
        for (text, part, view, side) in [
            (
                "XR KNEE AP LT",
                Some(Part::Knee),
                Some(View::AnteroPosterior),
                Some(Side::Left),
            ),
            ("GENOU G", Some(Part::Knee), None, Some(Side::Left)),
            (
                "Épaule droite, profil",
                Some(Part::Shoulder),
                Some(View::Lateral),
                Some(Side::Right),
            ),
            ("RX POUMONS PA", Some(Part::Chest), Some(View::PosteroAnterior), None),
            (
                "colonne lombaire face et profil",
                Some(Part::LumbarSpine),
                Some(View::Lateral),
                None,
            ),
            ("C-Spine LAT", Some(Part::CervicalSpine), Some(View::Lateral), None),
            ("T and L spine", Some(Part::Spine), None, None),
            ("D", None, None, Some(Side::Right)),
            ("pied et cheville", None, None, None),
            ("AP/LAT", None, None, None),
            ("mainframe ankles?", Some(Part::Ankle), None, None),
        ] {
            let reading = dictionary.read(text);
            assert_eq!(
                (reading.body_part(), reading.view(), reading.laterality()),
                (part, view, side),
                "{text}"
            );
        }
    }

    #[test]
    fn what_follows_a_person_is_not_read() {
        let dictionary = Dictionary::standard();
        for text in [
            "URGENCE - Mr Knee",
            "RX Patient connu du Dr Main, G",
            "XR compare with chest of 2016",
            "M. D",
        ] {
            let reading = dictionary.read(text);
            assert_eq!((reading.body_part(), reading.laterality()), (None, None), "{text}");
        }
        let unknown_names = dictionary.read("Dupont G hand");
        assert_eq!(
            (unknown_names.body_part(), unknown_names.laterality()),
            (Some(Part::Hand), None)
        );
    }

    #[test]
    fn a_site_adds_overrules_and_forgets() {
        let site = "forget = [\"main\"]\n[body_part.HAND]\nwords = [\"PATTE\"]\n[body_part.WRIST]\nwords = [\"hnd\"]";
        let dictionary = Dictionary::from_toml(site).unwrap();
        assert_eq!(dictionary.read("patte").body_part(), Some(Part::Hand));
        assert_eq!(dictionary.read("HND").body_part(), Some(Part::Wrist));
        assert_eq!(dictionary.read("main").body_part(), None);
    }

    #[test]
    fn faults_are_named() {
        let fault = |text: &str| Dictionary::from_toml(text).unwrap_err().to_string();
        assert!(fault("[body_part.TAIL]\nwords = [\"tail\"]").contains("TAIL"));
        assert!(fault("[side.L]\nwords = [\"x\"]\n[side.R]\nwords = [\"X\"]").contains("two meanings"));
        assert!(fault("[view.AP]\nwords = [\"...\"]").contains("no words"));
        assert!(fault("colour = 1").contains("not valid"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let reading = Dictionary::standard().read_term(&text);
            let _ = (reading.body_part(), reading.view(), reading.laterality());
        }
    }
}
