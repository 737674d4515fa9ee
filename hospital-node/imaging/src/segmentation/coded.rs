//! Coded terms (PS3.3 section 8.8), and those that every segmentation of a model has.

use dicom_core::{DataElement, Tag, VR, header::Length, value::DataSetSequence};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use serde::{Deserialize, Serialize};

/// Most characters of a short string (PS3.5 table 6.2-1).
const SHORT_STRING_CHARACTERS_MAX: usize = 16;

/// A term of a coding scheme.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// Its code, such as `85756007`.
    pub value: String,
    /// Its scheme, such as `SCT` for SNOMED CT.
    pub scheme: String,
    /// What it means, for people.
    pub meaning: String,
}

/// A term that DICOM cannot hold.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{field} of a code must be 1 to {characters} characters without a backslash")]
pub struct CodeError {
    field: &'static str,
    characters: usize,
}

impl Code {
    /// Tissue, of which nobody said more: both the category and the type of a segment without codes of its own.
    #[must_use]
    pub fn tissue() -> Self {
        known("85756007", "SCT", "Tissue")
    }

    /// Looks whether DICOM can hold it.
    ///
    /// # Errors
    /// [`CodeError`] names what it cannot.
    pub fn check(&self) -> Result<(), CodeError> {
        for (field, text, characters) in [
            ("value", &self.value, SHORT_STRING_CHARACTERS_MAX),
            ("scheme", &self.scheme, SHORT_STRING_CHARACTERS_MAX),
            ("meaning", &self.meaning, super::LONG_STRING_CHARACTERS_MAX),
        ] {
            let is_plain = !text.trim().is_empty() && !text.contains(|one: char| one == '\\' || one.is_control());
            if !is_plain || text.chars().count() > characters {
                return Err(CodeError { field, characters });
            }
        }
        Ok(())
    }

    pub(super) fn item(&self) -> InMemDicomObject {
        InMemDicomObject::from_element_iter([
            DataElement::new(tags::CODE_VALUE, VR::SH, self.value.as_str()),
            DataElement::new(tags::CODING_SCHEME_DESIGNATOR, VR::SH, self.scheme.as_str()),
            DataElement::new(tags::CODE_MEANING, VR::LO, self.meaning.as_str()),
        ])
    }
}

/// Of CID 7162, the families of algorithms.
pub(super) fn family() -> Code {
    known("123110", "DCM", "Artificial Intelligence")
}

/// Of CID 7203, how pixels were derived.
pub(super) fn derivation() -> Code {
    known("113076", "DCM", "Segmentation")
}

/// Of CID 7202, what the radiograph was to it.
pub(super) fn purpose() -> Code {
    known("121322", "DCM", "Source image for image processing operation")
}

fn known(value: &str, scheme: &str, meaning: &str) -> Code {
    Code {
        value: value.to_owned(),
        scheme: scheme.to_owned(),
        meaning: meaning.to_owned(),
    }
}

/// A sequence of these items.
pub(super) fn sequence(tag: Tag, items: impl IntoIterator<Item = InMemDicomObject>) -> DataElement<InMemDicomObject> {
    let items: Vec<_> = items.into_iter().collect();
    DataElement::new(tag, VR::SQ, DataSetSequence::new(items, Length::UNDEFINED))
}
