//! One sound file, and what becomes of it when one thing about it changes.

use std::{fs, path::PathBuf};

use snowball_crypto::SiteSecret;
use snowball_protocol::labels::{BodyPart, Laterality};

use super::*;
use crate::deidentify::acquisition::ModalityTransform;

type Elements = Vec<(u16, u16, &'static [u8; 2], Vec<u8>)>;

fn sound() -> Elements {
    let word = |value: u16| value.to_le_bytes().to_vec();
    vec![
        (0x0008, 0x0016, b"UI", b"1.2.840.10008.5.1.4.1.1.1\0".to_vec()),
        (0x0008, 0x0018, b"UI", b"1.2.3.40".to_vec()),
        (0x0008, 0x0060, b"CS", b"CR".to_vec()),
        (0x0008, 0x103E, b"LO", b"KNEE LT ".to_vec()),
        (0x0010, 0x0010, b"PN", b"Doe^Jane".to_vec()),
        (0x0010, 0x0020, b"LO", b" AB 12 ".to_vec()),
        (0x0020, 0x000D, b"UI", b"1.2.3.41".to_vec()),
        (0x0020, 0x000E, b"UI", b"1.2.3.42".to_vec()),
        (0x0028, 0x0002, b"US", word(1)),
        (0x0028, 0x0004, b"CS", b"MONOCHROME1 ".to_vec()),
        (0x0028, 0x0010, b"US", word(2)),
        (0x0028, 0x0011, b"US", word(3)),
        (0x0028, 0x0100, b"US", word(16)),
        (0x0028, 0x0101, b"US", word(12)),
        (0x0028, 0x0102, b"US", word(11)),
        (0x0028, 0x0103, b"US", word(0)),
        (
            0x7FE0,
            0x0010,
            b"OW",
            [0_u16, 900, 1800, 2700, 3600, 0xF0FF]
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        ),
    ]
}

fn written(elements: &Elements) -> Vec<u8> {
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    // An application's name two bytes longer than the standard allows.
    let meta: Elements = vec![
        (0x0002, 0x0010, b"UI", b"1.2.840.10008.1.2.1\0".to_vec()),
        (0x0002, 0x0016, b"AE", b"EIGHTEEN-BYTES-AET".to_vec()),
    ];
    for (group, element, vr, value) in meta.iter().chain(elements) {
        bytes.extend([group.to_le_bytes(), element.to_le_bytes()].concat());
        bytes.extend(*vr);
        if matches!(*vr, b"OW" | b"SQ") {
            bytes.extend([0, 0]);
            bytes.extend((value.len() as u32).to_le_bytes());
        } else {
            bytes.extend((value.len() as u16).to_le_bytes());
        }
        bytes.extend(value);
    }
    bytes
}

fn intake(limits: Limits) -> Intake {
    let secret = SiteSecret::from_hex(&"a7".repeat(32)).unwrap();
    Intake::new(secret.project("unit"), Dictionary::standard(), limits)
}

fn outcome(bytes: &[u8]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    fs::write(&path, bytes).unwrap();
    intake(Limits::default()).take(&path)
}

fn changed(group: u16, element: u16, vr: &'static [u8; 2], value: &[u8]) -> Elements {
    let mut elements = sound();
    elements.retain(|(a, b, ..)| (*a, *b) != (group, element));
    elements.push((group, element, vr, value.to_vec()));
    elements.sort_by_key(|(a, b, ..)| (*a, *b));
    elements
}

fn radiograph(elements: &Elements) -> Radiograph {
    match outcome(&written(elements)) {
        Outcome::Accepted(radiograph) => *radiograph,
        Outcome::Excluded(excluded) => panic!("{excluded:?}"),
    }
}

fn reason(elements: &Elements) -> Option<IntakeReason> {
    match outcome(&written(elements)) {
        Outcome::Accepted(_) => None,
        Outcome::Excluded(excluded) => Some(excluded.reason),
    }
}

#[test]
fn a_sound_file_becomes_a_radiograph() {
    let radiograph = radiograph(&sound());
    assert_eq!(
        (radiograph.rows(), radiograph.columns(), radiograph.bits_stored()),
        (2, 3, 12)
    );
    assert_eq!(radiograph.pixels(), [4095, 3195, 2295, 1395, 495, 4095 - 0xFF]);
    assert_eq!(radiograph.labels().body_part, Some(BodyPart::Knee));
    assert_eq!(radiograph.labels().laterality, Some(Laterality::Left));
    assert_eq!(
        (radiograph.evidence().high_bit_pixels, radiograph.evidence().removed),
        (1, 1)
    );
    assert!(radiograph.accession().is_none());
}

#[test]
fn one_patient_written_in_two_ways_is_one() {
    let other = radiograph(&changed(0x0010, 0x0020, b"LO", b"ab  12"));
    assert_eq!(radiograph(&sound()).patient(), other.patient());
    assert_ne!(
        radiograph(&changed(0x0010, 0x0020, b"LO", b"ab13")).patient(),
        other.patient()
    );
}

#[test]
fn what_was_lost_by_compression_is_kept_without_free_text() {
    assert!(!radiograph(&sound()).acquisition().lossy);
    let mut elements = changed(0x0028, 0x2110, b"CS", b"01");
    elements.insert(elements.len() - 1, (0x0028, 0x2112, b"DS", b"7.5\\20 ".to_vec()));
    elements.insert(
        elements.len() - 1,
        (0x0028, 0x2114, b"CS", b"ISO_10918_1\\DOE^JANE".to_vec()),
    );
    let radiograph = radiograph(&elements);
    let steps = &radiograph.acquisition().lossy_steps;
    assert!(radiograph.acquisition().lossy);
    assert_eq!(
        serde_json::to_string(steps).unwrap(),
        r#"[{"method":"ISO_10918_1","ratio_hundredths":750},{"ratio_hundredths":2000}]"#
    );
}

#[test]
fn harmless_faults_are_tolerated() {
    assert_eq!(reason(&changed(0x0028, 0x0008, b"IS", b"1A")), None);
    assert_eq!(reason(&changed(0x0028, 0x0102, b"US", &[40, 0])), None);
    let Outcome::Accepted(bare) = outcome(&written(&sound())[128 + 4 + 28 + 26..]) else {
        panic!("a bare data set is a data set");
    };
    assert_eq!(bare.id(), radiograph(&sound()).id());
    assert_eq!(bare.content(), radiograph(&sound()).content());
}

#[test]
fn a_transform_in_the_functional_groups_is_honoured() {
    let element = |group: u16, element: u16, vr: &[u8; 2], value: &[u8]| {
        let mut bytes = [group.to_le_bytes(), element.to_le_bytes()].concat();
        bytes.extend(vr);
        if vr == b"SQ" {
            bytes.extend([0, 0]);
            bytes.extend((value.len() as u32).to_le_bytes());
        } else {
            bytes.extend((value.len() as u16).to_le_bytes());
        }
        bytes.extend(value);
        bytes
    };
    let item = |content: Vec<u8>| {
        let head = [[0xFE, 0xFF, 0x00, 0xE0], (content.len() as u32).to_le_bytes()].concat();
        [head, content].concat()
    };
    let line = |slope: &[u8; 2]| {
        item(
            [
                element(0x0028, 0x1052, b"DS", b"0 "),
                element(0x0028, 0x1053, b"DS", slope),
            ]
            .concat(),
        )
    };
    let group = |slope| item(element(0x0028, 0x9145, b"SQ", &line(slope)));
    let turned = [0, 900, 1800, 2700, 3600, 0xFF];
    for sequence in [0x9229, 0x9230] {
        let falling = radiograph(&changed(0x5200, sequence, b"SQ", &group(b"-1")));
        assert_eq!(falling.pixels(), turned, "{sequence:x}");
        assert_eq!(falling.acquisition().modality_transform, ModalityTransform::Linear);
        // Both numbers were read; group, transform and the patient's name were not kept.
        let evidence = falling.evidence();
        assert_eq!(
            (evidence.removed, evidence.used_for_pixels),
            (3, radiograph(&sound()).evidence().used_for_pixels + 2)
        );
        let same = radiograph(&changed(0x5200, sequence, b"SQ", &group(b"1 ")));
        assert_eq!(same.pixels(), radiograph(&sound()).pixels());
    }
    // Of several frames' groups the first counts, and what stands at the top goes before.
    let two = [group(b"1 "), group(b"-1")].concat();
    assert_eq!(
        radiograph(&changed(0x5200, 0x9230, b"SQ", &two)).pixels(),
        radiograph(&sound()).pixels()
    );
    let mut both = changed(0x5200, 0x9229, b"SQ", &group(b"-1"));
    both.insert(both.len() - 2, (0x0028, 0x1053, b"DS", b"1 ".to_vec()));
    assert_eq!(radiograph(&both).pixels(), radiograph(&sound()).pixels());
    // The classes that are made of such groups are refused by name.
    for class in [
        &b"1.2.840.10008.5.1.4.1.1.12.1.1"[..],
        b"1.2.840.10008.5.1.4.1.1.12.2.1",
    ] {
        assert_eq!(
            reason(&changed(0x0008, 0x0016, b"UI", class)),
            Some(IntakeReason::SopClass)
        );
    }
}

#[test]
fn each_fault_has_its_reason() {
    type Case<'a> = (u16, u16, &'static [u8; 2], &'a [u8], IntakeReason);
    let cases: [Case<'_>; 12] = [
        (
            0x0008,
            0x0016,
            b"UI",
            b"1.2.840.10008.5.1.4.1.1.2\0",
            IntakeReason::SopClass,
        ),
        (0x0008, 0x0016, b"UI", b"1.2.840.10008.1.3.10", IntakeReason::Dicomdir),
        (0x0008, 0x0060, b"CS", b"MR", IntakeReason::Modality),
        (0x0010, 0x0020, b"LO", b"  ", IntakeReason::MissingIdentity),
        (0x0028, 0x0002, b"US", &[3, 0], IntakeReason::NotGrey),
        (0x0028, 0x0008, b"IS", b"12", IntakeReason::NotGrey),
        (0x0028, 0x0010, b"US", &[0, 0], IntakeReason::SizeMismatch),
        (0x0028, 0x0010, b"US", &[9, 0], IntakeReason::SizeMismatch),
        (0x0028, 0x0101, b"US", &[17, 0], IntakeReason::SizeMismatch),
        (0x0028, 0x0301, b"CS", b"YES ", IntakeReason::BurnedInText),
        (0x7FE0, 0x0010, b"OW", &[0; 48], IntakeReason::SizeMismatch),
        (0x7FE0, 0x0010, b"OW", &[0; 2], IntakeReason::SizeMismatch),
    ];
    for (group, element, vr, value, expected) in cases {
        assert_eq!(
            reason(&changed(group, element, vr, value)),
            Some(expected),
            "({group:04x},{element:04x})"
        );
    }
}

#[test]
fn sequences_are_walked_to_a_depth_and_no_deeper() {
    let nested = |depth: u16| {
        let mut value = Vec::new();
        for _ in 0..depth {
            let inner = [
                b"\x09\x00\x01\x10SQ\0\0".to_vec(),
                (value.len() as u32).to_le_bytes().to_vec(),
                value,
            ]
            .concat();
            value = [
                b"\xFE\xFF\x00\xE0".to_vec(),
                (inner.len() as u32).to_le_bytes().to_vec(),
                inner,
            ]
            .concat();
        }
        changed(0x0009, 0x1001, b"SQ", &value)
    };
    assert_eq!(radiograph(&nested(10)).evidence().removed_nested, 10);
    assert_eq!(reason(&nested(1000)), Some(IntakeReason::TooDeep));
}

#[test]
fn what_is_no_file_or_too_large_has_an_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let small = intake(Limits {
        file_bytes_max: 100,
        ..Limits::default()
    });
    let excluded = |path: PathBuf| match small.take(&path) {
        Outcome::Excluded(excluded) => excluded,
        Outcome::Accepted(_) => panic!("accepted"),
    };
    assert_eq!(excluded(folder.path().to_owned()).reason, IntakeReason::Unreadable);
    assert_eq!(
        excluded(folder.path().join("nowhere")).file_digest,
        Sha256Digest::of(&[])
    );
    let large = folder.path().join("large");
    fs::write(&large, [7; 1000]).unwrap();
    let expected = Excluded {
        reason: IntakeReason::TooLarge,
        file_digest: Sha256Digest::of(&[7; 100]),
    };
    assert_eq!(excluded(large), expected);
}

#[test]
fn what_a_second_reader_reads_or_cannot_read_goes_to_a_person() {
    struct Reads(Option<(&'static str, f32)>);
    impl SecondReader for Reads {
        fn words(&self, rows: usize, columns: usize, pixels: &[u16]) -> Option<Vec<crate::Word>> {
            assert_eq!(
                (rows, columns, pixels[0]),
                (2, 3, 4095),
                "the picture as it would be kept"
            );
            let (text, confidence) = self.0?;
            Some(vec![crate::Word {
                text: text.to_owned(),
                confidence,
            }])
        }
    }
    let bytes = written(&sound());
    let intake = |reads| intake(Limits::default()).read_again_by(Arc::new(Reads(reads)));
    let reason = |reads| match intake(reads).judge(&bytes, None) {
        Outcome::Accepted(_) => None,
        Outcome::Excluded(excluded) => Some(excluded.reason),
    };
    assert_eq!(reason(Some(("TREMBLAY", 95.0))), Some(IntakeReason::BurnedInText));
    assert_eq!(reason(None), Some(IntakeReason::BurnedInText));
    assert_eq!(reason(Some(("TREMBLAY", 40.0))), None);
    assert_eq!(reason(Some(("PORTABLE", 95.0))), None);
    // A person who saw the picture has the last word.
    let waiver = Waiver::of(IntakeReason::BurnedInText).unwrap();
    let reviewed = intake(Some(("TREMBLAY", 95.0))).take_reviewed(&bytes, waiver);
    assert!(matches!(reviewed, Outcome::Accepted(_)));
}

#[test]
fn text_that_only_the_second_look_saw_is_taken_in_as_reviewed() {
    let waiver = Waiver::of(IntakeReason::TextRemains).unwrap();
    let intake = intake(Limits::default());
    let burned_in = |bytes: &[u8]| match intake.take_reviewed(bytes, waiver) {
        Outcome::Accepted(radiograph) => Ok(radiograph.evidence().burned_in),
        Outcome::Excluded(excluded) => Err(excluded.reason),
    };
    assert_eq!(burned_in(&written(&sound())), Ok(BurnedIn::Reviewed));
    // What the file itself declares is another reason, and waits for a look of its own.
    let declared = changed(0x0028, 0x0301, b"CS", b"YES ");
    assert_eq!(burned_in(&written(&declared)), Err(IntakeReason::BurnedInText));
}
