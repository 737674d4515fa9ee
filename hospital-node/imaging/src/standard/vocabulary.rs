//! Attributes whose values come from a closed list of the standard, so that an auditor may be shown what stands in them.

use std::collections::BTreeMap;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::from_reader;

/// Defined terms and enumerated values of PS3.3 (sections C.7 and C.8) and PS3.16 (CID 4, 2, 4009), as code strings. A value
/// that is none of them is counted, and never told.
const TERMS: [(Tag, &[&str]); 30] = [
    (
        tags::MODALITY,
        &["CR", "DX", "MG", "IO", "PX", "RG", "RF", "XA", "DR", "OT"],
    ),
    (tags::PATIENT_SEX, &["M", "F", "O"]),
    (tags::IMAGE_TYPE, &["ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY"]),
    (tags::PHOTOMETRIC_INTERPRETATION, &["MONOCHROME1", "MONOCHROME2"]),
    (tags::PRESENTATION_INTENT_TYPE, &["FOR PRESENTATION", "FOR PROCESSING"]),
    (
        tags::BODY_PART_EXAMINED,
        &[
            "ABDOMEN",
            "ANKLE",
            "ARM",
            "BREAST",
            "CALCANEUS",
            "CHEST",
            "CLAVICLE",
            "CSPINE",
            "ELBOW",
            "EXTREMITY",
            "FEMUR",
            "FOOT",
            "FOREARM",
            "HAND",
            "HEAD",
            "HIP",
            "HUMERUS",
            "JAW",
            "KNEE",
            "LEG",
            "LSPINE",
            "NECK",
            "PATELLA",
            "PELVIS",
            "RIB",
            "SHOULDER",
            "SKULL",
            "SPINE",
            "STERNUM",
            "TIBIA",
            "TSPINE",
            "WRIST",
        ],
    ),
    (
        tags::VIEW_POSITION,
        &[
            "AP", "PA", "LL", "RL", "RLD", "LLD", "RLO", "LLO", "LAT", "LATERAL", "OBLIQUE",
        ],
    ),
    (tags::LATERALITY, &["L", "R", "B", "U"]),
    (tags::IMAGE_LATERALITY, &["L", "R", "B", "U"]),
    (tags::BURNED_IN_ANNOTATION, &["YES", "NO"]),
    (tags::PATIENT_IDENTITY_REMOVED, &["YES", "NO"]),
    (
        tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
        &["UNMODIFIED", "MODIFIED", "REMOVED"],
    ),
    (tags::LOSSY_IMAGE_COMPRESSION, &["00", "01"]),
    (
        tags::LOSSY_IMAGE_COMPRESSION_METHOD,
        &[
            "ISO_10918_1",
            "ISO_14495_1",
            "ISO_15444_1",
            "ISO_15444_15",
            "ISO_18181_1",
        ],
    ),
    (tags::DETECTOR_TYPE, &["DIRECT", "SCINTILLATOR", "STORAGE", "FILM"]),
    (tags::DETECTOR_CONFIGURATION, &["AREA", "SLOT"]),
    (tags::RESCALE_TYPE, &["OD", "HU", "US", "MGML", "Z_EFF", "ED"]),
    (tags::PIXEL_INTENSITY_RELATIONSHIP, &["LIN", "LOG", "DISP"]),
    (tags::PRESENTATION_LUT_SHAPE, &["IDENTITY", "INVERSE"]),
    (tags::VOILUT_FUNCTION, &["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
    (tags::QUALITY_CONTROL_IMAGE, &["YES", "NO", "BOTH"]),
    (
        tags::CONVERSION_TYPE,
        &["DV", "DI", "DF", "WSD", "SD", "SI", "DRW", "SYN"],
    ),
    (tags::EXPOSURE_CONTROL_MODE, &["MANUAL", "AUTOMATIC"]),
    (
        tags::POSITIONER_TYPE,
        &[
            "CARM",
            "COLUMN",
            "MAMMOGRAPHIC",
            "PANORAMIC",
            "CEPHALOSTAT",
            "RIGID",
            "NONE",
        ],
    ),
    (
        tags::GRID,
        &[
            "FIXED",
            "RECIPROCATING",
            "PARALLEL",
            "CROSSED",
            "FOCUSED",
            "NONE",
            "IN",
            "HC",
            "MOVING",
        ],
    ),
    (tags::FIELD_OF_VIEW_SHAPE, &["RECTANGLE", "ROUND", "HEXAGONAL"]),
    (tags::DETECTOR_ACTIVE_SHAPE, &["RECTANGLE", "ROUND", "HEXAGONAL"]),
    (tags::COLLIMATOR_SHAPE, &["RECTANGULAR", "CIRCULAR", "POLYGONAL"]),
    (
        tags::FILTER_TYPE,
        &["STRIP", "WEDGE", "BUTTERFLY", "MULTIPLE", "FLAT", "NONE"],
    ),
    (
        tags::PATIENT_ORIENTATION,
        &[
            "A", "P", "L", "R", "H", "F", "AL", "AR", "PL", "PR", "LH", "RH", "LF", "RF",
        ],
    ),
];

/// What a file holds where only a closed list may stand: for each attribute the term of each value, `None` for one that is on
/// no list. Terms are those of this program, so nothing that a file says can come out. `None` for what does not read.
#[must_use]
pub fn closed_terms(file: &[u8]) -> Option<BTreeMap<snowball_confidentiality::Tag, Vec<Option<&'static str>>>> {
    let object = from_reader(file).ok()?;
    let found = TERMS.iter().filter_map(|(tag, terms)| {
        let text = object.get(*tag)?.to_str().ok()?;
        let values = text.split('\\').map(|value| value.trim_matches([' ', '\0']));
        let values: Vec<_> = values
            .filter(|value| !value.is_empty())
            .map(|value| terms.iter().find(|term| **term == value).copied())
            .collect();
        (!values.is_empty()).then(|| (super::apply::ours(*tag), values))
    });
    Some(found.collect())
}

/// Whether values of `tag` come from a closed list.
#[must_use]
pub fn is_closed(tag: snowball_confidentiality::Tag) -> bool {
    TERMS.iter().any(|(listed, _)| super::apply::ours(*listed) == tag)
}

#[cfg(test)]
mod tests {
    use dicom_core::{DataElement, PrimitiveValue, VR};
    use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

    use super::*;

    #[test]
    fn a_term_of_the_list_comes_out_and_a_name_never() {
        let text = |tag, value: &str| DataElement::new(tag, VR::CS, PrimitiveValue::from(value));
        let object = InMemDicomObject::from_element_iter([
            text(tags::SOP_CLASS_UID, "1.2.840.10008.5.1.4.1.1.1"),
            text(tags::SOP_INSTANCE_UID, "1.2.3"),
            text(tags::MODALITY, "CR "),
            text(tags::BODY_PART_EXAMINED, "TREMBLAY"),
            text(tags::IMAGE_TYPE, "ORIGINAL\\PRIMARY\\TREMBLAY"),
        ]);
        let meta = FileMetaTableBuilder::new().transfer_syntax("1.2.840.10008.1.2.1");
        let mut file = Vec::new();
        object.with_meta(meta).unwrap().write_all(&mut file).unwrap();
        let terms = closed_terms(&file).unwrap();
        let of = |tag: Tag| terms[&super::super::apply::ours(tag)].clone();
        assert_eq!(of(tags::MODALITY), [Some("CR")]);
        assert_eq!(of(tags::BODY_PART_EXAMINED), [None]);
        assert_eq!(of(tags::IMAGE_TYPE), [Some("ORIGINAL"), Some("PRIMARY"), None]);
        assert!(closed_terms(b"no file").is_none());
        assert!(is_closed(super::super::apply::ours(tags::MODALITY)));
        assert!(!is_closed(super::super::apply::ours(tags::STUDY_DESCRIPTION)));
    }

    #[test]
    fn terms_are_code_strings() {
        for term in TERMS.iter().flat_map(|(_, terms)| *terms) {
            assert!(super::super::values::is_of_form(VR::CS, term), "{term}");
        }
    }
}
