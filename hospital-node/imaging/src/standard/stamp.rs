//! What a de-identified file says of itself (PS3.15 section E.1.1, PS3.3 C.7.1.1 and C.7.6.1).

use dicom_core::{DataElement, PrimitiveValue, VR, header::Length, value::DataSetSequence};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use snowball_confidentiality::{AttributeType, EDITION, Profile, ProfileOption};
use snowball_protocol::Sha256Digest;

use super::{Pixels, redact::Looked};

/// What is to be said of a file.
pub(super) struct Said<'a> {
    pub(super) policy: &'a Sha256Digest,
    pub(super) pixels: Pixels,
    /// What the class demands of `BurnedInAnnotation`.
    pub(super) burned_in: Option<AttributeType>,
    /// Areas that were filled, where the pixels were searched.
    pub(super) areas: Option<usize>,
}

/// Writes method, options and what became of dates and pixels into `object`.
pub(super) fn stamp(object: &mut InMemDicomObject, profile: &Profile, said: &Said<'_>) {
    let (pixels, burned_in) = (said.pixels, said.burned_in);
    let mut put = |tag, vr, value: PrimitiveValue| drop(object.put(DataElement::new(tag, vr, value)));
    put(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192".into());
    put(tags::PATIENT_IDENTITY_REMOVED, VR::CS, "YES".into());
    let mut method = vec![
        format!("PS3.15 {EDITION} Annex E with the list of the SOP class"),
        format!("Snowball {}", env!("CARGO_PKG_VERSION")),
    ];
    method.extend(said.areas.map(|areas| match areas {
        0 => "Pixels searched for burned-in text, none found".to_owned(),
        areas => format!("Burned-in text filled in {areas} areas, none found again"),
    }));
    // A value of LO has 64 characters, as many as the digest has digits.
    let digest = said.policy.to_string();
    method.push(digest.strip_prefix("sha256:").unwrap_or(&digest).to_owned());
    put(
        tags::DEIDENTIFICATION_METHOD,
        VR::LO,
        PrimitiveValue::Strs(method.into()),
    );
    let dates = if profile.has(ProfileOption::RetainLongitudinalModifiedDates) {
        "MODIFIED"
    } else if profile.has(ProfileOption::RetainLongitudinalFullDates) {
        "UNMODIFIED"
    } else {
        "REMOVED"
    };
    put(tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED, VR::CS, dates.into());
    let demanded = matches!(burned_in, Some(AttributeType::Required | AttributeType::Conditional));
    match pixels {
        Pixels::Verified | Pixels::Searched => put(tags::BURNED_IN_ANNOTATION, VR::CS, "NO".into()),
        // Where the class demands an answer and nobody looked, the answer is not NO.
        Pixels::NotVerified if demanded => put(tags::BURNED_IN_ANNOTATION, VR::CS, "YES".into()),
        Pixels::NotVerified => {
            object.remove_element(tags::BURNED_IN_ANNOTATION);
        }
    }
    let codes = DataSetSequence::new(method_codes(profile, pixels), Length::UNDEFINED);
    object.put(DataElement::new(
        tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE,
        VR::SQ,
        codes,
    ));
}

/// What stands of the values of pixels that were filled (PS3.3 C.7.6.3): the smallest and largest of them, where the file
/// names them.
pub(super) fn describe_filled(object: &mut InMemDicomObject, looked: &Looked) {
    for (tag, value) in [
        (tags::SMALLEST_IMAGE_PIXEL_VALUE, looked.range.0),
        (tags::LARGEST_IMAGE_PIXEL_VALUE, looked.range.1),
    ] {
        if object.get(tag).is_some() {
            let (vr, value) = match u16::try_from(value) {
                Ok(value) if looked.range.0 >= 0 => (VR::US, PrimitiveValue::from(value)),
                _ => (VR::SS, PrimitiveValue::from(value as i16)),
            };
            object.put(DataElement::new(tag, vr, value));
        }
    }
}

/// What must be said of native words: where their bits stand, and how they were coded with loss before, for that does not
/// end with the coding (PS3.3 C.7.6.1.1.5).
pub(super) fn describe_native(object: &mut InMemDicomObject, looked: &Looked) {
    let high_bit = PrimitiveValue::from(looked.high_bit);
    object.put(DataElement::new(tags::HIGH_BIT, VR::US, high_bit));
    let Some((method, ratio)) = looked.lossy else { return };
    object.put(DataElement::new(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "01"));
    let ratio = format!("{ratio:.2}");
    for (tag, vr, value) in [
        (tags::LOSSY_IMAGE_COMPRESSION_RATIO, VR::DS, ratio.as_str()),
        (tags::LOSSY_IMAGE_COMPRESSION_METHOD, VR::CS, method.term()),
    ] {
        let is_named = object
            .get(tag)
            .and_then(|element| element.to_str().ok())
            .is_some_and(|text| !text.trim().is_empty());
        if !is_named {
            object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
        }
    }
}

/// Items of CID 7050 (PS3.16).
fn method_codes(profile: &Profile, pixels: Pixels) -> Vec<InMemDicomObject> {
    let basic = ("113100", "Basic Application Confidentiality Profile");
    let cleaned = (pixels != Pixels::NotVerified).then_some(("113101", "Clean Pixel Data Option"));
    let options = profile.options().map(ProfileOption::method_code);
    std::iter::once(basic)
        .chain(cleaned)
        .chain(options)
        .map(|(value, meaning)| {
            InMemDicomObject::from_element_iter([
                DataElement::new(tags::CODE_VALUE, VR::SH, value),
                DataElement::new(tags::CODING_SCHEME_DESIGNATOR, VR::SH, "DCM"),
                DataElement::new(tags::CODE_MEANING, VR::LO, meaning),
            ])
        })
        .collect()
}
