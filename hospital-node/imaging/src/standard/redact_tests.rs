//! Text in the pixels of de-identified DICOM: gone from the stored values, which stay what they were everywhere else.

use std::{collections::BTreeMap, fs};

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject, from_reader};
use rayon::prelude::*;
use serde_json::Value;
use snowball_confidentiality::Action;
use snowball_protocol::intake::IntakeReason;

use super::{
    Deidentified, FilledArea, FindingKind, Pixels, checks,
    checks::PixelBox,
    shared_tests::{standard, stored},
};
use crate::{
    Outcome,
    shared_tests::{Case, cases, intake, shared},
    text_tests::{LEFT_MAX, decoded, left, rendered},
};

/// Of the pictures without burned-in text every so many are looked at; with `SNOWBALL_DEIDENTIFY_ALL` set, all of them.
const CLEAN_EVERY: usize = 24;

fn areas(made: &Deidentified) -> Vec<FilledArea> {
    made.records.iter().flat_map(|record| record.areas.clone()).collect()
}

fn boxes(areas: &[FilledArea]) -> Vec<PixelBox> {
    let one = |area: &FilledArea| PixelBox {
        x: area.x,
        y: area.y,
        width: area.width,
        height: area.height,
    };
    areas.iter().map(one).collect()
}

fn text(bytes: &[u8], tag: dicom_core::Tag) -> Option<String> {
    let out = from_reader(bytes).unwrap();
    out.get(tag).map(|element| element.to_str().unwrap().into_owned())
}

#[derive(Default, Debug)]
struct Counts {
    written: u32,
    filled: u32,
    quarantined: u32,
    rejected: u32,
    /// PixelsHidden: boxes of identifiers whose ink is gone.
    hidden: u32,
    boxes: u32,
    /// Markers whose ink stays.
    markers: u32,
    markers_kept: u32,
    faults: Vec<String>,
}

fn judge(case: &Case, standard: &super::Standard) -> Counts {
    let bytes = fs::read(&case.path).unwrap();
    let mut counts = Counts::default();
    let mut fault = |what: &str| counts.faults.push(format!("{}: {what}", case.path.display()));
    let made = match standard.deidentify(&bytes, Pixels::Searched) {
        Ok(made) => made,
        Err(IntakeReason::BurnedInText) => {
            counts.quarantined = 1;
            // What the intake takes in, this takes in.
            if let Outcome::Accepted(_) = intake().take(&case.path) {
                fault("quarantined, and the intake accepts it");
            }
            return counts;
        }
        Err(_) => {
            counts.rejected = 1;
            return counts;
        }
    };
    let areas = areas(&made);
    let (before, after) = (stored(&bytes).unwrap(), stored(&made.bytes).unwrap_or_default());
    let columns = decoded(&case.path).columns as usize;
    // PixelsRetained: bit for bit outside of what was filled.
    if !checks::pixels(&before, &after, columns, &boxes(&areas)).1 {
        fault("values outside of the filled areas changed");
    }
    if text(&made.bytes, tags::BURNED_IN_ANNOTATION).as_deref() != Some("NO") {
        fault("does not say that it is free of text");
    }
    let says = text(&made.bytes, tags::DEIDENTIFICATION_METHOD).unwrap();
    let wanted = if areas.is_empty() {
        "none found".to_owned()
    } else {
        format!("filled in {} areas", areas.len())
    };
    if !says.contains(&wanted) {
        fault(&says);
    }
    let findings = standard.verify(&made.bytes, &made.seen);
    if !findings.is_empty() {
        fault(&format!("{findings:?}"));
    }
    if case.truth["lossy"] == true
        && !areas.is_empty()
        && text(&made.bytes, tags::LOSSY_IMAGE_COMPRESSION).as_deref() != Some("01")
    {
        fault("forgot that it was compressed with loss");
    }
    let (before, after) = (decoded(&case.path), rendered(&made.bytes));
    for burned in case.truth["burned"].as_array().into_iter().flatten() {
        let left = left(&before, &after.pixels, burned);
        if burned["kind"] == "identifier" {
            counts.boxes += 1;
            counts.hidden += u32::from(left <= LEFT_MAX);
        } else {
            counts.markers += 1;
            counts.markers_kept += u32::from(left >= 1.0 - LEFT_MAX);
        }
    }
    counts.written = 1;
    counts.filled = u32::from(!areas.is_empty());
    counts
}

#[test]
fn identifiers_are_gone_from_the_stored_values_and_nothing_else_is() {
    let Some(cases) = cases() else { return };
    let all = std::env::var_os("SNOWBALL_DEIDENTIFY_ALL").is_some();
    let is_burned = |case: &Case| {
        let burned = case.truth["burned"].as_array();
        burned.is_some_and(|burned| burned.iter().any(|one: &Value| one["kind"] == "identifier"))
    };
    let cases: Vec<&Case> = cases
        .iter()
        .enumerate()
        .filter(|(place, case)| {
            case.text("disposition") == "accept" && (all || is_burned(case) || place.is_multiple_of(CLEAN_EVERY))
        })
        .map(|(_, case)| case)
        .collect();
    let standard = standard(&[]);
    let judged: Vec<Counts> = cases.par_iter().map(|case| judge(case, &standard)).collect();
    let mut sum = Counts::default();
    for mut one in judged {
        sum.written += one.written;
        sum.filled += one.filled;
        sum.quarantined += one.quarantined;
        sum.rejected += one.rejected;
        sum.hidden += one.hidden;
        sum.boxes += one.boxes;
        sum.markers += one.markers;
        sum.markers_kept += one.markers_kept;
        sum.faults.append(&mut one.faults);
    }
    eprintln!("{} files: {sum:?}", cases.len());
    assert!(sum.faults.is_empty());
    assert_eq!(sum.rejected, 0, "sound files");
    assert_eq!(sum.hidden, sum.boxes, "identifiers left in the pixels");
    assert!(sum.boxes > 300 && sum.filled > 150, "{sum:?}");
    // Markers beside identifiers are the hard ones, 62 of 73; over all pictures `text_tests` bounds the markers lost.
    assert!(f64::from(sum.markers_kept) >= 0.84 * f64::from(sum.markers), "{sum:?}");
    assert!(f64::from(sum.quarantined) <= 0.12 * cases.len() as f64, "{sum:?}");
}

/// A picture on which the shared corpus burned an identity, in every form of stored values.
fn burned(shape: impl Fn(&mut InMemDicomObject, &mut Vec<u16>)) -> Option<Vec<u8>> {
    let path = shared("radiographs")?.join("a/truth.jsonl");
    let truth = fs::read_to_string(path).unwrap();
    let line = truth
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|truth| {
            let burned = truth["burned"].as_array();
            truth["disposition"] == "accept"
                && burned.is_some_and(|burned| burned.iter().any(|one| one["kind"] == "identifier"))
        });
    let name = line.unwrap()["file"].as_str().unwrap().to_owned();
    let file = from_reader(&fs::read(shared("radiographs")?.join("a").join(name)).unwrap()[..]).unwrap();
    let mut object = file.into_inner();
    let mut words: Vec<u16> = object
        .element(tags::PIXEL_DATA)
        .unwrap()
        .to_bytes()
        .unwrap()
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]) & 0xFFF)
        .collect();
    shape(&mut object, &mut words);
    let bytes = if object.element(tags::BITS_ALLOCATED).unwrap().to_int::<u16>().unwrap() == 8 {
        words.iter().map(|word| word.to_le_bytes()[0]).collect()
    } else {
        words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>()
    };
    object.put(DataElement::new(
        tags::PIXEL_DATA,
        VR::OW,
        PrimitiveValue::U8(bytes.into()),
    ));
    let class = object
        .element(tags::SOP_CLASS_UID)
        .unwrap()
        .to_str()
        .unwrap()
        .into_owned();
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax("1.2.840.10008.1.2.1")
        .media_storage_sop_class_uid(class)
        .media_storage_sop_instance_uid("1.2.3");
    let mut out = Vec::new();
    object.with_meta(meta).unwrap().write_all(&mut out).unwrap();
    Some(out)
}

fn number(object: &mut InMemDicomObject, tag: dicom_core::Tag, value: u16) {
    object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
}

#[test]
fn every_form_of_stored_values_is_filled_alike() {
    type Shape = fn(&mut InMemDicomObject, &mut Vec<u16>);
    let shapes: [(&str, Shape); 5] = [
        ("12 bits in 16", |_, _| {}),
        ("MONOCHROME1", |object, words| {
            object.put(DataElement::new(
                tags::PHOTOMETRIC_INTERPRETATION,
                VR::CS,
                "MONOCHROME1",
            ));
            words.iter_mut().for_each(|word| *word = 4095 - *word);
        }),
        ("high bit 15", |object, words| {
            number(object, tags::HIGH_BIT, 15);
            words.iter_mut().for_each(|word| *word <<= 4);
        }),
        ("signed", |object, words| {
            number(object, tags::PIXEL_REPRESENTATION, 1);
            words.iter_mut().for_each(|word| *word = word.wrapping_sub(2048));
        }),
        ("8 bits", |object, words| {
            number(object, tags::BITS_ALLOCATED, 8);
            number(object, tags::BITS_STORED, 8);
            number(object, tags::HIGH_BIT, 7);
            words.iter_mut().for_each(|word| *word >>= 4);
        }),
    ];
    let standard = standard(&[]);
    let mut places = BTreeMap::new();
    for (name, shape) in shapes {
        let Some(bytes) = burned(|object, words| {
            number(object, tags::SMALLEST_IMAGE_PIXEL_VALUE, 0);
            shape(object, words);
        }) else {
            return;
        };
        let made = standard.deidentify(&bytes, Pixels::Searched).unwrap();
        let areas = areas(&made);
        assert!(!areas.is_empty(), "{name}");
        assert!(standard.verify(&made.bytes, &made.seen).is_empty(), "{name}");
        let (before, after) = (stored(&bytes).unwrap(), stored(&made.bytes).unwrap());
        let columns = rendered(&bytes).columns as usize;
        let (_, retained) = checks::pixels(&before, &after, columns, &boxes(&areas));
        assert!(retained, "{name}");
        let last = areas.last().copied().unwrap();
        assert!(
            checks::pixels(&before, &after, columns, &boxes(&[last])).0,
            "{name}: one value"
        );
        let record = made
            .records
            .iter()
            .find(|record| record.attribute == tags::PIXEL_DATA)
            .unwrap();
        assert_eq!(record.action, Action::Clean);
        // Bits outside the stored ones hold nothing but the sign.
        let out = from_reader(&made.bytes[..]).unwrap();
        let smallest = out
            .get(tags::SMALLEST_IMAGE_PIXEL_VALUE)
            .map(|value| value.to_int::<i32>().unwrap());
        assert!(
            smallest.is_none_or(|value| value <= 0 || name != "signed"),
            "{name} {smallest:?}"
        );
        if name != "8 bits" {
            places.insert(name, areas);
        }
        // The second pass notices pixels that were changed after the search.
        let mut hurt = made.bytes.clone();
        let place = hurt.len() - 20;
        hurt[place] ^= 0x40;
        let findings = standard.verify(&hurt, &made.seen);
        assert!(
            findings.iter().any(|finding| finding.kind == FindingKind::Pixels),
            "{name}"
        );
    }
    let all: Vec<_> = places.values().collect();
    assert!(
        all.windows(2).all(|pair| pair[0] == pair[1]),
        "the same picture is searched: {places:?}"
    );
}

#[test]
fn every_frame_of_several_is_searched_and_filled() {
    const XA: &str = "1.2.840.10008.5.1.4.1.1.12.1";
    let mut single = 0;
    let Some(bytes) = burned(|object, words| {
        object.put(DataElement::new(tags::SOP_CLASS_UID, VR::UI, XA));
        object.put(DataElement::new(tags::MODALITY, VR::CS, "XA"));
        object.put(DataElement::new(tags::NUMBER_OF_FRAMES, VR::IS, "3"));
        let frame = words.clone();
        // The second frame is turned around in its values, the third is a plain ramp.
        words.extend(frame.iter().map(|value| 4095 - value));
        words.extend(frame.iter().enumerate().map(|(place, _)| (place % 4096) as u16 / 16));
    }) else {
        return;
    };
    let standard = standard(&[]);
    let made = standard.deidentify(&bytes, Pixels::Searched).unwrap();
    for area in areas(&made) {
        single |= 1 << area.frame;
    }
    assert_eq!(
        single & 0b110,
        0b110,
        "the first two frames show text: {:?}",
        areas(&made)
    );
    assert!(standard.verify(&made.bytes, &made.seen).is_empty());
    assert_eq!(text(&made.bytes, tags::NUMBER_OF_FRAMES).as_deref(), Some("3"));
    let (out, before) = (from_reader(&made.bytes[..]).unwrap(), from_reader(&bytes[..]).unwrap());
    let length = |file: &InMemDicomObject| file.get(tags::PIXEL_DATA).unwrap().to_bytes().unwrap().len();
    assert_eq!(length(&out), length(&before));
    let mut bomb = from_reader(&bytes[..]).unwrap();
    bomb.put(DataElement::new(tags::NUMBER_OF_FRAMES, VR::IS, "4000000000"));
    let mut claimed = Vec::new();
    bomb.write_all(&mut claimed).unwrap();
    assert_eq!(
        standard.deidentify(&claimed, Pixels::Searched).err(),
        Some(IntakeReason::SizeBomb)
    );
}
