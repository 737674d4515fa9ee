//! What a de-identified file says of itself (PS3.15 section E.1.1, PS3.3 C.7.1.1 and C.7.6.1).

use dicom_core::{DataElement, PrimitiveValue, VR, header::Length, value::DataSetSequence};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use snowball_confidentiality::{AttributeType, EDITION, Profile, ProfileOption};
use snowball_protocol::Sha256Digest;

use super::Pixels;

/// Writes method, options and what became of dates and pixels into `object`.
pub(super) fn stamp(
    object: &mut InMemDicomObject,
    profile: &Profile,
    policy: &Sha256Digest,
    pixels: Pixels,
    burned_in: Option<AttributeType>,
) {
    let mut put = |tag, vr, value: PrimitiveValue| drop(object.put(DataElement::new(tag, vr, value)));
    put(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192".into());
    put(tags::PATIENT_IDENTITY_REMOVED, VR::CS, "YES".into());
    // A value of LO has 64 characters, as many as the digest has digits.
    let digest = policy.to_string();
    let method = vec![
        format!("PS3.15 {EDITION} Annex E with the list of the SOP class"),
        format!("Snowball {}", env!("CARGO_PKG_VERSION")),
        digest.strip_prefix("sha256:").unwrap_or(&digest).to_owned(),
    ];
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
        Pixels::Verified => put(tags::BURNED_IN_ANNOTATION, VR::CS, "NO".into()),
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

/// Items of CID 7050 (PS3.16).
fn method_codes(profile: &Profile, pixels: Pixels) -> Vec<InMemDicomObject> {
    let basic = ("113100", "Basic Application Confidentiality Profile");
    let cleaned = (pixels == Pixels::Verified).then_some(("113101", "Clean Pixel Data Option"));
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
