//! Everything that was written is read again and searched for everything that was planted, in every encoding, names of files
//! too.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use aho_corasick::AhoCorasick;
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use snowball_confidentiality::Profile;

use super::{Known, expect, moves_dates};

/// Shorter texts occur by chance in sealed and compressed bytes.
const CHARACTERS_MIN: usize = 6;

/// What was searched, and what was found.
#[derive(Clone, Serialize, Deserialize)]
pub struct Reread {
    /// Files read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Planted texts that were searched for.
    pub texts: u64,
    /// How often a text was found, by the kind of file and the path where it had been planted.
    pub found: BTreeMap<String, u64>,
}

/// Searches every file below `folders`.
pub fn search(folders: &[&Path], truths: &[Known], profile: &Profile) -> Result<Reread> {
    let mut planted: BTreeMap<&str, &str> = BTreeMap::new();
    for one in truths.iter().flat_map(|known| &known.truth.identifiers) {
        // A date that moved may be another patient's true one; each file is searched for its own when it is scored.
        let moves = moves_dates(profile) && is_date(&one.value);
        if one.value.chars().count() >= CHARACTERS_MIN && !moves && !expect::may_stay(&one.path, profile) {
            planted.insert(&one.value, &one.path);
        }
    }
    // What an option lets stay somewhere is no find elsewhere either.
    let stays: BTreeSet<&str> = truths
        .iter()
        .flat_map(|known| &known.truth.identifiers)
        .filter(|one| expect::may_stay(&one.path, profile))
        .map(|one| one.value.as_str())
        .collect();
    planted.retain(|value, _| !stays.contains(value));
    let patterns: Vec<(&str, Vec<u8>)> = planted
        .iter()
        .flat_map(|(value, path)| encodings(value).into_iter().map(move |bytes| (*path, bytes)))
        .collect();
    let search = AhoCorasick::new(patterns.iter().map(|(_, bytes)| bytes)).context("too much to search for")?;
    let mut reread = Reread {
        files: 0,
        bytes: 0,
        texts: planted.len() as u64,
        found: BTreeMap::new(),
    };
    for folder in folders {
        let (paths, _) = snowball_imaging::walk(folder, snowball_imaging::FILES_MAX)?;
        for path in paths {
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let kind = path
                .extension()
                .map_or_else(|| "file".to_owned(), |end| end.to_string_lossy().into_owned());
            let mut note = |what: &str, text: &[u8]| {
                for found in search.find_overlapping_iter(text) {
                    let (planted_at, pattern) = &patterns[found.pattern().as_usize()];
                    if !is_part_of_a_number(text, found.start(), pattern.len()) {
                        *reread.found.entry(format!("{what}: {planted_at}")).or_default() += 1;
                    }
                }
            };
            let name = path.strip_prefix(folder).unwrap_or(&path);
            note("name of a file", name.as_os_str().as_encoded_bytes());
            note(&kind, &bytes);
            reread.files += 1;
            reread.bytes += bytes.len() as u64;
        }
    }
    Ok(reread)
}

/// A date as DICOM writes it.
pub fn is_date(text: &str) -> bool {
    text.len() == 8
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text.starts_with("19") || text.starts_with("20"))
}

/// Digits within a longer run of digits: a new UID has 39 of them, and holds any six of a record number by chance.
pub fn is_part_of_a_number(text: &[u8], start: usize, length: usize) -> bool {
    let found = text.get(start..start + length).unwrap_or_default();
    let is_digit = |place: Option<usize>| place.and_then(|place| text.get(place)).is_some_and(u8::is_ascii_digit);
    found.iter().all(u8::is_ascii_digit) && (is_digit(start.checked_sub(1)) || is_digit(Some(start + length)))
}

/// A text as bytes of UTF-8, Latin-1 and UTF-16 in both orders.
pub fn encodings(text: &str) -> BTreeSet<Vec<u8>> {
    let wide: Vec<u16> = text.encode_utf16().collect();
    let latin: Option<Vec<u8>> = text
        .chars()
        .map(|letter| u8::try_from(u32::from(letter)).ok())
        .collect();
    let mut encodings = BTreeSet::from([
        text.as_bytes().to_vec(),
        wide.iter().flat_map(|word| word.to_le_bytes()).collect(),
        wide.iter().flat_map(|word| word.to_be_bytes()).collect(),
    ]);
    encodings.extend(latin);
    encodings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_count_where_they_stand_alone() {
        assert!(is_part_of_a_number(b"2.25.1234567", 5, 6));
        assert!(!is_part_of_a_number(b"no 123456.", 3, 6));
        assert!(!is_part_of_a_number(b"aTremblay7", 1, 8));
    }

    #[test]
    fn every_encoding_is_searched_for() {
        let encodings = encodings("Thériault");
        assert_eq!(encodings.len(), 4);
        assert!(encodings.iter().any(|bytes| bytes == b"Th\xe9riault"));
    }
}
