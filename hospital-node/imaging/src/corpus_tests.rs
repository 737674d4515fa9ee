//! Decoders and the reader against a corpus of real encodings: what other programs decode, bit for bit, and what they
//! refuse.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;
use snowball_protocol::{Sha256Digest, intake::IntakeReason};

use crate::{
    Limits, Outcome,
    pixels::{self, Description},
    read::DicomFile,
    shared_tests::{intake, shared},
};

/// What the intake refuses and why, in order of the manifest. It takes nothing else for granted: every object that has a
/// reference decodes to its values, these too.
const REFUSED: [(&str, IntakeReason, &str); 34] = [
    (
        "codecs/defl_frame_8_1_seg_3f.dcm",
        IntakeReason::NotGrey,
        "three frames of one bit",
    ),
    (
        "codecs/expl_be_emri_small_u12_10f.dcm",
        IntakeReason::NotGrey,
        "ten frames",
    ),
    ("codecs/htj2k201_rgb8.dcm", IntakeReason::NotGrey, "colour"),
    ("codecs/htj2k203_rgb8.dcm", IntakeReason::NotGrey, "colour"),
    (
        "codecs/j2k90_emri_small_u12_10f.dcm",
        IntakeReason::NotGrey,
        "ten frames",
    ),
    (
        "codecs/jls80_emri_small_u12_10f.dcm",
        IntakeReason::NotGrey,
        "ten frames",
    ),
    (
        "codecs/jpeg51_ct_u12_fragmented_nobot_2f.dcm",
        IntakeReason::NotGrey,
        "two frames",
    ),
    ("codecs/rle_emri_small_u12_10f.dcm", IntakeReason::NotGrey, "ten frames"),
    (
        "edge/bad_vr.dcm",
        IntakeReason::SizeMismatch,
        "words of 32 bits, a dose rather than a picture",
    ),
    ("edge/charset/chrJapMulti.dcm", IntakeReason::NoPixels, "no pixels"),
    (
        "edge/charset/chrJapMultiExplicitIR6.dcm",
        IntakeReason::NoPixels,
        "no pixels",
    ),
    ("edge/charset/chrKoreanMulti.dcm", IntakeReason::NoPixels, "no pixels"),
    ("edge/dicomdir", IntakeReason::NoPixels, "a directory"),
    ("edge/empty_charset.dcm", IntakeReason::NoPixels, "no pixels"),
    ("edge/encapsulated_pdf.dcm", IntakeReason::NoPixels, "a document"),
    ("edge/invalid_rows_ct_nopixels.dcm", IntakeReason::NoPixels, "no pixels"),
    (
        "edge/j2k_embedded_sequence_delimiter.dcm",
        IntakeReason::SizeMismatch,
        "a corrupt code stream whose size is not the header's",
    ),
    (
        "edge/long_private_tag_ct_nopixels.dcm",
        IntakeReason::NoPixels,
        "no pixels",
    ),
    (
        "edge/meta_missing_tsyntax.dcm",
        IntakeReason::SizeMismatch,
        "pixels of no rows and columns",
    ),
    ("edge/multiframe_emri_expl_10f.dcm", IntakeReason::NotGrey, "ten frames"),
    (
        "edge/multiframe_windowing_2x2_4f.dcm",
        IntakeReason::NotGrey,
        "four frames",
    ),
    (
        "edge/nested_private_sq.dcm",
        IntakeReason::SizeMismatch,
        "pixels of no rows and columns",
    ),
    (
        "edge/no_meta_expl.dcm",
        IntakeReason::NotDicom,
        "neither preamble nor meta information nor a class",
    ),
    ("edge/no_meta_expl_be.dcm", IntakeReason::NoPixels, "no pixels"),
    ("edge/no_meta_expl_le.dcm", IntakeReason::NoPixels, "no pixels"),
    ("edge/no_meta_group_length.dcm", IntakeReason::NoPixels, "no pixels"),
    ("edge/odd_length_3x3_rgb.dcm", IntakeReason::NotGrey, "colour"),
    ("edge/private_sq.dcm", IntakeReason::NoPixels, "no pixels"),
    (
        "edge/rows_cols_65535_bomb.dcm",
        IntakeReason::SizeBomb,
        "a claim of 65535 by 65535 in 910 bytes",
    ),
    ("edge/rtplan_deep_sequences.dcm", IntakeReason::NoPixels, "no pixels"),
    ("edge/sr_document.dcm", IntakeReason::NoPixels, "a document"),
    (
        "edge/truncated_pixels.dcm",
        IntakeReason::Truncated,
        "fewer pixels than declared",
    ),
    ("edge/un_sequence.dcm", IntakeReason::NoPixels, "no pixels"),
    ("edge/xss_name.dcm", IntakeReason::NoPixels, "no pixels"),
];

/// The only object whose reference is made of fewer pixels than the header declares: one program fills the rest with
/// zeros, and the corpus wants it reported.
const TRUNCATED: &str = "edge/truncated_pixels.dcm";

/// How a file is read: as the intake does, or by the decoders alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Intake,
    Decoders,
}

/// The stored values of the first frame of a file of any kind, as the corpus writes them down: their digest, or why there
/// is none.
fn stored(path: &Path, by: By) -> Result<String, IntakeReason> {
    let bytes = fs::read(path).unwrap();
    let limits = Limits::default();
    let file = DicomFile::parse(&bytes, &limits)?;
    let syntax = file.syntax.ok_or(IntakeReason::TransferSyntax);
    let (description, words) = match by {
        By::Intake => {
            let description = Description::read(&file, &limits)?;
            let words = pixels::words(&file, syntax?, &description)?;
            (description, words.words)
        }
        By::Decoders => {
            let description = Description::read_any(&file, &limits)?;
            let words = pixels::words_of(&file, syntax?, &description, 0)?;
            (description, words.words)
        }
    };
    if description.bits_allocated == 32 {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        return Ok(digits(&bytes));
    }
    let values = words.iter().map(|word| -> i32 {
        let stored = i32::from(description.stored(*word));
        let sign = if description.signed {
            1 << (description.bits_stored - 1)
        } else {
            0
        };
        (stored ^ sign) - sign
    });
    let bytes: Vec<u8> = if description.bits_allocated <= 8 {
        values.map(|value| value as u8).collect()
    } else {
        values.flat_map(|value| (value as u16).to_le_bytes()).collect()
    };
    Ok(digits(&bytes))
}

fn digits(bytes: &[u8]) -> String {
    let digest = Sha256Digest::of(bytes).to_string();
    digest.trim_start_matches("sha256:").to_owned()
}

/// The fields of one line of comma-separated values, where quotes hold commas.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => fields.last_mut().unwrap().push(letter),
        }
    }
    fields
}

#[test]
fn every_object_decodes_to_its_reference_or_is_refused_by_name() {
    let Some(root) = shared("dicom-corpus") else { return };
    let references: BTreeMap<String, Value> = fs::read_to_string(root.join("reference.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|reference| (reference["file"].as_str().unwrap().to_owned(), reference))
        .collect();
    let manifest = fs::read_to_string(root.join("manifest.csv")).unwrap();
    let mut exact = BTreeMap::<String, u32>::new();
    let (mut refused, mut wrong, mut referenced) = (Vec::new(), Vec::new(), 0);
    for line in manifest.lines().skip(1) {
        let row = fields(line);
        let (name, syntax) = (row[0].as_str(), row[6].clone());
        // The decoders: whatever has a reference is what it says.
        if let Some(reference) = references.get(name).and_then(|reference| reference["sha256"].as_str()) {
            referenced += 1;
            match stored(&root.join(name), By::Decoders) {
                Ok(digest) if digest == reference => *exact.entry(syntax).or_default() += 1,
                Err(IntakeReason::Truncated | IntakeReason::SizeMismatch) if name == TRUNCATED => {}
                outcome => wrong.push(format!("{name} decoded: {outcome:?}")),
            }
        }
        // The intake: it refuses by name, and nothing else.
        let listed = REFUSED.iter().find(|(refused, ..)| *refused == name);
        match (stored(&root.join(name), By::Intake), listed) {
            (Ok(_), None) => {}
            (Err(reason), Some((_, expected, why))) if reason == *expected => {
                refused.push(format!("{name}: {}: {why}", reason.code()));
            }
            (outcome, _) => wrong.push(format!("{name} taken in: {outcome:?}")),
        }
    }
    eprintln!("exact, by transfer syntax:");
    exact.iter().for_each(|(uid, count)| eprintln!("{uid:26} {count:5}"));
    let exact: u32 = exact.values().sum();
    eprintln!(
        "{exact} of {referenced} references decode exactly, one is reported as truncated; the intake refuses {}:",
        refused.len()
    );
    refused.iter().for_each(|line| eprintln!("{line}"));
    wrong.iter().for_each(|line| eprintln!("WRONG {line}"));
    assert!(wrong.is_empty(), "{} objects ended elsewhere", wrong.len());
    assert_eq!(manifest.lines().count() - 1, 122, "the corpus is whole");
    assert_eq!((exact, referenced), (100, 101));
    assert_eq!(refused.len(), REFUSED.len());
}

#[test]
fn no_file_of_the_corpus_stops_the_intake() {
    let Some(root) = shared("dicom-corpus") else { return };
    let intake = intake();
    let (files, _) = crate::walk(&root, 1000).unwrap();
    let mut refused = BTreeMap::<String, IntakeReason>::new();
    for path in &files {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        match intake.take(path) {
            Outcome::Accepted(radiograph) => {
                assert_eq!(
                    radiograph.pixels().len() as u32,
                    radiograph.rows() * radiograph.columns()
                );
                eprintln!("{name}: {:?} {:?}", radiograph.labels(), radiograph.acquisition());
            }
            Outcome::Excluded(excluded) => refused.extend([(name, excluded.reason)]),
        }
    }
    refused
        .iter()
        .for_each(|(name, reason)| eprintln!("{name}: {reason:?}"));
    for (name, reason) in [
        ("edge/dicomdir", IntakeReason::Dicomdir),
        ("edge/encapsulated_pdf.dcm", IntakeReason::Document),
        ("edge/sr_document.dcm", IntakeReason::Document),
        ("edge/charset/chrJapMulti.dcm", IntakeReason::NoPixels),
        ("README.md", IntakeReason::NotDicom),
        (
            "radiographs/chest_fuji_expl_u10_mono1.dcm",
            IntakeReason::MissingIdentity,
        ),
    ] {
        assert_eq!(refused.get(name), Some(&reason), "{name}");
    }
    for name in [
        "radiographs/chest_rg1_jls81_u15_mono1.dcm",
        "radiographs/hip_rg2_j2k90_u10.dcm",
        "radiographs/hip_rg2_jpeg51_u10.dcm",
        "radiographs/panoramic_modality_lut_jpeg70_u10_mono1.dcm",
        "edge/burned_in_presidio_rle_u10_mono1.dcm",
    ] {
        assert!(!refused.contains_key(name), "{name}");
    }
}

#[test]
fn claims_without_pixels_cost_nothing() {
    let Some(root) = shared("dicom-corpus") else { return };
    for (name, reason) in [
        ("edge/rows_cols_65535_bomb.dcm", IntakeReason::SizeBomb),
        ("edge/truncated_pixels.dcm", IntakeReason::Truncated),
        // Its code stream says another size than its header.
        ("edge/j2k_embedded_sequence_delimiter.dcm", IntakeReason::SizeMismatch),
    ] {
        assert_eq!(stored(&root.join(name), By::Intake).err(), Some(reason), "{name}");
    }
}

#[test]
fn bytes_cut_or_turned_anywhere_cost_one_file() {
    let Some(root) = shared("dicom-corpus") else { return };
    let intake = intake();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.dcm");
    let mut outcomes = 0;
    for name in [
        "codecs/rle_mr_small_s16.dcm",
        "codecs/jpeg70_3x3_u8.dcm",
        "codecs/j2k90_mr_small_s16.dcm",
        "codecs/jls80_mr_small_s16.dcm",
        "codecs/htj2k201_mr_small_s16.dcm",
        "codecs/jpeg50_sc_u8.dcm",
        "codecs/jpeg51_nm1_u12.dcm",
    ] {
        let mut bytes = fs::read(root.join(name)).unwrap();
        // As a radiograph, so that its pixels are reached.
        recast(&mut bytes);
        for step in 0..400_usize {
            let mut hurt = bytes.clone();
            let place = (step * 7919) % hurt.len();
            if step % 4 == 0 {
                hurt.truncate(place);
            } else {
                hurt[place] ^= 1 << (step % 8);
                hurt[(place * 31) % bytes.len()] = 0xFF;
            }
            fs::write(&path, hurt).unwrap();
            let _ = intake.take(&path);
            outcomes += 1;
        }
    }
    assert_eq!(outcomes, 2800);
}

/// Turns an explicit little endian object of another class into computed radiography, in place and of equal length.
fn recast(bytes: &mut [u8]) {
    let modality = b"\x08\x00\x60\x00CS\x02\x00";
    if let Some(place) = bytes.windows(modality.len()).position(|window| window == modality) {
        bytes[place + 8..place + 10].copy_from_slice(b"CR");
    }
    let class = b"\x08\x00\x16\x00UI";
    if let Some(place) = bytes.windows(class.len()).position(|window| window == class) {
        let length = usize::from(u16::from_le_bytes([bytes[place + 6], bytes[place + 7]]));
        let uid = b"1.2.840.10008.5.1.4.1.1.1";
        let value = &mut bytes[place + 8..place + 8 + length];
        value.fill(0);
        value[..uid.len()].copy_from_slice(uid);
    }
}
