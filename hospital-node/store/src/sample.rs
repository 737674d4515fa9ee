//! Small radiographs for the tests of this crate: DICOM files written here and taken in by the imaging crate.

use std::path::{Path, PathBuf};

use dicom_core::{DataElement, PrimitiveValue, VR, value::Value};
use dicom_dictionary_std::tags;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use snowball_crypto::{PseudonymKey, SiteSecret, StoreKeys};
use snowball_imaging::{Dictionary, Intake, Limits, Outcome, Radiograph};
use snowball_protocol::{
    labels::LabelName,
    plan::{Head, HeadKind},
};

/// A radiograph that differs from another in what its fields say, and in its pixels by `instance` and `salt`.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub patient: u32,
    pub instance: u32,
    pub body_part: &'static str,
    pub view: &'static str,
    pub age: u32,
    pub rows: u16,
    pub columns: u16,
    pub salt: u32,
}

impl Sample {
    pub const fn new(patient: u32, instance: u32) -> Self {
        Self {
            patient,
            instance,
            body_part: "CHEST",
            view: "PA",
            age: 47,
            rows: 24,
            columns: 20,
            salt: 0,
        }
    }

    /// The 12-bit pixels: a slope with some texture.
    pub fn pixels(&self) -> Vec<u16> {
        let mut state = self.instance.wrapping_mul(2_654_435_761) ^ self.salt.wrapping_mul(40_503) | 1;
        let slope = (0..u32::from(self.rows))
            .flat_map(|row| (0..u32::from(self.columns)).map(move |column| row * 40 + column * 30));
        slope
            .map(|value| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((value + (state >> 26)) % 4096) as u16
            })
            .collect()
    }

    pub fn write(&self, folder: &Path) -> PathBuf {
        let uid = format!("1.2.826.0.1.3680043.10.1.{}", self.instance);
        let class = "1.2.840.10008.5.1.4.1.1.1.1";
        let text = |tag, vr, value: String| DataElement::new(tag, vr, PrimitiveValue::from(value));
        let number = |tag, value: u16| DataElement::new(tag, VR::US, PrimitiveValue::from(value));
        let object = InMemDicomObject::from_element_iter([
            text(tags::SOP_CLASS_UID, VR::UI, class.to_owned()),
            text(tags::SOP_INSTANCE_UID, VR::UI, uid.clone()),
            text(
                tags::STUDY_INSTANCE_UID,
                VR::UI,
                format!("1.2.826.0.1.3680043.10.2.{}", self.patient),
            ),
            text(
                tags::SERIES_INSTANCE_UID,
                VR::UI,
                format!("1.2.826.0.1.3680043.10.3.{}", self.patient),
            ),
            text(tags::ACCESSION_NUMBER, VR::SH, format!("A{}", self.patient)),
            text(tags::STUDY_DATE, VR::DA, "20230511".to_owned()),
            text(tags::MODALITY, VR::CS, "DX".to_owned()),
            text(tags::PATIENT_NAME, VR::PN, "INVENTED^NOBODY".to_owned()),
            text(tags::PATIENT_ID, VR::LO, format!("P{:07}", self.patient)),
            text(
                tags::PATIENT_SEX,
                VR::CS,
                if self.patient.is_multiple_of(2) { "F" } else { "M" }.to_owned(),
            ),
            text(tags::PATIENT_AGE, VR::AS, format!("{:03}Y", self.age)),
            text(tags::BODY_PART_EXAMINED, VR::CS, self.body_part.to_owned()),
            text(tags::VIEW_POSITION, VR::CS, self.view.to_owned()),
            text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2".to_owned()),
            number(tags::SAMPLES_PER_PIXEL, 1),
            number(tags::ROWS, self.rows),
            number(tags::COLUMNS, self.columns),
            number(tags::BITS_ALLOCATED, 16),
            number(tags::BITS_STORED, 12),
            number(tags::HIGH_BIT, 11),
            number(tags::PIXEL_REPRESENTATION, 0),
            DataElement::new(
                tags::PIXEL_DATA,
                VR::OW,
                Value::Primitive(PrimitiveValue::U16(self.pixels().into())),
            ),
        ]);
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax("1.2.840.10008.1.2.1")
            .media_storage_sop_class_uid(class)
            .media_storage_sop_instance_uid(&uid);
        let path = folder.join(format!("{}-{}.dcm", self.instance, self.salt));
        object.with_meta(meta).unwrap().write_to_file(&path).unwrap();
        path
    }

    pub fn radiograph(&self) -> Radiograph {
        let folder = tempfile::tempdir().unwrap();
        take(&self.write(folder.path()))
    }
}

/// What a test does to a radiograph right after it was written, inside of the same change.
pub(crate) type Spoil = fn(&crate::Store, &rusqlite::Connection, &Radiograph, crate::pack::Extent);

/// A head for `label` with every class of the vocabulary.
pub(crate) fn head(label: LabelName) -> Head {
    let codes = label.codes();
    Head {
        kind: if codes.is_empty() {
            HeadKind::Regression { unit: 100.0 }
        } else {
            HeadKind::Classes(codes.into_iter().map(str::to_owned).collect())
        },
        label,
        weight: 1.0,
    }
}

/// `count` radiographs of as many patients, over three body parts and three age bands.
pub(crate) fn cohort(count: u32) -> Vec<Radiograph> {
    let places = [("CHEST", "PA"), ("HAND", "AP"), ("KNEE", "LATERAL")];
    (0..count)
        .map(|number| {
            let (body_part, view) = places[number as usize % places.len()];
            Sample {
                body_part,
                view,
                age: 15 + number % 3 * 30,
                ..Sample::new(number, number)
            }
            .radiograph()
        })
        .collect()
}

fn take(path: &Path) -> Radiograph {
    let intake = Intake::new(key(), Dictionary::standard(), Limits::default());
    match intake.take(path) {
        Outcome::Accepted(radiograph) => *radiograph,
        Outcome::Excluded(excluded) => panic!("the sample is no radiograph: {:?}", excluded.reason),
    }
}

fn key() -> PseudonymKey {
    SiteSecret::from_hex(&"42".repeat(32)).unwrap().project("store-tests")
}

/// The keys of the stores in these tests.
pub(crate) fn keys() -> StoreKeys {
    keys_of("42", "store-tests")
}

pub(crate) fn keys_of(byte: &str, project: &str) -> StoreKeys {
    SiteSecret::from_hex(&byte.repeat(32)).unwrap().store(project)
}
