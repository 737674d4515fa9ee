//! Decoders and the reader against a corpus of real encodings: what other programs decode, bit for bit, and what they
//! refuse.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;
use snowball_protocol::{Sha256Digest, intake::IntakeReason};

use crate::{
    Limits, Outcome, TransferSyntax,
    pixels::{self, Description},
    read::DicomFile,
    shared_tests::{intake, shared},
};

/// The stored values of a file of any kind, as the corpus writes them down: their digest and mean, or why not.
fn stored(path: &Path) -> Result<(String, f64), IntakeReason> {
    let bytes = fs::read(path).unwrap();
    let limits = Limits::default();
    let file = DicomFile::parse(&bytes, &limits)?;
    let description = Description::read(&file, &limits)?;
    let syntax = file.syntax.ok_or(IntakeReason::TransferSyntax)?;
    let words = pixels::words(&file, syntax, &description)?.words;
    let values = words.iter().map(|word| -> i32 {
        let stored = i32::from(description.stored(*word));
        let sign = if description.signed {
            1 << (description.bits_stored - 1)
        } else {
            0
        };
        (stored ^ sign) - sign
    });
    let mean = values.clone().map(f64::from).sum::<f64>() / words.len() as f64;
    let bytes: Vec<u8> = if description.bits_allocated == 8 {
        values.map(|value| value as u8).collect()
    } else {
        values.flat_map(|value| (value as u16).to_le_bytes()).collect()
    };
    let digest = Sha256Digest::of(&bytes).to_string();
    Ok((digest.trim_start_matches("sha256:").to_owned(), mean))
}

#[test]
fn lossless_pictures_decode_as_elsewhere() {
    let Some(root) = shared("dicom-corpus") else { return };
    let mut table = BTreeMap::<String, [u32; 3]>::new();
    let mut wrong = Vec::new();
    let lossy = [TransferSyntax::JpegBaseline, TransferSyntax::JpegExtended].map(TransferSyntax::uid);
    let near = |mean: f64, expected: &Value| expected.as_f64().is_some_and(|expected| (mean - expected).abs() < 0.5);
    for line in fs::read_to_string(root.join("reference.jsonl")).unwrap().lines() {
        let reference: Value = serde_json::from_str(line).unwrap();
        let name = reference["file"].as_str().unwrap();
        let uid = reference["transfer_syntax"].as_str().unwrap_or_default().to_owned();
        let Some(expected) = reference["sha256"].as_str() else {
            continue;
        };
        let row = table.entry(uid.clone()).or_default();
        match stored(&root.join(name)) {
            Ok((digest, _)) if digest == expected => row[0] += 1,
            // Two correct DCTs differ by a step here and there, not on the whole.
            Ok((_, mean)) if lossy.contains(&uid.as_str()) && near(mean, &reference["mean"]) => row[1] += 1,
            Ok(_) => wrong.push(format!("{name}: other values")),
            Err(IntakeReason::TransferSyntax | IntakeReason::NotGrey | IntakeReason::SizeMismatch) => row[2] += 1,
            Err(IntakeReason::Truncated) if name.contains("truncated") => row[2] += 1,
            Err(reason) => wrong.push(format!("{name}: {reason:?}")),
        }
    }
    eprintln!("{:26} exact  lossy  refused", "transfer syntax");
    table
        .iter()
        .for_each(|(uid, [exact, lossy, refused])| eprintln!("{uid:26} {exact:5} {lossy:6} {refused:8}"));
    wrong.iter().for_each(|line| eprintln!("WRONG {line}"));
    assert!(wrong.is_empty());
    let exact: u32 = table.values().map(|row| row[0]).sum();
    assert!(exact >= 50, "{exact}");
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
        (
            "radiographs/chest_rg1_jls81_u15_mono1.dcm",
            IntakeReason::TransferSyntax,
        ),
        ("radiographs/hip_rg2_jpeg51_u10.dcm", IntakeReason::TransferSyntax),
    ] {
        assert_eq!(refused.get(name), Some(&reason), "{name}");
    }
    for name in [
        "radiographs/hip_rg2_j2k90_u10.dcm",
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
        assert_eq!(stored(&root.join(name)).err(), Some(reason), "{name}");
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
    assert_eq!(outcomes, 1200);
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
