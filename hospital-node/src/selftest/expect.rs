//! What must become of each planted identifier and of what identifies nobody: from the board's options alone. The tables
//! that the program decides by are not asked, so that a mistake in them shows.

use snowball_confidentiality::{Profile, ProfileOption};
use snowball_imaging::standard::checks::{Check, Expectation, Texts, place_of};
use snowball_phantoms::{Identifier, Truth};

use super::moves_dates;

/// What a valid image has under any policy, with something in it.
const NEVER_EMPTY: [&str; 7] = [
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "PatientName",
    "PatientID",
    "Modality",
];
/// What must say that the file is de-identified, and how.
const WRITTEN_ANEW: [&str; 2] = ["PatientIdentityRemoved", "DeidentificationMethod"];
/// What a valid image has, though it may be empty (Type 2).
const STAYS: [&str; 8] = [
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
    "PatientSex",
    "Rows",
    "PixelData",
];
/// What identifies nobody and is of use.
const OF_USE: [&str; 25] = [
    "SOPClassUID",
    "Modality",
    "ImageType",
    "InstanceNumber",
    "SeriesNumber",
    "Manufacturer",
    "ManufacturerModelName",
    "KVP",
    "ExposureTime",
    "Exposure",
    "PresentationIntentType",
    "DetectorType",
    "BodyPartExamined",
    "ViewPosition",
    "ImageLaterality",
    "Laterality",
    "PhotometricInterpretation",
    "WindowCenter",
    "WindowWidth",
    "RescaleSlope",
    "RescaleIntercept",
    "ImagerPixelSpacing",
    "LossyImageCompression",
    "AnatomicRegionSequence[0].CodeValue",
    "ViewCodeSequence[0].CodeValue",
];
/// Words of a description that say what a picture shows.
const WORDS: [&str; 34] = [
    "CHEST",
    "HAND",
    "WRIST",
    "ELBOW",
    "SHOULDER",
    "KNEE",
    "ANKLE",
    "FOOT",
    "PELVIS",
    "LUMBAR",
    "SPINE",
    "SKULL",
    "POUMONS",
    "MAIN",
    "POIGNET",
    "COUDE",
    "EPAULE",
    "GENOU",
    "CHEVILLE",
    "PIED",
    "BASSIN",
    "COLONNE",
    "LOMBAIRE",
    "CRANE",
    "AP",
    "PA",
    "LATERAL",
    "PROFIL",
    "OBLIQUE",
    "LEFT",
    "RIGHT",
    "GAUCHE",
    "DROIT",
    "RADIOGRAPHIE",
];
/// Where dates of the examination stand.
pub const DATES: [&str; 4] = ["StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"];
/// UIDs that an image cannot be without.
pub const UIDS: [&str; 3] = ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"];

/// What is to be checked of one written file.
pub fn of(truth: &Truth, before: &Texts, profile: &Profile) -> Vec<Expectation> {
    let mut all = Vec::new();
    let mut expect = |check, path: &str, text: &str| {
        if let Some(place) = place_of(path) {
            let text = text.to_owned();
            all.push(Expectation { check, place, text });
        }
    };
    let stood = |path: &str| place_of(path).and_then(|place| before.get(&place).map(str::to_owned));
    for path in STAYS.into_iter().filter(|path| stood(path).is_some()) {
        expect(Check::TagRetained, path, "");
    }
    for path in NEVER_EMPTY.into_iter().chain(WRITTEN_ANEW) {
        expect(Check::TextNotNull, path, "");
    }
    // Computed radiography has no view code (PS3.3 A.2): what a class does not list goes, and that is meant.
    let is_listed = |path: &str| !(path.starts_with("ViewCodeSequence") && truth.modality == "CR");
    for path in OF_USE.into_iter().filter(|path| is_listed(path)) {
        if let Some(text) = stood(path).filter(|text| !text.is_empty() && !is_odd(path, text)) {
            expect(Check::TextRetained, path, &text);
        }
    }
    if profile.has(ProfileOption::RetainPatientCharacteristics)
        && let Some(sex) = stood("PatientSex").filter(|sex| !sex.is_empty())
    {
        expect(Check::TextRetained, "PatientSex", &sex);
    }
    if profile.has(ProfileOption::CleanDescriptors) {
        for path in ["StudyDescription", "SeriesDescription"] {
            let text = stood(path).unwrap_or_default();
            for word in text.split_whitespace().filter(|word| WORDS.contains(word)) {
                expect(Check::TextRetained, path, word);
            }
        }
    }
    for planted in &truth.identifiers {
        if let Some(check) = check_of(planted, profile) {
            let check = if check == Check::TextRetained && tells_the_institution(planted, truth, profile) {
                Check::TextRemoved
            } else {
                check
            };
            expect(check, &planted.path, &planted.value);
        }
    }
    all
}

/// A code that the standard does not permit where it stands may go: it is not of its form.
fn is_odd(path: &str, text: &str) -> bool {
    let is_code = matches!(path, "BodyPartExamined" | "ViewPosition");
    let fits = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || matches!(letter, ' ' | '_');
    is_code && !text.chars().all(fits)
}

/// A machine's name that holds a word of the hospital's name, where the hospital may not be known.
fn tells_the_institution(planted: &Identifier, truth: &Truth, profile: &Profile) -> bool {
    let is_institution = |one: &&Identifier| one.path.starts_with("Institution");
    let value = planted.value.to_lowercase();
    let words = truth.identifiers.iter().filter(is_institution).flat_map(|one| {
        let words = one.value.split(|letter: char| !letter.is_alphanumeric());
        words.filter(|word| word.chars().count() >= 4).map(str::to_lowercase)
    });
    !profile.has(ProfileOption::RetainInstitutionIdentity)
        && value
            .split(|letter: char| !letter.is_alphanumeric())
            .any(|word| words.clone().any(|of_the_name| of_the_name == word))
}

/// What the board's options ask of a planted identifier that stands in an attribute; none for what is drawn, or stands
/// beside the data set.
fn check_of(planted: &Identifier, profile: &Profile) -> Option<Check> {
    let path = planted.path.as_str();
    if planted.is_drawn || place_of(path).is_none() {
        return None;
    }
    Some(if UIDS.contains(&path) && !profile.has(ProfileOption::RetainUids) {
        Check::UidChanged
    } else if DATES.contains(&path) && moves_dates(profile) {
        Check::DateShifted
    } else if may_stay(path, profile) {
        Check::TextRetained
    } else {
        Check::TextRemoved
    })
}

/// Whether an option that the board chose lets what stands at `path` stay as it is. Nothing lets a name, a number, an address
/// or a telephone of anybody stay.
pub fn may_stay(path: &str, profile: &Profile) -> bool {
    let option = match path {
        "StationName" | "DeviceSerialNumber" | "DetectorID" | "PlateID" => ProfileOption::RetainDeviceIdentity,
        "InstitutionName" | "InstitutionAddress" => ProfileOption::RetainInstitutionIdentity,
        path if DATES.contains(&path) => ProfileOption::RetainLongitudinalFullDates,
        path if path.ends_with("UID") => ProfileOption::RetainUids,
        _ => return false,
    };
    profile.has(option)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, options: &[ProfileOption]) -> Option<Check> {
        let planted = Identifier {
            path: path.to_owned(),
            value: "value".to_owned(),
            is_drawn: false,
        };
        check_of(&planted, &Profile::new(options.iter().copied(), [], []))
    }

    #[test]
    fn options_decide_what_is_expected_and_none_lets_a_name_stay() {
        use ProfileOption::*;
        for (path, options, expected) in [
            ("PatientName", ProfileOption::ALL.as_slice(), Check::TextRemoved),
            ("(0009,1011)", &ProfileOption::ALL, Check::TextRemoved),
            (
                "PatientBirthDate",
                &[RetainLongitudinalModifiedDates],
                Check::TextRemoved,
            ),
            ("StudyDate", &[], Check::TextRemoved),
            ("StudyDate", &[RetainLongitudinalModifiedDates], Check::DateShifted),
            ("StudyDate", &[RetainLongitudinalFullDates], Check::TextRetained),
            ("DetectorID", &[], Check::TextRemoved),
            ("DetectorID", &[RetainDeviceIdentity], Check::TextRetained),
            ("StudyInstanceUID", &[], Check::UidChanged),
        ] {
            assert_eq!(check(path, options), Some(expected), "{path}");
        }
        assert_eq!(check("preamble", &[]), None);
    }

    #[test]
    fn every_path_names_an_attribute() {
        for path in NEVER_EMPTY
            .iter()
            .chain(&WRITTEN_ANEW)
            .chain(&STAYS)
            .chain(&OF_USE)
            .chain(&DATES)
        {
            assert!(place_of(path).is_some(), "{path}");
        }
    }
}
