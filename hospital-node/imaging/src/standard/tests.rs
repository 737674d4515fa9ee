//! Synthetic files with every place that can hold a name, through both passes.

use dicom_core::{
    DataElement, PrimitiveValue, Tag, VR,
    header::Length,
    value::{DataSetSequence, PixelFragmentSequence},
};
use dicom_dictionary_std::tags;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject, from_reader};
use snowball_confidentiality::{Action, KeepRule, Profile, ProfileOption};
use snowball_crypto::SiteSecret;
use snowball_protocol::{Sha256Digest, intake::IntakeReason};

use super::{
    Deidentified, FindingKind, Pixels, Standard,
    checks::{self, Check, Expectation, Texts},
    shared_tests::{standard, stored},
};
use crate::{
    Limits,
    pixels::jpeg2000::tests::{CUT, wrapped},
};

const DX: &str = "1.2.840.10008.5.1.4.1.1.1.1";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";

fn text(tag: Tag, vr: VR, value: &str) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, vr, PrimitiveValue::from(value))
}

fn sequence(tag: Tag, items: Vec<InMemDicomObject>) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, VR::SQ, DataSetSequence::new(items, Length::UNDEFINED))
}

fn code(value: &str, meaning: &str) -> InMemDicomObject {
    InMemDicomObject::from_element_iter([
        text(tags::CODE_VALUE, VR::SH, value),
        text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, "SCT"),
        text(tags::CODE_MEANING, VR::LO, meaning),
        text(Tag(0x0009, 0x0010), VR::LO, "ACME"),
        text(Tag(0x0009, 0x1001), VR::LO, "Tremblay in an item"),
    ])
}

fn object() -> InMemDicomObject {
    let number = |tag, value: u16| DataElement::new(tag, VR::US, PrimitiveValue::from(value));
    InMemDicomObject::from_element_iter([
        text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192"),
        text(tags::SOP_CLASS_UID, VR::UI, DX),
        text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.4.5"),
        text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3.4"),
        text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.4.1"),
        text(tags::MODALITY, VR::CS, "DX"),
        text(tags::MANUFACTURER, VR::LO, "ACME Radiography"),
        text(tags::STUDY_DATE, VR::DA, "20140617"),
        text(tags::CONTENT_DATE, VR::DA, "20140618"),
        text(tags::STUDY_DESCRIPTION, VR::LO, "CHEST PA for Tremblay 555-0101"),
        text(tags::STATION_NAME, VR::SH, "Room 1"),
        text(tags::PATIENT_NAME, VR::PN, "Tremblay^Léonie"),
        text(tags::PATIENT_ID, VR::LO, "3210338"),
        text(tags::PATIENT_BIRTH_DATE, VR::DA, "19210528"),
        text(tags::PATIENT_AGE, VR::AS, "093Y"),
        text(tags::PATIENT_SEX, VR::CS, "F"),
        text(tags::BODY_PART_EXAMINED, VR::CS, "CHEST"),
        sequence(tags::ANATOMIC_REGION_SEQUENCE, vec![code("51185008", "Chest")]),
        sequence(tags::VIEW_CODE_SEQUENCE, vec![code("399061004", "seen by Tremblay")]),
        text(Tag(0x0009, 0x0010), VR::LO, "ACME"),
        text(Tag(0x0009, 0x1010), VR::LO, "GRID 8"),
        text(Tag(0x0009, 0x1011), VR::LO, "Tremblay"),
        text(Tag(0x6000, 0x4000), VR::LT, "Tremblay"),
        text(tags::IMAGE_COMMENTS, VR::LT, "Tremblay"),
        number(tags::SAMPLES_PER_PIXEL, 1),
        text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
        number(tags::ROWS, 2),
        number(tags::COLUMNS, 2),
        number(tags::BITS_ALLOCATED, 16),
        number(tags::BITS_STORED, 12),
        number(tags::HIGH_BIT, 11),
        number(tags::PIXEL_REPRESENTATION, 0),
        DataElement::new(
            tags::PIXEL_DATA,
            VR::OW,
            PrimitiveValue::U16([0xF001, 2, 3, 4, 0x4142].as_slice().into()),
        ),
    ])
}

fn file(object: InMemDicomObject) -> Vec<u8> {
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(EXPLICIT)
        .source_application_entity_title("TREMBLAY");
    let mut bytes = Vec::new();
    object.with_meta(meta).unwrap().write_all(&mut bytes).unwrap();
    bytes[..8].copy_from_slice(b"Tremblay");
    bytes
}

fn made(standard: &Standard, object: InMemDicomObject) -> Deidentified {
    let made = standard.deidentify(&file(object), Pixels::NotVerified).unwrap();
    assert_eq!(standard.verify(&made.bytes, &made.seen), vec![]);
    made
}

fn action(made: &Deidentified, tag: Tag) -> Action {
    made.records
        .iter()
        .find(|record| record.attribute == tag && record.path.is_empty())
        .unwrap()
        .action
}

#[test]
fn a_strict_file_holds_no_name_anywhere_and_says_what_was_done() {
    let made = made(&standard(&[]), object());
    let lower = String::from_utf8_lossy(&made.bytes).to_lowercase();
    for name in [
        "tremblay", "léonie", "3210338", "555-0101", "20140617", "1.2.3.4", "room 1", "ab",
    ] {
        let hit = lower.contains(name) && name != "ab";
        assert!(!hit, "{name}");
    }
    let out = from_reader(&made.bytes[..]).unwrap();
    let word = |tag| out.get(tag).map(|element| element.to_str().unwrap().into_owned());
    assert_eq!(word(tags::PATIENT_IDENTITY_REMOVED).as_deref(), Some("YES"));
    assert_eq!(
        word(tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED).as_deref(),
        Some("REMOVED")
    );
    assert_eq!(
        word(tags::BURNED_IN_ANNOTATION).as_deref(),
        Some("YES"),
        "DX demands an answer and nobody looked"
    );
    assert_eq!(word(tags::BODY_PART_EXAMINED).as_deref(), Some("CHEST"));
    assert_eq!(word(tags::MANUFACTURER).as_deref(), Some("ACME Radiography"));
    let method = word(tags::DEIDENTIFICATION_METHOD).unwrap();
    assert!(
        method.ends_with(&Sha256Digest::of(b"policy").to_string()[7..]),
        "{method}"
    );
    let pixels = out.get(tags::PIXEL_DATA).unwrap().to_bytes().unwrap().into_owned();
    assert_eq!(
        pixels,
        [1, 0, 2, 0, 3, 0, 4, 0],
        "high bits and what lies behind the frame are gone"
    );
    let view = out.get(tags::VIEW_CODE_SEQUENCE).unwrap().items().unwrap();
    let meaning = view[0].get(tags::CODE_MEANING).unwrap().to_str().unwrap();
    assert_eq!(meaning, "ANONYMIZED", "Type 1, and it named the patient");
    assert!(
        made.records
            .iter()
            .any(|record| record.path == "(0008,2228)[0]" || record.path == "(0054,0220)[0]")
    );
}

#[test]
fn options_keep_what_they_name() {
    let made = made(
        &standard(&[
            ProfileOption::RetainPatientCharacteristics,
            ProfileOption::RetainLongitudinalModifiedDates,
            ProfileOption::CleanDescriptors,
        ]),
        object(),
    );
    let out = from_reader(&made.bytes[..]).unwrap();
    let word = |tag| out.get(tag).map(|element| element.to_str().unwrap().into_owned());
    assert_eq!(word(tags::PATIENT_AGE).as_deref(), Some("090Y"));
    assert_eq!(word(tags::PATIENT_SEX).as_deref(), Some("F"));
    assert_eq!(word(tags::STUDY_DESCRIPTION).as_deref(), Some("CHEST PA"));
    let (study, content) = (word(tags::STUDY_DATE).unwrap(), word(tags::CONTENT_DATE).unwrap());
    assert!(checks::shifted_alike([
        ("20140617", study.as_str()),
        ("20140618", content.as_str())
    ]));
}

#[test]
fn the_policy_s_own_rules_reach_the_file() {
    let rule = |creator: Option<&str>, value: &str| KeepRule {
        values: [value.to_owned()].into(),
        creator: creator.map(str::to_owned),
    };
    let tag = snowball_confidentiality::Tag;
    let profile = Profile::new(
        [ProfileOption::RetainSafePrivate],
        [tag(0x0018, 0x0015)],
        [
            (tag(0x0008, 0x1010), rule(None, "room 1")),
            (tag(0x0009, 0x1010), rule(Some("ACME"), "grid 8")),
        ],
    );
    let key = SiteSecret::from_hex(&"5a".repeat(32)).unwrap().project("shared");
    let standard = Standard::new(profile, Sha256Digest::of(b"policy"), key, Limits::default());
    let made = made(&standard, object());
    let out = from_reader(&made.bytes[..]).unwrap();
    assert_eq!(out.get(tags::STATION_NAME).unwrap().to_str().unwrap(), "Room 1");
    assert_eq!(out.get(Tag(0x0009, 0x1010)).unwrap().to_str().unwrap(), "GRID 8");
    assert!(out.get(Tag(0x0009, 0x1011)).is_none() && out.get(tags::BODY_PART_EXAMINED).is_none());
    assert_eq!(action(&made, Tag(0x0018, 0x0015)), Action::Remove);
}

#[test]
fn the_same_file_gives_the_same_file_and_uids_agree_between_files() {
    let standard = standard(&[]);
    let (one, two) = (made(&standard, object()), made(&standard, object()));
    assert!(one.bytes == two.bytes && one.instance == two.instance);
    let mut other = object();
    other.put(text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.4.6"));
    let other = made(&standard, other);
    let study = |file: &Deidentified| Texts::read(&file.bytes).unwrap().get("(0020,000D)").unwrap().to_owned();
    assert_eq!(study(&one), study(&other));
    assert_ne!(one.instance, other.instance);
    assert!(one.instance.starts_with("2.25.") && one.patient == other.patient);
}

#[test]
fn the_second_pass_finds_what_a_broken_first_pass_would_leave() {
    let standard = standard(&[]);
    let made = made(&standard, object());
    let hurt = |element: DataElement<InMemDicomObject>| {
        let mut out = from_reader(&made.bytes[..]).unwrap();
        out.put(element);
        let mut bytes = Vec::new();
        out.write_all(&mut bytes).unwrap();
        standard
            .verify(&bytes, &made.seen)
            .into_iter()
            .map(|finding| finding.kind)
            .collect::<Vec<_>>()
    };
    for (element, kind) in [
        (text(Tag(0x0009, 0x0010), VR::LO, "ACME"), FindingKind::Private),
        (text(Tag(0x6000, 0x4000), VR::LT, "x"), FindingKind::Forbidden),
        (text(tags::OPERATORS_NAME, VR::PN, "Somebody"), FindingKind::Person),
        (text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.4.1"), FindingKind::Uid),
        (text(tags::FRAME_OF_REFERENCE_UID, VR::UI, "1.9"), FindingKind::Uid),
        (text(tags::STUDY_DATE, VR::DA, "20140617"), FindingKind::Date),
        (text(tags::STUDY_DATE, VR::DA, "20150101"), FindingKind::Date),
        (
            text(tags::MANUFACTURER, VR::LO, "made for LEONIE"),
            FindingKind::Identifier,
        ),
        (text(tags::VIEW_POSITION, VR::CS, "TREMBLAY"), FindingKind::Identifier),
        (
            text(tags::PATIENT_IDENTITY_REMOVED, VR::CS, "NO"),
            FindingKind::Unmarked,
        ),
        (
            DataElement::new(
                tags::ICC_PROFILE,
                VR::OB,
                PrimitiveValue::U8(b"\0\0Tremblay\0".as_slice().into()),
            ),
            FindingKind::Identifier,
        ),
        (
            sequence(tags::ANATOMIC_REGION_SEQUENCE, vec![code("1", "x")]),
            FindingKind::Private,
        ),
    ] {
        let tag = element.header().tag;
        assert!(hurt(element).contains(&kind), "{tag} {kind:?}");
    }
    let mut preamble = made.bytes.clone();
    preamble[5] = b'T';
    assert_eq!(standard.verify(&preamble, &made.seen)[0].kind, FindingKind::Preamble);
    assert_eq!(standard.verify(b"nothing", &made.seen)[0].kind, FindingKind::Unreadable);
}

#[test]
fn burned_in_text_and_strangers_are_refused() {
    let standard = standard(&[]);
    let mut burned = object();
    burned.put(text(tags::BURNED_IN_ANNOTATION, VR::CS, "YES"));
    let burned = file(burned);
    let refused = |bytes: &[u8], pixels| standard.deidentify(bytes, pixels).err();
    assert_eq!(refused(&burned, Pixels::NotVerified), Some(IntakeReason::BurnedInText));
    assert_eq!(refused(&burned, Pixels::Verified), None);
    struct Reads(&'static str);
    impl crate::SecondReader for Reads {
        fn words(&self, _: usize, _: usize, _: &[u16]) -> Option<Vec<crate::Word>> {
            Some(vec![crate::Word {
                text: self.0.to_owned(),
                confidence: 99.0,
            }])
        }
    }
    for (reads, reason) in [("Tremblay", Some(IntakeReason::BurnedInText)), ("Portable", None)] {
        let standard = super::tests::standard(&[]).read_again_by(std::sync::Arc::new(Reads(reads)));
        let refused = standard.deidentify(&file(object()), Pixels::Searched).err();
        assert_eq!(refused, reason, "{reads}");
    }
    let mut stranger = object();
    stranger.put(text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.2"));
    assert_eq!(refused(&file(stranger), Pixels::Verified), Some(IntakeReason::SopClass));
    let mut nobody = object();
    nobody.remove_element(tags::PATIENT_ID);
    assert_eq!(
        refused(&file(nobody), Pixels::Verified),
        Some(IntakeReason::MissingIdentity)
    );
    let whole = file(object());
    for length in (0..whole.len()).step_by(7) {
        let _ = standard.deidentify(&whole[..length], Pixels::NotVerified);
    }
}

#[test]
fn the_checks_of_the_challenge_hold_on_a_file() {
    let standard = standard(&[
        ProfileOption::RetainLongitudinalModifiedDates,
        ProfileOption::CleanDescriptors,
    ]);
    let before = file(object());
    let after = made(&standard, object());
    let (before, after) = (Texts::read(&before).unwrap(), Texts::read(&after.bytes).unwrap());
    for (check, place, text) in [
        (Check::TagRetained, "(0008,1030)", ""),
        (Check::TextNotNull, "(0008,0060)", ""),
        (Check::TextRetained, "(0008,1030)", "CHEST"),
        (Check::TextRemoved, "(0008,1030)", "Tremblay"),
        (Check::TextRemoved, "(0010,0010)", "Tremblay"),
        (Check::DateShifted, "(0008,0020)", ""),
        (Check::UidChanged, "(0008,0018)", ""),
    ] {
        let expected = Expectation {
            check,
            place: place.to_owned(),
            text: text.to_owned(),
        };
        assert!(checks::holds(&expected, &before, &after), "{expected:?}");
    }
}

/// A lossy picture of 24 by 40 in `frame`.
fn compressed(mut frame: Vec<u8>) -> Vec<u8> {
    let mut object = object();
    let number = |tag, value: u16| DataElement::new(tag, VR::US, PrimitiveValue::from(value));
    for (tag, value) in [
        (tags::ROWS, 24),
        (tags::COLUMNS, 40),
        (tags::BITS_STORED, 16),
        (tags::HIGH_BIT, 15),
    ] {
        object.put(number(tag, value));
    }
    frame.resize(frame.len().next_multiple_of(2), 0);
    let pixels = PixelFragmentSequence::new_fragments(vec![frame]);
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, pixels));
    let meta = FileMetaTableBuilder::new().transfer_syntax("1.2.840.10008.1.2.4.91");
    let mut bytes = Vec::new();
    object.with_meta(meta).unwrap().write_all(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_jpeg_2000_file_in_place_of_a_code_stream_is_written_as_the_code_stream() {
    let code = [&CUT[..], &[0xD9]].concat();
    let standard = standard(&[]);
    for pixels in [Pixels::NotVerified, Pixels::Searched] {
        let bare = standard.deidentify(&compressed(code.clone()), pixels).unwrap();
        let boxed = standard.deidentify(&compressed(wrapped(&code)), pixels).unwrap();
        assert_eq!(standard.verify(&boxed.bytes, &boxed.seen), vec![], "{pixels:?}");
        assert_eq!(boxed.comment_bytes, bare.comment_bytes + 21);
        let fragment = |made: &Deidentified| {
            let out = from_reader(&made.bytes[..]).unwrap();
            out.element(tags::PIXEL_DATA).unwrap().fragments().unwrap()[0].clone()
        };
        assert_eq!(fragment(&boxed), fragment(&bare), "{pixels:?}");
        assert!(!fragment(&boxed).windows(8).any(|window| window == b"Tremblay"));
        assert_eq!(stored(&boxed.bytes), stored(&compressed(code.clone())), "{pixels:?}");
    }
    let twice = [wrapped(&code), wrapped(&code)[12..].to_vec()].concat();
    let refused = standard.deidentify(&compressed(twice), Pixels::NotVerified);
    assert_eq!(
        refused.err(),
        Some(IntakeReason::DecodeError),
        "two pictures in one place"
    );
}
