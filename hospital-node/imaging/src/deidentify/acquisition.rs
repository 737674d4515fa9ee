//! How a picture was made, in a closed vocabulary: no free text, no date, no name of a device or a place.

use dicom_dictionary_std::tags;
use serde::{Deserialize, Serialize};

use super::compression::{self, LossyStep};
use crate::{pixels::Description, read::DicomFile, read::syntax::TransferSyntax};

macro_rules! terms {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }
    };
}

terms!(
    /// The SOP classes that are radiographs (PS3.4 annex B).
    ObjectClass {
        /// Computed Radiography.
        ComputedRadiography,
        /// Digital X-Ray, for presentation.
        DigitalPresentation,
        /// Digital X-Ray, for processing.
        DigitalProcessing,
        /// Digital Mammography, for presentation.
        MammographyPresentation,
        /// Digital Mammography, for processing.
        MammographyProcessing,
        /// Digital Intra-Oral, for presentation.
        IntraOralPresentation,
        /// Digital Intra-Oral, for processing.
        IntraOralProcessing,
        /// X-Ray Radiofluoroscopic, one frame.
        Radiofluoroscopy,
        /// X-Ray Angiographic, one frame.
        Angiography,
        /// Secondary Capture that says it is a radiograph.
        SecondaryCapture,
    }
);
terms!(
    /// `Modality` (0008,0060).
    Modality {
        /// `CR`
        ComputedRadiography,
        /// `DX`, also `DR` as old devices write it.
        DigitalRadiography,
        /// `MG`
        Mammography,
        /// `IO`
        IntraOral,
        /// `PX`
        Panoramic,
        /// `RG`
        RadiographicImaging,
        /// `RF`
        Radiofluoroscopy,
        /// `XA`
        Angiography,
    }
);
terms!(
    /// The maker's family; a name that is none of these is `Other`.
    Manufacturer {
        /// Agfa.
        Agfa,
        /// Canon.
        Canon,
        /// Carestream, formerly Kodak.
        Carestream,
        /// Fujifilm.
        Fujifilm,
        /// GE.
        Ge,
        /// Hologic, with Lorad.
        Hologic,
        /// Konica Minolta.
        KonicaMinolta,
        /// Philips.
        Philips,
        /// Samsung.
        Samsung,
        /// Shimadzu.
        Shimadzu,
        /// Siemens.
        Siemens,
        /// Toshiba.
        Toshiba,
        /// Any other maker.
        Other,
    }
);
terms!(
    /// `PhotometricInterpretation` as delivered; pixels leave this crate in the sense of `Monochrome2`.
    Photometric {
        /// The smallest value is white.
        Monochrome1,
        /// The smallest value is black.
        Monochrome2,
    }
);
terms!(
    /// The first value of `ImageType`.
    ImageHistory {
        /// `ORIGINAL`
        Original,
        /// `DERIVED`
        Derived,
    }
);
terms!(
    /// `PresentationIntentType`.
    Intent {
        /// `FOR PRESENTATION`
        Presentation,
        /// `FOR PROCESSING`
        Processing,
    }
);
terms!(
    /// `DetectorType` (0018,7004).
    DetectorType {
        /// `DIRECT`
        Direct,
        /// `SCINTILLATOR`
        Scintillator,
        /// `STORAGE`
        Storage,
        /// `FILM`
        Film,
    }
);
terms!(
    /// A direction of the patient (PS3.3 C.7.6.1.1.1): the leading letter of a value of `PatientOrientation`.
    Direction {
        /// Left.
        Left,
        /// Right.
        Right,
        /// Anterior.
        Anterior,
        /// Posterior.
        Posterior,
        /// Head.
        Head,
        /// Foot.
        Foot,
    }
);
terms!(
    /// The modality transform that the file asked for.
    ModalityTransform {
        /// None, or one that changes nothing.
        None,
        /// A straight line.
        Linear,
        /// A table.
        Table,
    }
);

/// How one picture was made.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Acquisition {
    /// SOP class.
    pub class: ObjectClass,
    /// Modality, where the file names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modality: Option<Modality>,
    /// Maker's family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<Manufacturer>,
    /// Encoding as delivered.
    pub transfer_syntax: TransferSyntax,
    /// Polarity as delivered.
    pub photometric: Photometric,
    /// Bits of the container, 8 or 16.
    pub bits_allocated: u8,
    /// Bits of the stored values as delivered, 1 to 16.
    pub bits_stored: u8,
    /// Stored values carry a sign.
    pub signed: bool,
    /// Compressed with loss now or at any time before.
    pub lossy: bool,
    /// By which compressions with loss, as far as that is known, the first one first. Written where it is empty, too: rows without it are of
    /// programs that did not look whether the stream was reversible.
    #[serde(default)]
    pub lossy_steps: Vec<LossyStep>,
    /// The modality transform.
    pub modality_transform: ModalityTransform,
    /// Original or derived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<ImageHistory>,
    /// For presentation or for processing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// Detector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detector: Option<DetectorType>,
    /// A grid was in the beam.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<bool>,
    /// Tube voltage: the lower end of a band of 10 kV, 20 to 150.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kilovolts: Option<u8>,
    /// Exposure: the largest power of two that is not above it, in mAs, 1 to 1024.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milliampere_seconds: Option<u16>,
    /// Distance of pixels at the detector, to the nearest 10 micrometres, 20 to 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixel_micrometres: Option<u16>,
    /// Direction of rows, left to right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_direction: Option<Direction>,
    /// Direction of columns, top to bottom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column_direction: Option<Direction>,
}

impl Acquisition {
    /// The vocabulary of one accepted file, whose stream was found to be coded with loss or without.
    pub(crate) fn read(
        file: &DicomFile<'_>,
        class: ObjectClass,
        modality: Option<Modality>,
        transfer_syntax: TransferSyntax,
        pixels: &Description,
        is_stream_lossy: bool,
    ) -> Self {
        let code = |tag| file.text(tag).unwrap_or_default().trim().to_ascii_uppercase();
        let image_type = code(tags::IMAGE_TYPE);
        let spacing = [tags::IMAGER_PIXEL_SPACING, tags::PIXEL_SPACING].map(|tag| file.decimals(tag).first().copied());
        let orientation = code(tags::PATIENT_ORIENTATION);
        let mut directions = orientation.split('\\').map(|part| Direction::from_letters(part.trim()));
        let (lossy, lossy_steps) = compression::history(file, transfer_syntax, is_stream_lossy, pixels.frame_bytes());
        Self {
            class,
            modality,
            manufacturer: file.text(tags::MANUFACTURER).map(|name| Manufacturer::from_name(&name)),
            transfer_syntax,
            photometric: if pixels.inverted {
                Photometric::Monochrome1
            } else {
                Photometric::Monochrome2
            },
            bits_allocated: pixels.bits_allocated,
            bits_stored: pixels.bits_stored,
            signed: pixels.signed,
            lossy,
            lossy_steps,
            modality_transform: pixels.transform.kind(),
            history: match image_type.split('\\').next() {
                Some("ORIGINAL") => Some(ImageHistory::Original),
                Some("DERIVED") => Some(ImageHistory::Derived),
                _ => None,
            },
            intent: match code(tags::PRESENTATION_INTENT_TYPE).as_str() {
                "FOR PRESENTATION" => Some(Intent::Presentation),
                "FOR PROCESSING" => Some(Intent::Processing),
                _ => None,
            },
            detector: match code(tags::DETECTOR_TYPE).as_str() {
                "DIRECT" => Some(DetectorType::Direct),
                "SCINTILLATOR" => Some(DetectorType::Scintillator),
                "STORAGE" => Some(DetectorType::Storage),
                "FILM" => Some(DetectorType::Film),
                _ => None,
            },
            grid: match code(tags::GRID).split('\\').next() {
                Some("NONE") => Some(false),
                Some("FIXED" | "FOCUSED" | "RECIPROCATING" | "PARALLEL" | "CROSSED" | "IN" | "YES") => Some(true),
                _ => None,
            },
            kilovolts: file.decimals(tags::KVP).first().and_then(|value| kilovolt_band(*value)),
            milliampere_seconds: file
                .decimals(tags::EXPOSURE)
                .first()
                .and_then(|value| exposure_band(*value)),
            pixel_micrometres: spacing.into_iter().flatten().next().and_then(micrometre_step),
            row_direction: directions.next().flatten(),
            column_direction: directions.next().flatten(),
        }
    }
}

impl ObjectClass {
    /// The class that `uid` names, if it is a radiograph.
    #[must_use]
    pub fn from_uid(uid: &str) -> Option<Self> {
        Some(match uid {
            "1.2.840.10008.5.1.4.1.1.1" => Self::ComputedRadiography,
            "1.2.840.10008.5.1.4.1.1.1.1" => Self::DigitalPresentation,
            "1.2.840.10008.5.1.4.1.1.1.1.1" => Self::DigitalProcessing,
            "1.2.840.10008.5.1.4.1.1.1.2" => Self::MammographyPresentation,
            "1.2.840.10008.5.1.4.1.1.1.2.1" => Self::MammographyProcessing,
            "1.2.840.10008.5.1.4.1.1.1.3" => Self::IntraOralPresentation,
            "1.2.840.10008.5.1.4.1.1.1.3.1" => Self::IntraOralProcessing,
            "1.2.840.10008.5.1.4.1.1.12.2" => Self::Radiofluoroscopy,
            "1.2.840.10008.5.1.4.1.1.12.1" => Self::Angiography,
            "1.2.840.10008.5.1.4.1.1.7" => Self::SecondaryCapture,
            _ => return None,
        })
    }

    /// Its SOP Class UID.
    #[must_use]
    pub const fn uid(self) -> &'static str {
        match self {
            Self::ComputedRadiography => "1.2.840.10008.5.1.4.1.1.1",
            Self::DigitalPresentation => "1.2.840.10008.5.1.4.1.1.1.1",
            Self::DigitalProcessing => "1.2.840.10008.5.1.4.1.1.1.1.1",
            Self::MammographyPresentation => "1.2.840.10008.5.1.4.1.1.1.2",
            Self::MammographyProcessing => "1.2.840.10008.5.1.4.1.1.1.2.1",
            Self::IntraOralPresentation => "1.2.840.10008.5.1.4.1.1.1.3",
            Self::IntraOralProcessing => "1.2.840.10008.5.1.4.1.1.1.3.1",
            Self::Radiofluoroscopy => "1.2.840.10008.5.1.4.1.1.12.2",
            Self::Angiography => "1.2.840.10008.5.1.4.1.1.12.1",
            Self::SecondaryCapture => "1.2.840.10008.5.1.4.1.1.7",
        }
    }
}

impl Modality {
    /// The modality that `code` names, if it makes radiographs.
    pub(crate) fn from_code(code: &str) -> Option<Self> {
        Some(match code {
            "CR" => Self::ComputedRadiography,
            "DX" | "DR" => Self::DigitalRadiography,
            "MG" => Self::Mammography,
            "IO" => Self::IntraOral,
            "PX" => Self::Panoramic,
            "RG" => Self::RadiographicImaging,
            "RF" => Self::Radiofluoroscopy,
            "XA" => Self::Angiography,
            _ => return None,
        })
    }
}

impl Manufacturer {
    fn from_name(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let families = [
            ("agfa", Self::Agfa),
            ("canon", Self::Canon),
            ("carestream", Self::Carestream),
            ("kodak", Self::Carestream),
            ("fuji", Self::Fujifilm),
            ("general electric", Self::Ge),
            ("hologic", Self::Hologic),
            ("lorad", Self::Hologic),
            ("konica", Self::KonicaMinolta),
            ("philips", Self::Philips),
            ("samsung", Self::Samsung),
            ("shimadzu", Self::Shimadzu),
            ("siemens", Self::Siemens),
            ("toshiba", Self::Toshiba),
        ];
        let family = families
            .iter()
            .find(|(word, _)| name.contains(word))
            .map(|(_, family)| *family);
        let is_ge = || name.split(|letter: char| !letter.is_ascii_alphanumeric()).next() == Some("ge");
        family.unwrap_or_else(|| if is_ge() { Self::Ge } else { Self::Other })
    }
}

impl Direction {
    fn from_letters(letters: &str) -> Option<Self> {
        Some(match letters.bytes().next()? {
            b'L' => Self::Left,
            b'R' => Self::Right,
            b'A' => Self::Anterior,
            b'P' => Self::Posterior,
            b'H' => Self::Head,
            b'F' => Self::Foot,
            _ => return None,
        })
    }
}

fn kilovolt_band(kilovolts: f64) -> Option<u8> {
    (20.0..160.0)
        .contains(&kilovolts)
        .then(|| (kilovolts / 10.0).floor() as u8 * 10)
}

fn exposure_band(milliampere_seconds: f64) -> Option<u16> {
    (1.0..2048.0)
        .contains(&milliampere_seconds)
        .then(|| 1 << (milliampere_seconds.log2().floor() as u32))
}

fn micrometre_step(millimetres: f64) -> Option<u16> {
    (0.02..=1.0)
        .contains(&millimetres)
        .then(|| (millimetres * 100.0).round() as u16 * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_has_the_uid_that_names_it() {
        for class in [
            ObjectClass::ComputedRadiography,
            ObjectClass::DigitalPresentation,
            ObjectClass::DigitalProcessing,
            ObjectClass::MammographyPresentation,
            ObjectClass::MammographyProcessing,
            ObjectClass::IntraOralPresentation,
            ObjectClass::IntraOralProcessing,
            ObjectClass::Radiofluoroscopy,
            ObjectClass::Angiography,
            ObjectClass::SecondaryCapture,
        ] {
            assert_eq!(ObjectClass::from_uid(class.uid()), Some(class));
        }
    }

    #[test]
    fn numbers_become_bands() {
        assert_eq!(kilovolt_band(119.9), Some(110));
        assert_eq!(kilovolt_band(2000.0), None);
        assert_eq!(exposure_band(9.0), Some(8));
        assert_eq!(exposure_band(0.0), None);
        assert_eq!(micrometre_step(0.143), Some(140));
        assert_eq!(micrometre_step(f64::NAN), None);
    }

    #[test]
    fn makers_become_families() {
        assert_eq!(Manufacturer::from_name("GE MEDICAL SYSTEMS"), Manufacturer::Ge);
        assert_eq!(Manufacturer::from_name("\"GE Healthcare\""), Manufacturer::Other);
        assert_eq!(Manufacturer::from_name("FUJIFILM Corporation"), Manufacturer::Fujifilm);
        assert_eq!(Manufacturer::from_name("Dr Gerhard's workshop"), Manufacturer::Other);
    }
}
