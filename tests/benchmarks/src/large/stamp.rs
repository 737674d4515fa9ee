//! An archive of any size out of some hundred phantoms: each instance gets a patient, a study and UIDs of its own, and pixels
//! that differ from those of every other one of its kind.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, Result, ensure};
use dicom_core::{DataElement, PrimitiveValue, Tag, VR, value::Value};
use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, OpenFileOptions};
use rayon::prelude::*;
use snowball_protocol::Sha256Digest;

/// Studies that share a folder.
const STUDIES_PER_FOLDER: u64 = 1_000;
/// Four studies are of three patients.
const STUDIES_PER_PATIENT: (u64, u64) = (4, 3);

/// An archive to be written.
#[derive(Clone, Copy)]
pub struct Archive {
    pub instances: u64,
    pub images_per_study: f64,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    pub studies: u64,
    pub patients: u64,
    pub bytes: u64,
}

/// The phantoms that instances are made from.
pub struct Bases(Vec<DefaultDicomObject>);

impl Bases {
    /// Draws `count` phantoms of about `side` pixels in `folder`, which is removed again.
    ///
    /// # Errors
    /// When a number is out of range or the disk refuses.
    pub fn draw(folder: &Path, count: u64, side: u32) -> Result<Self> {
        let consortium = snowball_phantoms::Consortium {
            seed: 23,
            hospitals: 4,
            images_per_hospital: count.div_ceil(4),
            longest_side: side,
            hostile_fraction: 0.0,
        };
        let hospitals =
            snowball_phantoms::write(&consortium, folder, &|_, _| {}).context("cannot draw the phantoms")?;
        let mut bases = Vec::new();
        for hospital in hospitals {
            for path in snowball_imaging::walk(&hospital.dicom, 1_000_000)?.0 {
                // A few phantoms have no preamble, which this reader wants; the others are enough.
                if let Ok(object) = OpenFileOptions::new().open_file(&path) {
                    bases.push(object);
                }
            }
        }
        fs::remove_dir_all(folder)?;
        ensure!(!bases.is_empty(), "no phantom could be read back");
        Ok(Self(bases))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Writes the archive below `folder`: a folder a study, as archives export them.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, archive: &Archive, folder: &Path) -> Result<Written> {
        let bytes = AtomicU64::new(0);
        (0..archive.instances).into_par_iter().try_for_each(|number| {
            let written = self.one(number, archive, folder)?;
            bytes.fetch_add(written, Ordering::Relaxed);
            anyhow::Ok(())
        })?;
        let last = archive.instances.saturating_sub(1);
        let studies = archive.study(last) + 1;
        Ok(Written {
            studies,
            patients: patient_of(studies - 1) + 1,
            bytes: bytes.into_inner(),
        })
    }

    fn one(&self, number: u64, archive: &Archive, folder: &Path) -> Result<u64> {
        let mut object = self.0[(number % self.0.len() as u64) as usize].clone();
        let study = archive.study(number);
        let patient = patient_of(study);
        let text = |tag: Tag, vr: VR, text: String| DataElement::new(tag, vr, PrimitiveValue::from(text));
        let instance = uid("instance", number);
        object.put(text(tags::SOP_INSTANCE_UID, VR::UI, instance.clone()));
        object.put(text(tags::SERIES_INSTANCE_UID, VR::UI, uid("series", number)));
        object.put(text(tags::STUDY_INSTANCE_UID, VR::UI, uid("study", study)));
        object.put(text(tags::ACCESSION_NUMBER, VR::SH, format!("A{study:09}")));
        object.put(text(tags::PATIENT_ID, VR::LO, format!("L{patient:09}")));
        object.put(text(tags::PATIENT_NAME, VR::PN, format!("Invented{patient}^Nobody")));
        object.meta_mut().media_storage_sop_instance_uid = instance;
        disturb(&mut object, number);
        let path = archive.path(folder, number);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        let mut content = Vec::new();
        object.write_all(&mut content).context("a phantom cannot be written")?;
        fs::write(&path, &content).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(content.len() as u64)
    }
}

impl Archive {
    fn study(&self, number: u64) -> u64 {
        (number as f64 / self.images_per_study) as u64
    }

    fn path(&self, folder: &Path, number: u64) -> PathBuf {
        let study = self.study(number);
        folder
            .join(format!("{:04}", study / STUDIES_PER_FOLDER))
            .join(format!("S{study:08}"))
            .join(format!("{number:09}.dcm"))
    }
}

const fn patient_of(study: u64) -> u64 {
    study * STUDIES_PER_PATIENT.1 / STUDIES_PER_PATIENT.0
}

/// A UID as PS3.5 B.2 makes them from 128 bits.
fn uid(kind: &str, number: u64) -> String {
    let digest = Sha256Digest::of(format!("{kind} {number}").as_bytes());
    let bits: [u8; 16] = std::array::from_fn(|at| digest.as_bytes()[at]);
    format!("2.25.{}", u128::from_be_bytes(bits))
}

/// Changes the lowest bit of native samples as `number` says; compressed ones stay as they are.
fn disturb(object: &mut DefaultDicomObject, number: u64) {
    let Some(element) = object.take(tags::PIXEL_DATA) else {
        return;
    };
    let vr = element.header().vr();
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bit = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state & 1
    };
    let value = match element.into_value() {
        Value::Primitive(PrimitiveValue::U16(mut samples)) => {
            samples.iter_mut().for_each(|sample| *sample ^= bit() as u16);
            Value::Primitive(PrimitiveValue::U16(samples))
        }
        Value::Primitive(PrimitiveValue::U8(mut samples)) => {
            // Whether these are samples of eight bits or halves of larger ones: every other byte is a low one.
            samples.iter_mut().step_by(2).for_each(|sample| *sample ^= bit() as u8);
            Value::Primitive(PrimitiveValue::U8(samples))
        }
        other => other,
    };
    object.put(DataElement::new(tags::PIXEL_DATA, vr, value));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_instance_is_one_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let bases = Bases::draw(&folder.path().join("bases"), 8, 64).unwrap();
        let archive = Archive {
            instances: 30,
            images_per_study: 1.8,
        };
        let written = bases.write(&archive, &folder.path().join("archive")).unwrap();
        assert_eq!((written.studies, written.patients), (17, 13));
        let (paths, _) = snowball_imaging::walk(&folder.path().join("archive"), 100).unwrap();
        assert_eq!(paths.len(), 30);
        let (mut instances, mut contents) = (BTreeSet::new(), BTreeSet::new());
        for path in &paths {
            let object = OpenFileOptions::new().open_file(path).unwrap();
            instances.insert(
                object
                    .element(tags::SOP_INSTANCE_UID)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .into_owned(),
            );
            contents.insert(Sha256Digest::of(&fs::read(path).unwrap()));
        }
        assert_eq!((instances.len(), contents.len()), (30, 30));
    }
}
