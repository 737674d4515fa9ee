//! The allow-list: every attribute that is read at all, and what becomes of it. What is not listed here is removed, at
//! every level, standard or private. (PS3.15 annex E lists known risks and does not say that the rest is safe.)

use dicom_core::Tag;
use dicom_dictionary_std::tags;

/// The edition of this list, which stands in every [`super::evidence::Evidence`].
pub(crate) const EDITION: u16 = 3;

/// What becomes of an attribute that is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rule {
    /// Decides whether the file is a radiograph, or becomes a term of the closed vocabulary.
    Vocabulary,
    /// Becomes a label (or a part of one); the value itself is dropped.
    Label,
    /// Describes the stored pixels.
    Pixels,
    /// Replaced by a keyed pseudonym.
    Pseudonym,
}

/// The rule for a top-level attribute; `None` removes it.
pub(crate) fn rule(tag: Tag) -> Option<Rule> {
    Some(match tag {
        tags::SOP_CLASS_UID
        | tags::DIRECTORY_RECORD_SEQUENCE
        | tags::MODALITY
        | tags::IMAGE_TYPE
        | tags::MANUFACTURER
        | tags::PRESENTATION_INTENT_TYPE
        | tags::DETECTOR_TYPE
        | tags::GRID
        | tags::KVP
        | tags::EXPOSURE
        | tags::IMAGER_PIXEL_SPACING
        | tags::PIXEL_SPACING
        | tags::PATIENT_ORIENTATION
        | tags::LOSSY_IMAGE_COMPRESSION
        | tags::LOSSY_IMAGE_COMPRESSION_METHOD
        | tags::LOSSY_IMAGE_COMPRESSION_RATIO
        | tags::BURNED_IN_ANNOTATION => Rule::Vocabulary,

        tags::SPECIFIC_CHARACTER_SET
        | tags::BODY_PART_EXAMINED
        | tags::ANATOMIC_REGION_SEQUENCE
        | tags::VIEW_POSITION
        | tags::VIEW_CODE_SEQUENCE
        | tags::IMAGE_LATERALITY
        | tags::LATERALITY
        | tags::PATIENT_SEX
        | tags::PATIENT_AGE
        | tags::PATIENT_BIRTH_DATE
        | tags::STUDY_DATE
        | tags::SERIES_DATE
        | tags::ACQUISITION_DATE
        | tags::CONTENT_DATE
        | tags::STUDY_DESCRIPTION
        | tags::SERIES_DESCRIPTION
        | tags::PROTOCOL_NAME
        | tags::PERFORMED_PROCEDURE_STEP_DESCRIPTION
        | tags::REQUESTED_PROCEDURE_DESCRIPTION
        | tags::ACQUISITION_DEVICE_PROCESSING_DESCRIPTION => Rule::Label,

        tags::SAMPLES_PER_PIXEL
        | tags::PLANAR_CONFIGURATION
        | tags::PHOTOMETRIC_INTERPRETATION
        | tags::NUMBER_OF_FRAMES
        | tags::ROWS
        | tags::COLUMNS
        | tags::BITS_ALLOCATED
        | tags::BITS_STORED
        | tags::HIGH_BIT
        | tags::PIXEL_REPRESENTATION
        | tags::PIXEL_PADDING_VALUE
        | tags::PIXEL_PADDING_RANGE_LIMIT
        | tags::RESCALE_SLOPE
        | tags::RESCALE_INTERCEPT
        | tags::MODALITY_LUT_SEQUENCE
        | tags::PIXEL_DATA => Rule::Pixels,

        tags::PATIENT_ID
        | tags::STUDY_INSTANCE_UID
        | tags::SERIES_INSTANCE_UID
        | tags::SOP_INSTANCE_UID
        | tags::ACCESSION_NUMBER => Rule::Pseudonym,

        _ => return None,
    })
}

/// The rule for an attribute in the first level of the top-level sequence `sequence`, or of one that [`within`] names.
pub(crate) fn nested_rule(sequence: Tag, tag: Tag) -> Option<Rule> {
    match (sequence, tag) {
        (
            tags::ANATOMIC_REGION_SEQUENCE | tags::VIEW_CODE_SEQUENCE,
            tags::CODE_VALUE | tags::CODING_SCHEME_DESIGNATOR,
        ) => Some(Rule::Label),
        (tags::MODALITY_LUT_SEQUENCE, tags::LUT_DESCRIPTOR | tags::LUT_DATA) => Some(Rule::Pixels),
        (tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, tags::RESCALE_SLOPE | tags::RESCALE_INTERCEPT) => {
            Some(Rule::Pixels)
        }
        _ => None,
    }
}

/// The one sequence inside another that is read: the modality transform of the first frame, where it lies in the functional groups
/// (PS3.3 C.7.6.16). `outer` is the top-level sequence and the item in it.
pub(crate) fn within(outer: (Tag, u32), tag: Tag) -> Option<Tag> {
    let is_read = matches!(
        outer,
        (
            tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE | tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
            0
        )
    );
    (is_read && tag == tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_names_a_person_or_a_place_has_a_rule() {
        for tag in [
            tags::PATIENT_NAME,
            tags::PATIENT_ADDRESS,
            tags::INSTITUTION_NAME,
            tags::REFERRING_PHYSICIAN_NAME,
            tags::STATION_NAME,
            tags::DEVICE_SERIAL_NUMBER,
            tags::STUDY_ID,
            tags::ORIGINAL_ATTRIBUTES_SEQUENCE,
            tags::IMAGE_COMMENTS,
            Tag(0x0009, 0x1010),
            Tag(0x6000, 0x3000),
        ] {
            assert_eq!(rule(tag), None, "{tag}");
        }
    }

    #[test]
    fn a_rule_holds_at_its_own_level_only() {
        assert_eq!(nested_rule(tags::OTHER_PATIENT_I_DS_SEQUENCE, tags::PATIENT_ID), None);
        assert_eq!(nested_rule(tags::VIEW_CODE_SEQUENCE, tags::CODE_MEANING), None);
    }
}
