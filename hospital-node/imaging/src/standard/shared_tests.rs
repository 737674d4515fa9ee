//! The shared radiographs through the standard's path: no planted identifier in any byte written.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use aho_corasick::AhoCorasick;
use serde_json::Value;
use snowball_confidentiality::{Profile, ProfileOption};
use snowball_crypto::SiteSecret;
use snowball_protocol::Sha256Digest;

use super::{Pixels, Standard};
use crate::Limits;

/// Every so many files are looked at; with `SNOWBALL_DEIDENTIFY_ALL` set, all of them.
const SAMPLE_EVERY: usize = 12;

fn data() -> PathBuf {
    let root = std::env::var_os("SNOWBALL_DATA").map_or_else(|| PathBuf::from("../../../shared/data"), PathBuf::from);
    root.join("radiographs")
}

pub(super) fn standard(options: &[ProfileOption]) -> Standard {
    let key = SiteSecret::from_hex(&"5a".repeat(32)).unwrap().project("shared");
    let profile = Profile::new(options.iter().copied(), [], []);
    Standard::new(profile, Sha256Digest::of(b"policy"), key, Limits::default())
}

fn truth(folder: &Path) -> Vec<Value> {
    let lines = fs::read_to_string(folder.join("truth.jsonl")).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn identifiers(file: &Value) -> BTreeSet<String> {
    let listed = file["identifiers"].as_array().into_iter().flatten();
    listed.map(|one| one["value"].as_str().unwrap().to_owned()).collect()
}

/// Each identifier as bytes of UTF-8, Latin-1 and UTF-16 in both orders.
fn encodings(identifier: &str) -> Vec<Vec<u8>> {
    let wide: Vec<u16> = identifier.encode_utf16().collect();
    let latin = identifier.chars().map(|letter| u8::try_from(u32::from(letter)).ok());
    let mut encodings = vec![
        identifier.as_bytes().to_vec(),
        wide.iter().flat_map(|word| word.to_le_bytes()).collect(),
        wide.iter().flat_map(|word| word.to_be_bytes()).collect(),
    ];
    encodings.extend(latin.collect::<Option<Vec<u8>>>());
    encodings
}

fn look_through(options: &[ProfileOption]) {
    let root = data();
    if !root.is_dir() {
        println!("skipped: no shared radiographs in {}", root.display());
        return;
    }
    let standard = standard(options);
    let every = if std::env::var_os("SNOWBALL_DEIDENTIFY_ALL").is_some() {
        1
    } else {
        SAMPLE_EVERY
    };
    let (mut written, mut findings, mut left, mut refused) = (0, Vec::new(), Vec::new(), BTreeMap::new());
    let mut seconds = 0.0;
    for hospital in ["a", "b", "c", "d", "fullsize"] {
        for file in truth(&root.join(hospital)).iter().step_by(every) {
            let name = file["file"].as_str().unwrap();
            let bytes = fs::read(root.join(hospital).join(name)).unwrap();
            let begun = Instant::now();
            let outcome = standard.deidentify(&bytes, Pixels::NotVerified);
            seconds += begun.elapsed().as_secs_f64();
            match outcome {
                Ok(made) => {
                    written += 1;
                    for finding in standard.verify(&made.bytes, &made.seen) {
                        findings.push(format!("{hospital}/{name} {finding:?}"));
                    }
                    let identifiers = identifiers(file);
                    let patterns: Vec<(&String, Vec<u8>)> = identifiers
                        .iter()
                        .flat_map(|one| encodings(one).into_iter().map(move |bytes| (one, bytes)))
                        .collect();
                    let search = AhoCorasick::new(patterns.iter().map(|(_, bytes)| bytes)).unwrap();
                    for found in search.find_iter(&made.bytes) {
                        left.push(format!(
                            "{hospital}/{name}: {:?}",
                            patterns[found.pattern().as_usize()].0
                        ));
                    }
                }
                Err(reason) => {
                    *refused
                        .entry((file["disposition"].to_string(), reason.code()))
                        .or_insert(0) += 1;
                }
            }
        }
    }
    println!(
        "{written} written, {:.0} a second in the making; refused: {refused:?}",
        f64::from(written) / seconds
    );
    assert!(written > 200, "{written}");
    assert!(left.is_empty(), "{} left:\n{}", left.len(), left.join("\n"));
    assert!(
        findings.is_empty(),
        "{} findings:\n{}",
        findings.len(),
        findings.join("\n")
    );
    let lost: Vec<_> = refused
        .keys()
        .filter(|(disposition, reason)| disposition.contains("accept") && reason != "burned_in_text")
        .collect();
    assert!(lost.is_empty(), "sound files refused: {refused:?}");
}

#[test]
fn no_planted_identifier_is_in_any_byte_under_the_strict_profile() {
    look_through(&[]);
}

#[test]
fn no_planted_identifier_is_in_any_byte_with_descriptions_cleaned_and_dates_moved() {
    look_through(&[
        ProfileOption::RetainPatientCharacteristics,
        ProfileOption::RetainLongitudinalModifiedDates,
        ProfileOption::CleanDescriptors,
        ProfileOption::CleanStructuredContent,
    ]);
}

/// The stored values of the first frame of a file.
pub(super) fn stored(bytes: &[u8]) -> Option<Vec<u16>> {
    let file = crate::read::DicomFile::parse(bytes, &Limits::default()).ok()?;
    let description = crate::pixels::Description::read(&file, &Limits::default()).ok()?;
    let words = crate::pixels::words(&file, file.syntax?, &description).ok()?.words;
    Some(words.iter().map(|word| description.stored(*word)).collect())
}

#[test]
fn the_stored_values_of_every_picture_stay_what_they_were() {
    let root = data();
    if !root.is_dir() {
        println!("skipped: no shared radiographs in {}", root.display());
        return;
    }
    let standard = standard(&[]);
    let mut compared = 0;
    for hospital in ["a", "b", "c", "d"] {
        for file in truth(&root.join(hospital)).iter().step_by(SAMPLE_EVERY) {
            let name = file["file"].as_str().unwrap();
            let bytes = fs::read(root.join(hospital).join(name)).unwrap();
            if let (Ok(made), Some(before)) = (standard.deidentify(&bytes, Pixels::NotVerified), stored(&bytes)) {
                let after = stored(&made.bytes).unwrap_or_default();
                let (_, retained) = super::checks::pixels(&before, &after, 1, &[]);
                assert!(retained, "{hospital}/{name}");
                compared += 1;
            }
        }
    }
    assert!(compared > 200, "{compared}");
}

/// Real and awkward encodings: whatever is written stands a second look, and a parser that does not know our own.
#[test]
fn the_shared_corpus_gives_sound_files_or_reasons() {
    let root = data().with_file_name("dicom-corpus");
    if !root.is_dir() {
        println!("skipped: no shared corpus in {}", root.display());
        return;
    }
    let all = standard(&ProfileOption::ALL);
    let (mut written, mut refused) = (0, BTreeMap::new());
    let strict = standard(&[]);
    for path in crate::walk(&root, 10_000).unwrap().0 {
        let bytes = fs::read(&path).unwrap();
        for standard in [&strict, &all] {
            match standard.deidentify(&bytes, Pixels::Verified) {
                Ok(made) => {
                    let findings = standard.verify(&made.bytes, &made.seen);
                    assert!(findings.is_empty(), "{}: {findings:?}", path.display());
                    written += 1;
                }
                Err(reason) => *refused.entry(reason.code()).or_insert(0) += 1,
            }
        }
    }
    println!("{written} written, refused: {refused:?}");
    assert!(written >= 40, "{written} {refused:?}");
}
