//! Labels by a chain of evidence: attribute, coded sequence, dictionary over descriptions, unknown. A contradiction is
//! unknown too; nothing is guessed.

mod age;
pub(crate) mod dictionary;
pub(crate) mod fold;

use std::collections::{BTreeMap, BTreeSet};

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use snowball_protocol::labels::{BodyPart, Labels, Laterality, Sex, View};

use crate::{
    deidentify::evidence::{LabelSource, LabelSources},
    read::DicomFile,
};
use dictionary::{Dictionary, Reading};

/// Free texts that describe what was examined, the most particular first.
const DESCRIPTIONS: [Tag; 6] = [
    tags::SERIES_DESCRIPTION,
    tags::PROTOCOL_NAME,
    tags::PERFORMED_PROCEDURE_STEP_DESCRIPTION,
    tags::ACQUISITION_DEVICE_PROCESSING_DESCRIPTION,
    tags::STUDY_DESCRIPTION,
    tags::REQUESTED_PROCEDURE_DESCRIPTION,
];
const EXAMINATION_DATES: [Tag; 4] = [
    tags::STUDY_DATE,
    tags::ACQUISITION_DATE,
    tags::CONTENT_DATE,
    tags::SERIES_DATE,
];

/// Labels and where each came from.
#[derive(Debug, Default)]
pub(crate) struct Labelled {
    pub(crate) labels: Labels,
    pub(crate) sources: LabelSources,
}

impl Labelled {
    /// Reads the labels that the header of `file` supports.
    pub(crate) fn read(file: &DicomFile<'_>, dictionary: &Dictionary) -> Self {
        let descriptions: Vec<Reading> = DESCRIPTIONS
            .iter()
            .filter_map(|tag| file.text(*tag))
            .map(|text| dictionary.read(&text))
            .collect();
        let (body_part, body_part_source) = body_part(file, dictionary, &descriptions);
        let (view, view_source) = view(file, dictionary, &descriptions);
        let (laterality, laterality_source) = laterality(file, dictionary, &descriptions);
        let sex = match file
            .text(tags::PATIENT_SEX)
            .map(|code| code.to_ascii_uppercase())
            .as_deref()
        {
            Some("F") => Some(Sex::Female),
            Some("M") => Some(Sex::Male),
            _ => None,
        };
        let examined = EXAMINATION_DATES.iter().find_map(|tag| file.text(*tag));
        let (age_years, age_source) = age::years(
            file.text(tags::PATIENT_AGE).as_deref(),
            file.text(tags::PATIENT_BIRTH_DATE).as_deref(),
            examined.as_deref(),
        );
        Self {
            labels: Labels {
                body_part,
                view,
                laterality,
                sex,
                age_years,
                site: BTreeMap::new(),
            },
            sources: LabelSources {
                body_part: body_part_source,
                view: view_source,
                laterality: laterality_source,
                sex: if sex.is_some() {
                    LabelSource::Attribute
                } else {
                    LabelSource::Nothing
                },
                age: age_source,
            },
        }
    }
}

/// The attribute or the code names the part, and no description may name another one; else the descriptions do.
fn body_part(
    file: &DicomFile<'_>,
    dictionary: &Dictionary,
    descriptions: &[Reading],
) -> (Option<BodyPart>, LabelSource) {
    let attribute = file
        .text(tags::BODY_PART_EXAMINED)
        .and_then(|text| dictionary.read_term(&text).body_part());
    let codes: BTreeSet<_> = codes(file, tags::ANATOMIC_REGION_SEQUENCE)
        .iter()
        .filter_map(|code| dictionary.body_part_of_code(code))
        .collect();
    let code = if codes.len() == 1 { codes.first().copied() } else { None };
    let named: Vec<&BTreeSet<BodyPart>> = descriptions
        .iter()
        .map(|reading| &reading.body_parts)
        .filter(|parts| !parts.is_empty())
        .collect();
    let (mut found, source) = match (attribute, code) {
        (Some(attribute), Some(code)) => match narrower(attribute, code) {
            Some(part) => (part, LabelSource::Attribute),
            None => return (None, LabelSource::Conflict),
        },
        (Some(part), None) => (part, LabelSource::Attribute),
        (None, Some(part)) => (part, LabelSource::Code),
        (None, None) => return from_descriptions(&named),
    };
    for parts in named {
        // A description may list several parts; one of them must agree, and a narrower one says more.
        let mut agreeing = parts.iter().filter_map(|part| narrower(found, *part));
        match (agreeing.next(), agreeing.next()) {
            (Some(part), None) => found = part,
            (Some(_), Some(_)) => {}
            (None, _) => return (None, LabelSource::Conflict),
        }
    }
    (Some(found), source)
}

fn from_descriptions(named: &[&BTreeSet<BodyPart>]) -> (Option<BodyPart>, LabelSource) {
    let mut found: Option<BodyPart> = None;
    for parts in named {
        let Some(part) = dictionary::only(parts) else {
            continue;
        };
        found = match found {
            None => Some(part),
            Some(other) => match narrower(other, part) {
                Some(part) => Some(part),
                None => return (None, LabelSource::Conflict),
            },
        };
    }
    (
        found,
        if found.is_some() {
            LabelSource::Description
        } else {
            LabelSource::Nothing
        },
    )
}

/// The more particular of two parts that are one inside the other; `None` if they are different parts.
fn narrower(one: BodyPart, other: BodyPart) -> Option<BodyPart> {
    use BodyPart::{CervicalSpine, Chest, Hip, LumbarSpine, Pelvis, Ribs, Spine, ThoracicSpine};
    match (one, other) {
        _ if one == other => Some(one),
        (Spine, part @ (CervicalSpine | ThoracicSpine | LumbarSpine))
        | (part @ (CervicalSpine | ThoracicSpine | LumbarSpine), Spine)
        | (Chest, part @ Ribs)
        | (part @ Ribs, Chest)
        | (Pelvis, part @ Hip)
        | (part @ Hip, Pelvis) => Some(part),
        _ => None,
    }
}

fn view(file: &DicomFile<'_>, dictionary: &Dictionary, descriptions: &[Reading]) -> (Option<View>, LabelSource) {
    let attribute = file
        .text(tags::VIEW_POSITION)
        .and_then(|text| dictionary.read_term(&text).view());
    if attribute.is_some() {
        return (attribute, LabelSource::Attribute);
    }
    let codes: BTreeSet<_> = codes(file, tags::VIEW_CODE_SEQUENCE)
        .iter()
        .filter_map(|code| dictionary.view_of_code(code))
        .collect();
    if codes.len() == 1 {
        return (codes.first().copied(), LabelSource::Code);
    }
    agreed(descriptions.iter().filter_map(Reading::view))
}

fn laterality(
    file: &DicomFile<'_>,
    dictionary: &Dictionary,
    descriptions: &[Reading],
) -> (Option<Laterality>, LabelSource) {
    for tag in [tags::IMAGE_LATERALITY, tags::LATERALITY] {
        match file.text(tag).map(|code| code.to_ascii_uppercase()).as_deref() {
            Some("L") => return (Some(Laterality::Left), LabelSource::Attribute),
            Some("R") => return (Some(Laterality::Right), LabelSource::Attribute),
            Some("B") => return (Some(Laterality::Both), LabelSource::Attribute),
            // "Unpaired" is an answer: no description overrules it.
            Some("U") => return (None, LabelSource::Attribute),
            _ => {}
        }
    }
    let term = file
        .text(tags::BODY_PART_EXAMINED)
        .map(|text| dictionary.read_term(&text));
    agreed(descriptions.iter().chain(term.as_ref()).filter_map(Reading::laterality))
}

/// The one value that all of `found` name.
fn agreed<T: Ord + Copy>(found: impl Iterator<Item = T>) -> (Option<T>, LabelSource) {
    let values: BTreeSet<T> = found.collect();
    match values.len() {
        0 => (None, LabelSource::Nothing),
        1 => (values.first().copied(), LabelSource::Description),
        _ => (None, LabelSource::Conflict),
    }
}

/// Code values of a sequence, without those of private schemes.
fn codes(file: &DicomFile<'_>, sequence: Tag) -> Vec<String> {
    let schemes = file.item_texts(sequence, tags::CODING_SCHEME_DESIGNATOR);
    let values = file.item_texts(sequence, tags::CODE_VALUE);
    let public = |scheme: &Option<String>| {
        scheme
            .as_deref()
            .is_none_or(|scheme| matches!(scheme, "SCT" | "SRT" | "SNM3" | "99SDM"))
    };
    let pairs = values.into_iter().zip(schemes);
    pairs
        .filter(|(_, scheme)| public(scheme))
        .filter_map(|(value, _)| value)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrower_parts_say_more_and_other_parts_contradict() {
        assert_eq!(
            narrower(BodyPart::Spine, BodyPart::LumbarSpine),
            Some(BodyPart::LumbarSpine)
        );
        assert_eq!(narrower(BodyPart::LumbarSpine, BodyPart::CervicalSpine), None);
        assert_eq!(narrower(BodyPart::Chest, BodyPart::Knee), None);
    }

    #[test]
    fn descriptions_that_disagree_name_nothing() {
        let dictionary = Dictionary::standard();
        let [knee, hand, both] = ["KNEE AP", "MAIN", "knee and hand"].map(|text| dictionary.read(text).body_parts);
        assert_eq!(from_descriptions(&[&knee, &hand]), (None, LabelSource::Conflict));
        assert_eq!(
            from_descriptions(&[&both, &hand]),
            (Some(BodyPart::Hand), LabelSource::Description)
        );
        assert_eq!(from_descriptions(&[]), (None, LabelSource::Nothing));
    }
}
