//! Is it a radiograph? An allow-list of SOP classes (PS3.4 annex B) with the modalities that belong to each.

use dicom_dictionary_std::tags;
use snowball_protocol::intake::IntakeReason;

use crate::{
    deidentify::acquisition::{Modality, ObjectClass},
    read::DicomFile,
};

const DICOMDIR: &str = "1.2.840.10008.1.3.10";
/// Structured reports, presentation states, encapsulated documents: roots of their SOP classes.
const DOCUMENT_ROOTS: [&str; 3] = [
    "1.2.840.10008.5.1.4.1.1.88.",
    "1.2.840.10008.5.1.4.1.1.11.",
    "1.2.840.10008.5.1.4.1.1.104.",
];

/// What kind of radiograph `file` says it is, or why it is none.
pub(crate) fn radiograph(file: &DicomFile<'_>) -> Result<(ObjectClass, Option<Modality>), IntakeReason> {
    let class = file
        .text(tags::SOP_CLASS_UID)
        .or_else(|| file.media_class.clone())
        .unwrap_or_default();
    if class == DICOMDIR
        || file.media_class.as_deref() == Some(DICOMDIR)
        || file.dataset.holds(tags::DIRECTORY_RECORD_SEQUENCE)
    {
        return Err(IntakeReason::Dicomdir);
    }
    if DOCUMENT_ROOTS.iter().any(|root| class.starts_with(root)) {
        return Err(IntakeReason::Document);
    }
    let class = ObjectClass::from_uid(&class).ok_or(IntakeReason::SopClass)?;
    let named = file.text(tags::MODALITY);
    let modality = named.as_deref().map(str::trim).and_then(Modality::from_code);
    if named.is_some() && modality.is_none() {
        return Err(IntakeReason::Modality);
    }
    if belongs(class, modality) {
        Ok((class, modality))
    } else {
        Err(IntakeReason::Modality)
    }
}

/// True if objects of `class` may carry `modality`. Secondary capture holds anything, so it must say that it is a
/// radiograph; the others are radiographs by their class.
fn belongs(class: ObjectClass, modality: Option<Modality>) -> bool {
    match class {
        ObjectClass::SecondaryCapture => {
            matches!(
                modality,
                Some(Modality::ComputedRadiography | Modality::DigitalRadiography | Modality::RadiographicImaging)
            )
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secondary_capture_must_say_that_it_is_a_radiograph() {
        assert!(!belongs(ObjectClass::SecondaryCapture, None));
        assert!(!belongs(ObjectClass::SecondaryCapture, Some(Modality::Mammography)));
        assert!(belongs(
            ObjectClass::SecondaryCapture,
            Some(Modality::RadiographicImaging)
        ));
        assert!(belongs(ObjectClass::ComputedRadiography, None));
    }
}
