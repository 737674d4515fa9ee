use std::process::Command;

use dicom_object::from_reader;

use super::*;
use crate::LossyMethod;

fn names() -> Names {
    Names {
        patient: "0123456789abcdef0123".to_owned(),
        study: "2.25.1".to_owned(),
        source_series: "2.25.2".to_owned(),
        source: "2.25.3".to_owned(),
        series: "2.25.4".to_owned(),
        instance: "2.25.5".to_owned(),
        dimensions: "2.25.6".to_owned(),
        device: "2.25.7".to_owned(),
    }
}

fn segment(label: &str) -> Segment {
    Segment {
        label: label.to_owned(),
        category: Code::tissue(),
        kind: Code::tissue(),
    }
}

/// Three rows of five pixels with two classes: thirty bits, which end within a byte.
const VALUES: [u8; 15] = [0, 1, 1, 0, 2, 0, 0, 2, 2, 2, 1, 0, 0, 0, 2];

/// Two compressions, one after the other.
const LOSSY: [LossyStep; 2] = [
    LossyStep {
        method: Some(LossyMethod::Jpeg2000),
        ratio_hundredths: Some(1000),
    },
    LossyStep {
        method: Some(LossyMethod::Jpeg),
        ratio_hundredths: Some(1225),
    },
];

fn file(values: &[u8], segments: &[Segment]) -> Result<Vec<u8>, SegmentationError> {
    let algorithm = Algorithm {
        name: "lungs, unet".to_owned(),
        version: "f".repeat(64),
    };
    Segmentation {
        names: &names(),
        algorithm: &algorithm,
        number: 12,
        source_class: ObjectClass::DigitalPresentation,
        source_lossy: Some(&LOSSY),
        rows: 3,
        columns: 5,
        values,
        segments,
        date: "20260102",
        time: "030405",
    }
    .file()
}

#[test]
fn each_class_is_a_frame_of_bits() {
    let bytes = file(&VALUES, &[segment("lung"), segment("heart\\aorta")]).unwrap();
    let object = from_reader(bytes.as_slice()).unwrap();
    let text = |tag| object.element(tag).unwrap().to_str().unwrap().into_owned();
    assert_eq!(text(tags::NUMBER_OF_FRAMES), "2");
    assert_eq!(text(tags::LOSSY_IMAGE_COMPRESSION), "01");
    assert_eq!(text(tags::LOSSY_IMAGE_COMPRESSION_RATIO), "10\\12.25");
    assert_eq!(text(tags::LOSSY_IMAGE_COMPRESSION_METHOD), "ISO_15444_1\\ISO_10918_1");
    assert_eq!(text(tags::INSTANCE_NUMBER), "12");
    assert_eq!(text(tags::PATIENT_ID), names().patient);
    assert_eq!(
        text(tags::PATIENT_NAME) + &text(tags::STUDY_DATE) + &text(tags::CONTENT_CREATOR_NAME),
        ""
    );
    let bits = object.element(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
    assert_eq!(bits.len(), 4, "thirty bits, and an even number of bytes");
    let bit = |place: usize| bits[place / 8] >> (place % 8) & 1;
    for (place, value) in VALUES.iter().enumerate() {
        assert_eq!(
            (bit(place), bit(15 + place)),
            (u8::from(*value == 1), u8::from(*value == 2)),
            "{place}"
        );
    }
    let segments = object.element(tags::SEGMENT_SEQUENCE).unwrap().items().unwrap();
    let labels: Vec<_> = (segments.iter())
        .map(|item| {
            item.element(tags::SEGMENT_LABEL)
                .unwrap()
                .to_str()
                .unwrap()
                .into_owned()
        })
        .collect();
    assert_eq!(labels, ["lung", "heart aorta"], "a backslash would begin another value");
}

/// David Clunie's `dciodvfy` (dicom3tools) knows the object's definition better than we do.
#[test]
fn dciodvfy_finds_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.dcm");
    std::fs::write(&path, file(&VALUES, &[segment("lung"), segment("heart")]).unwrap()).unwrap();
    let Ok(found) = Command::new("dciodvfy").arg(&path).output() else {
        eprintln!("SKIPPED: dciodvfy is not installed; nothing else looked at the object");
        return;
    };
    let said = String::from_utf8_lossy(&[found.stdout, found.stderr].concat()).into_owned();
    eprintln!("{said}");
    assert!(said.lines().any(|line| line.trim() == "Segmentation"), "{said}");
    assert!(!said.lines().any(|line| line.starts_with("Error")), "{said}");
}

#[test]
fn a_mask_that_is_not_its_segments_is_refused() {
    assert!(file(&VALUES, &[segment("lung")]).is_err(), "2 has no segment");
    assert!(file(&VALUES[1..], &[segment("lung"), segment("heart")]).is_err());
    assert!(file(&[0; 15], &[]).is_err());
}

#[test]
fn a_code_that_dicom_cannot_hold_is_named() {
    let mut code = Code::tissue();
    assert_eq!(code.check(), Ok(()));
    code.value = "12345678901234567".to_owned();
    assert!(
        code.check()
            .unwrap_err()
            .to_string()
            .starts_with("value of a code must be 1 to 16")
    );
    code = Code::tissue();
    code.meaning = "Tissue\\Bone".to_owned();
    assert!(code.check().unwrap_err().to_string().starts_with("meaning"));
}
