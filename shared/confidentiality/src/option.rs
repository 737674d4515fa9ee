//! The options of the basic profile (PS3.15 section E.3).

use serde::{Deserialize, Serialize};

/// An option of PS3.15 section E.3, in the order of the columns of table E.1-1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileOption {
    /// E.3.10: private attributes that the local rules name are kept.
    RetainSafePrivate,
    /// E.3.9: UIDs stay as they are.
    RetainUids,
    /// E.3.8: station, device and detector identity.
    RetainDeviceIdentity,
    /// E.3.11: institution identity.
    RetainInstitutionIdentity,
    /// E.3.7: sex, age, size, weight.
    RetainPatientCharacteristics,
    /// E.3.6: dates and times as they are.
    RetainLongitudinalFullDates,
    /// E.3.6: dates moved by whole days, the same for all of a patient.
    RetainLongitudinalModifiedDates,
    /// E.3.5: descriptions, with what is not of a closed vocabulary taken out.
    CleanDescriptors,
    /// E.3.4: structured content.
    CleanStructuredContent,
    /// E.3.3: overlays and annotations.
    CleanGraphics,
}

impl ProfileOption {
    /// Every option, in the order of the columns.
    pub const ALL: [Self; 10] = [
        Self::RetainSafePrivate,
        Self::RetainUids,
        Self::RetainDeviceIdentity,
        Self::RetainInstitutionIdentity,
        Self::RetainPatientCharacteristics,
        Self::RetainLongitudinalFullDates,
        Self::RetainLongitudinalModifiedDates,
        Self::CleanDescriptors,
        Self::CleanStructuredContent,
        Self::CleanGraphics,
    ];

    /// The option as written in policies.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::RetainSafePrivate => "retain-safe-private",
            Self::RetainUids => "retain-uids",
            Self::RetainDeviceIdentity => "retain-device-identity",
            Self::RetainInstitutionIdentity => "retain-institution-identity",
            Self::RetainPatientCharacteristics => "retain-patient-characteristics",
            Self::RetainLongitudinalFullDates => "retain-longitudinal-full-dates",
            Self::RetainLongitudinalModifiedDates => "retain-longitudinal-modified-dates",
            Self::CleanDescriptors => "clean-descriptors",
            Self::CleanStructuredContent => "clean-structured-content",
            Self::CleanGraphics => "clean-graphics",
        }
    }

    /// Code value and meaning in CID 7050 (PS3.16), for De-identification Method Code Sequence.
    #[must_use]
    pub const fn method_code(self) -> (&'static str, &'static str) {
        match self {
            Self::CleanGraphics => ("113103", "Clean Graphics Option"),
            Self::CleanStructuredContent => ("113104", "Clean Structured Content Option"),
            Self::CleanDescriptors => ("113105", "Clean Descriptors Option"),
            Self::RetainLongitudinalFullDates => {
                ("113106", "Retain Longitudinal Temporal Information Full Dates Option")
            }
            Self::RetainLongitudinalModifiedDates => (
                "113107",
                "Retain Longitudinal Temporal Information Modified Dates Option",
            ),
            Self::RetainPatientCharacteristics => ("113108", "Retain Patient Characteristics Option"),
            Self::RetainDeviceIdentity => ("113109", "Retain Device Identity Option"),
            Self::RetainUids => ("113110", "Retain UIDs Option"),
            Self::RetainSafePrivate => ("113111", "Retain Safe Private Option"),
            Self::RetainInstitutionIdentity => ("113112", "Retain Institution Identity Option"),
        }
    }
}
