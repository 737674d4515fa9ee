//! Whether anything of the made-up patients stands in what would leave: names, numbers, dates, UIDs, and the codes that stand
//! for patients and radiographs inside the hospital.

use std::collections::BTreeMap;

use aho_corasick::AhoCorasick;
use anyhow::{Context, Result};
use serde::Serialize;

use crate::selftest::encodings;

/// Shorter texts occur by chance.
const CHARACTERS_MIN: usize = 6;

/// What is looked for: the text, and what it is.
pub type Markers = BTreeMap<String, &'static str>;

/// What was searched, and what was found.
#[derive(Clone, Serialize)]
pub struct Search {
    /// Texts and codes that were searched for.
    pub markers: u64,
    pub messages: u64,
    pub bytes: u64,
    /// How often something was found, by message and kind of marker. Never what.
    pub found: BTreeMap<String, u64>,
}

/// Searches `bodies`, each with its name, for `markers` in every encoding.
pub fn search(bodies: &[(&str, &[u8])], markers: &Markers) -> Result<Search> {
    let long = || {
        markers
            .iter()
            .filter(|(text, _)| text.chars().count() >= CHARACTERS_MIN)
    };
    let mut patterns: Vec<(&'static str, Vec<u8>)> = Vec::new();
    for (text, what) in long() {
        patterns.extend(encodings(text).into_iter().map(|bytes| (*what, bytes)));
        // A code is written in hexadecimal digits; as bytes it is half as long.
        if *what == CODE
            && let Some(bytes) = unhex(text)
        {
            patterns.push((*what, bytes));
        }
    }
    let search = AhoCorasick::new(patterns.iter().map(|(_, bytes)| bytes)).context("too much to search for")?;
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for (name, body) in bodies {
        for hit in search.find_overlapping_iter(body) {
            let (what, pattern) = &patterns[hit.pattern().as_usize()];
            if !is_within_digits(body, hit.start(), pattern.len()) {
                *found.entry(format!("{name}: {what}")).or_default() += 1;
            }
        }
    }
    Ok(Search {
        markers: long().count() as u64,
        messages: bodies.len() as u64,
        bytes: bodies.iter().map(|(_, body)| body.len() as u64).sum(),
        found,
    })
}

/// What a pseudonym is called among markers.
pub const CODE: &str = "a code of a patient or radiograph";

/// Digits within a longer run of hexadecimal digits: a fingerprint has 64 of them and holds any six by chance.
fn is_within_digits(text: &[u8], start: usize, length: usize) -> bool {
    let found = text.get(start..start + length).unwrap_or_default();
    let is_digit = |place: Option<usize>| {
        place
            .and_then(|place| text.get(place))
            .is_some_and(u8::is_ascii_hexdigit)
    };
    found.iter().all(u8::is_ascii_digit) && (is_digit(start.checked_sub(1)) || is_digit(Some(start + length)))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let pair = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markers() -> Markers {
        [
            ("Thériault^Noémie", "a name"),
            ("123456", "a number"),
            ("short", "a name"),
            ("0a0b0c0d0e0f1011", CODE),
        ]
        .map(|(text, what)| (text.to_owned(), what))
        .into()
    }

    #[test]
    fn a_name_is_found_in_every_encoding_and_a_code_as_bytes_too() {
        let wide: Vec<u8> = "Thériault^Noémie".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let latin = b"..Th\xe9riault^No\xe9mie..".to_vec();
        let code = [&b"x"[..], &[10, 11, 12, 13, 14, 15, 16, 17]].concat();
        for body in ["Thériault^Noémie".as_bytes().to_vec(), wide, latin, code] {
            let found = search(&[("update", &body[..])], &markers()).unwrap().found;
            assert_eq!(found.values().sum::<u64>(), 1, "{body:?}");
        }
        let found = search(&[("join", &br#"{"id":"123456"}"#[..])], &markers())
            .unwrap()
            .found;
        assert_eq!(found, BTreeMap::from([("join: a number".to_owned(), 1)]));
    }

    #[test]
    fn what_stands_there_by_chance_is_no_find() {
        let bodies: [(&str, &[u8]); 3] = [
            ("digest", b"sha256:ab123456cd"),
            ("number", b"0.12345678"),
            ("word", b"short"),
        ];
        let search = search(&bodies, &markers()).unwrap();
        assert!(search.found.is_empty(), "{:?}", search.found);
        assert_eq!((search.markers, search.messages), (3, 3));
    }
}
