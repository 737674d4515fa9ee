//! What identified somebody in the file that came in, as a keyed set: it can tell a value again and never say one.

use std::collections::HashSet;

use snowball_crypto::PseudonymKey;
use snowball_protocol::Sha256Digest;

use crate::labels::fold;

/// Shorter values and words say too little, and are met everywhere.
const CHARACTERS_MIN: usize = 4;

/// Marks of what was seen and lists of what was made instead.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// Names, and whatever holds a digit.
    strong: HashSet<[u8; 16]>,
    /// Other words of values that do not stay.
    weak: HashSet<[u8; 16]>,
    /// Dates with the place where each stood.
    dates: HashSet<[u8; 16]>,
    /// UIDs that replace others.
    pub(super) minted_uids: HashSet<String>,
    /// Dates that replace others.
    pub(super) minted_dates: HashSet<String>,
    /// The patient's pseudonym as written.
    pub(super) patient: String,
    /// Digest of the stored values in which the last search found nothing; none where nobody searched.
    pub(super) pixels: Option<Sha256Digest>,
}

impl Seen {
    /// Notes the name of a person.
    pub(super) fn person(&mut self, key: &PseudonymKey, text: &str) {
        for form in forms(text) {
            self.strong.insert(key.mark(&form));
        }
    }

    /// Notes a value that does not stay: whole, and its words but those that `is_common` names.
    pub(super) fn text(&mut self, key: &PseudonymKey, text: &str, is_common: impl Fn(&str) -> bool) {
        // Of common words only, a text says nothing about anybody, however it is put together.
        if fold::words(text).iter().all(|word| is_common(word)) {
            return;
        }
        for form in forms(text).into_iter().filter(|form| !is_common(form)) {
            let set = if form.bytes().any(|byte| byte.is_ascii_digit()) {
                &mut self.strong
            } else {
                &mut self.weak
            };
            set.insert(key.mark(&form));
        }
    }

    /// Notes a UID, whole.
    pub(super) fn uid(&mut self, key: &PseudonymKey, uid: &str) {
        if uid.len() >= CHARACTERS_MIN {
            self.strong.insert(key.mark(uid));
        }
    }

    /// Notes a date where it stood.
    pub(super) fn date(&mut self, key: &PseudonymKey, place: &str, digits: &str) {
        self.dates.insert(key.mark(&format!("{place} {digits}")));
        self.strong.insert(key.mark(digits));
    }

    /// Whether this date stood at this place.
    pub(super) fn had_date(&self, key: &PseudonymKey, place: &str, digits: &str) -> bool {
        self.dates.contains(&key.mark(&format!("{place} {digits}")))
    }

    /// Whether one folded word names a person, or is a number that identifies.
    pub(super) fn is_strong(&self, key: &PseudonymKey, word: &str) -> bool {
        word.chars().count() >= CHARACTERS_MIN && self.strong.contains(&key.mark(word))
    }

    /// Whether `text` as a whole, or a word of it, was seen; of weak ones only where `and_weak`.
    pub(crate) fn knows(&self, key: &PseudonymKey, text: &str, and_weak: bool) -> bool {
        let whole = text.trim_matches([' ', '\0']);
        (whole.contains('.') && self.strong.contains(&key.mark(whole)))
            || forms(text).iter().any(|form| {
                let mark = key.mark(form);
                self.strong.contains(&mark) || (and_weak && self.weak.contains(&mark))
            })
    }

    /// Whether `text` as a whole, or a word of it, of `characters_min` or more, was seen; weak ones do not count.
    pub(crate) fn knows_long(&self, key: &PseudonymKey, text: &str, characters_min: usize) -> bool {
        forms(text)
            .iter()
            .filter(|form| form.chars().count() >= characters_min)
            .any(|form| self.strong.contains(&key.mark(form)))
    }
}

/// A value in one spelling, its words, and the value without blanks: what is long enough of them.
fn forms(text: &str) -> Vec<String> {
    let words = fold::words(text);
    let mut forms = vec![words.join(" "), words.concat()];
    forms.extend(words);
    forms.retain(|form| form.chars().count() >= CHARACTERS_MIN);
    forms.sort_unstable();
    forms.dedup();
    forms
}

#[cfg(test)]
mod tests {
    use snowball_crypto::SiteSecret;

    use super::*;

    #[test]
    fn values_and_their_words_are_known_again_in_any_spelling() {
        let key = SiteSecret::from_hex(&"07".repeat(32)).unwrap().project("test");
        let mut seen = Seen::default();
        seen.person(&key, "Thériault^Léonie");
        seen.text(&key, "THEL43 5924 7998", |_| false);
        seen.text(&key, "chest for Archambault", |word| word == "chest" || word == "for");
        seen.uid(&key, "2.25.80880063684868613474559932952930154595");
        for text in ["seen by leonie", "THERIAULT", "thel43-5924-7998", "7998"] {
            assert!(seen.knows(&key, text, false), "{text}");
        }
        assert!(seen.knows(&key, "2.25.80880063684868613474559932952930154595", false));
        assert!(seen.knows(&key, "archambault", true) && !seen.knows(&key, "archambault", false));
        assert!(!seen.knows(&key, "CHEST", true));
        assert!(seen.knows_long(&key, "\u{fffd}theriault^leonie", 8) && seen.knows_long(&key, "a Theriault", 8));
        assert!(!seen.knows_long(&key, "7998", 8) && !seen.knows_long(&key, "for archambault", 8));
    }
}
