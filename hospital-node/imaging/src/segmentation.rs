//! What a model drew, as a DICOM Segmentation object (PS3.3 A.51 and C.8.20): binary, a segment a class, a frame a segment.
//!
//! It is built from nothing but what the caller gives: no field of the radiograph's file is copied, and whoever the store does not know
//! (birth date, physician, device) stays empty. Pixel for pixel it lies on the radiograph as it came.

mod coded;

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use crate::{LossyStep, ObjectClass};
use coded::{derivation, purpose, sequence};

pub use coded::{Code, CodeError};

const EXPLICIT_LITTLE: &str = "1.2.840.10008.1.2.1";
/// Most characters of a long string (PS3.5 table 6.2-1).
const LONG_STRING_CHARACTERS_MAX: usize = 64;
/// Said of every object, where readers of other programs show it.
const NOT_FOR_DIAGNOSIS: &str = "Drawn by a model for research. Not for diagnosis.";
const PROGRAM: &str = "hospital-node segment";

/// The names of one object and of what it belongs to: every UID is a keyed one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Names {
    /// What the patient is called, as `PatientID`.
    pub patient: String,
    /// Study Instance UID.
    pub study: String,
    /// Series Instance UID of the radiograph.
    pub source_series: String,
    /// SOP Instance UID of the radiograph.
    pub source: String,
    /// Series Instance UID of what this model drew of the study now.
    pub series: String,
    /// SOP Instance UID of this object.
    pub instance: String,
    /// UID of the order of its frames.
    pub dimensions: String,
    /// What stands for this node in place of a device's serial number.
    pub device: String,
}

/// Who drew.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Algorithm {
    /// What the model is called.
    pub name: String,
    /// Which version: the digest of its parameters, in hexadecimal digits.
    pub version: String,
}

/// One class.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Its name in the plan.
    pub label: String,
    /// What kind of thing it is (`SegmentedPropertyCategoryCodeSequence`).
    pub category: Code,
    /// What it is (`SegmentedPropertyTypeCodeSequence`).
    pub kind: Code,
}

/// What was drawn on one radiograph.
#[derive(Clone, Debug)]
pub struct Segmentation<'a> {
    /// Its names.
    pub names: &'a Names,
    /// Who drew.
    pub algorithm: &'a Algorithm,
    /// Its place in its series, from 1 on.
    pub number: u32,
    /// The SOP class of the radiograph.
    pub source_class: ObjectClass,
    /// The compressions with loss that the radiograph went through, as far as they are known; `None` where there surely was none.
    pub source_lossy: Option<&'a [LossyStep]>,
    /// Rows of the radiograph as it came.
    pub rows: u16,
    /// Columns of it.
    pub columns: u16,
    /// A value a pixel, row by row: 0 beside all classes, else the place of its class in `segments`, from 1 on.
    pub values: &'a [u8],
    /// The classes.
    pub segments: &'a [Segment],
    /// The date on which it was drawn, `YYYYMMDD`, in UTC.
    pub date: &'a str,
    /// The time, `HHMMSS`.
    pub time: &'a str,
}

/// Why no object could be made.
#[derive(Debug, thiserror::Error)]
pub enum SegmentationError {
    /// The mask and its size do not belong together, or a value has no segment.
    #[error("the mask is not {rows} rows of {columns} values of at most {segments} segments")]
    Shape {
        /// Rows.
        rows: u16,
        /// Columns.
        columns: u16,
        /// Segments.
        segments: usize,
    },
    /// It could not be written.
    #[error("the object cannot be written")]
    Write(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Segmentation<'_> {
    /// The whole file (PS3.10), in explicit little endian.
    ///
    /// # Errors
    /// [`SegmentationError`].
    pub fn file(&self) -> Result<Vec<u8>, SegmentationError> {
        let pixels = usize::from(self.rows) * usize::from(self.columns);
        let is_known = |value: &u8| usize::from(*value) <= self.segments.len();
        if pixels == 0 || self.segments.is_empty() || self.values.len() != pixels || !self.values.iter().all(is_known) {
            return Err(SegmentationError::Shape {
                rows: self.rows,
                columns: self.columns,
                segments: self.segments.len(),
            });
        }
        let mut object = InMemDicomObject::new_empty();
        self.describe(&mut object);
        self.describe_series(&mut object);
        self.describe_pixels(&mut object);
        self.describe_segments(&mut object);
        self.describe_frames(&mut object);
        self.describe_source(&mut object);
        let meta = FileMetaTableBuilder::new()
            .media_storage_sop_class_uid(uids::SEGMENTATION_STORAGE)
            .media_storage_sop_instance_uid(self.names.instance.as_str())
            .transfer_syntax(EXPLICIT_LITTLE);
        let file = object
            .with_meta(meta)
            .map_err(|fault| SegmentationError::Write(Box::new(fault)))?;
        let mut bytes = Vec::with_capacity(pixels / 8 + 8192);
        file.write_all(&mut bytes)
            .map_err(|fault| SegmentationError::Write(Box::new(fault)))?;
        Ok(bytes)
    }

    /// Object, patient and study (C.12.1, C.7.1.1, C.7.2.1): what is demanded and not known stays empty.
    fn describe(&self, object: &mut InMemDicomObject) {
        put(object, tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192");
        put(object, tags::SOP_CLASS_UID, VR::UI, uids::SEGMENTATION_STORAGE);
        put(object, tags::SOP_INSTANCE_UID, VR::UI, &self.names.instance);
        put(object, tags::PATIENT_ID, VR::LO, &self.names.patient);
        put(object, tags::STUDY_INSTANCE_UID, VR::UI, &self.names.study);
        for (tag, vr) in [
            (tags::PATIENT_NAME, VR::PN),
            (tags::PATIENT_BIRTH_DATE, VR::DA),
            (tags::PATIENT_SEX, VR::CS),
            (tags::PATIENT_ORIENTATION, VR::CS),
            (tags::STUDY_DATE, VR::DA),
            (tags::STUDY_TIME, VR::TM),
            (tags::STUDY_ID, VR::SH),
            (tags::ACCESSION_NUMBER, VR::SH),
            (tags::REFERRING_PHYSICIAN_NAME, VR::PN),
            (tags::CONTENT_CREATOR_NAME, VR::PN),
        ] {
            object.put(DataElement::new(tag, vr, PrimitiveValue::Empty));
        }
        put(object, tags::PATIENT_IDENTITY_REMOVED, VR::CS, "YES");
        put(
            object,
            tags::DEIDENTIFICATION_METHOD,
            VR::LO,
            "Made from pixels and keyed pseudonyms; no header was copied",
        );
        put(
            object,
            tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
            VR::CS,
            "REMOVED",
        );
    }

    /// Series, equipment and content (C.8.20.1, C.7.5.2, C.8.20.2).
    fn describe_series(&self, object: &mut InMemDicomObject) {
        put(object, tags::MODALITY, VR::CS, "SEG");
        put(object, tags::SERIES_INSTANCE_UID, VR::UI, &self.names.series);
        put(object, tags::SERIES_NUMBER, VR::IS, "1");
        put(object, tags::SERIES_DESCRIPTION, VR::LO, NOT_FOR_DIAGNOSIS);
        put(object, tags::INSTANCE_NUMBER, VR::IS, &self.number.to_string());
        put(object, tags::MANUFACTURER, VR::LO, "Snowball");
        put(object, tags::MANUFACTURER_MODEL_NAME, VR::LO, PROGRAM);
        put(object, tags::DEVICE_SERIAL_NUMBER, VR::LO, &self.names.device);
        put(object, tags::SOFTWARE_VERSIONS, VR::LO, env!("CARGO_PKG_VERSION"));
        put(object, tags::CONTENT_DATE, VR::DA, self.date);
        put(object, tags::CONTENT_TIME, VR::TM, self.time);
        put(object, tags::TIMEZONE_OFFSET_FROM_UTC, VR::SH, "+0000");
        put(object, tags::CONTENT_LABEL, VR::CS, "MODEL_MASK");
        put(object, tags::CONTENT_DESCRIPTION, VR::LO, NOT_FOR_DIAGNOSIS);
    }

    /// One bit a pixel, the first pixel in the lowest bit; frames follow each other without a gap (PS3.5 section 8.1.1, A.51.3).
    fn describe_pixels(&self, object: &mut InMemDicomObject) {
        object.put(DataElement::new(
            tags::IMAGE_TYPE,
            VR::CS,
            PrimitiveValue::Strs(["DERIVED".to_owned(), "PRIMARY".to_owned()].into_iter().collect()),
        ));
        put(object, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
        for (tag, value) in [
            (tags::SAMPLES_PER_PIXEL, 1),
            (tags::ROWS, self.rows),
            (tags::COLUMNS, self.columns),
            (tags::BITS_ALLOCATED, 1),
            (tags::BITS_STORED, 1),
            (tags::HIGH_BIT, 0),
            (tags::PIXEL_REPRESENTATION, 0),
        ] {
            object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
        }
        put(object, tags::NUMBER_OF_FRAMES, VR::IS, &self.segments.len().to_string());
        self.describe_compression(object);
        put(object, tags::BURNED_IN_ANNOTATION, VR::CS, "NO");
        let bits = packed(self.values, self.segments.len());
        object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PrimitiveValue::from(bits)));
    }

    /// What was computed from pixels that had lost something has lost it too (C.7.6.1.1.5). The module needs a word on it (C.8.20.2, type 1):
    /// where nobody knows, nobody is told that nothing was lost. Methods and ratios belong together by their
    /// places: where one of them is not known, none of its kind is written.
    fn describe_compression(&self, object: &mut InMemDicomObject) {
        let lossy = if self.source_lossy.is_some() { "01" } else { "00" };
        put(object, tags::LOSSY_IMAGE_COMPRESSION, VR::CS, lossy);
        let steps = self.source_lossy.unwrap_or_default();
        let ratios: Option<Vec<String>> = steps.iter().map(LossyStep::ratio).collect();
        let methods: Option<Vec<String>> = steps.iter().map(|step| Some(step.method?.term().to_owned())).collect();
        for (tag, vr, values) in [
            (tags::LOSSY_IMAGE_COMPRESSION_RATIO, VR::DS, ratios),
            (tags::LOSSY_IMAGE_COMPRESSION_METHOD, VR::CS, methods),
        ] {
            if let Some(values) = values.filter(|values| !values.is_empty()) {
                object.put(DataElement::new(
                    tag,
                    vr,
                    PrimitiveValue::Strs(values.into_iter().collect()),
                ));
            }
        }
    }

    fn describe_segments(&self, object: &mut InMemDicomObject) {
        put(object, tags::SEGMENTATION_TYPE, VR::CS, "BINARY");
        put(object, tags::SEGMENTS_OVERLAP, VR::CS, "NO");
        let algorithm = || {
            let mut item = InMemDicomObject::new_empty();
            item.put(sequence(tags::ALGORITHM_FAMILY_CODE_SEQUENCE, [coded::family().item()]));
            put(&mut item, tags::ALGORITHM_NAME, VR::LO, &long(&self.algorithm.name));
            put(
                &mut item,
                tags::ALGORITHM_VERSION,
                VR::LO,
                &long(&self.algorithm.version),
            );
            put(&mut item, tags::ALGORITHM_SOURCE, VR::LO, PROGRAM);
            item
        };
        let items = self.segments.iter().zip(1_u16..).map(|(segment, number)| {
            let mut item = InMemDicomObject::new_empty();
            item.put(DataElement::new(
                tags::SEGMENT_NUMBER,
                VR::US,
                PrimitiveValue::from(number),
            ));
            put(&mut item, tags::SEGMENT_LABEL, VR::LO, &long(&segment.label));
            put(&mut item, tags::SEGMENT_ALGORITHM_TYPE, VR::CS, "AUTOMATIC");
            put(
                &mut item,
                tags::SEGMENT_ALGORITHM_NAME,
                VR::LO,
                &long(&self.algorithm.name),
            );
            item.put(sequence(
                tags::SEGMENTATION_ALGORITHM_IDENTIFICATION_SEQUENCE,
                [algorithm()],
            ));
            item.put(sequence(
                tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE,
                [segment.category.item()],
            ));
            item.put(sequence(
                tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE,
                [segment.kind.item()],
            ));
            item
        });
        object.put(sequence(tags::SEGMENT_SEQUENCE, items));
    }

    /// Which frame is which segment's, and what all were drawn from (C.7.6.16, C.7.6.17, C.8.20.3).
    fn describe_frames(&self, object: &mut InMemDicomObject) {
        let mut organisation = InMemDicomObject::new_empty();
        put(
            &mut organisation,
            tags::DIMENSION_ORGANIZATION_UID,
            VR::UI,
            &self.names.dimensions,
        );
        object.put(sequence(tags::DIMENSION_ORGANIZATION_SEQUENCE, [organisation]));
        let mut index = InMemDicomObject::new_empty();
        put(
            &mut index,
            tags::DIMENSION_ORGANIZATION_UID,
            VR::UI,
            &self.names.dimensions,
        );
        for (tag, pointer) in [
            (tags::DIMENSION_INDEX_POINTER, tags::REFERENCED_SEGMENT_NUMBER),
            (tags::FUNCTIONAL_GROUP_POINTER, tags::SEGMENT_IDENTIFICATION_SEQUENCE),
        ] {
            index.put(DataElement::new(tag, VR::AT, PrimitiveValue::from(pointer)));
        }
        put(&mut index, tags::DIMENSION_DESCRIPTION_LABEL, VR::LO, "Segment");
        object.put(sequence(tags::DIMENSION_INDEX_SEQUENCE, [index]));

        let mut source = self.reference();
        put(&mut source, tags::SPATIAL_LOCATIONS_PRESERVED, VR::CS, "YES");
        source.put(sequence(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, [purpose().item()]));
        let derived = InMemDicomObject::from_element_iter([
            sequence(tags::SOURCE_IMAGE_SEQUENCE, [source]),
            sequence(tags::DERIVATION_CODE_SEQUENCE, [derivation().item()]),
        ]);
        let shared = InMemDicomObject::from_element_iter([sequence(tags::DERIVATION_IMAGE_SEQUENCE, [derived])]);
        object.put(sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, [shared]));
        let frames = (1..=self.segments.len()).map(|number| {
            let place = DataElement::new(
                tags::DIMENSION_INDEX_VALUES,
                VR::UL,
                PrimitiveValue::from(number as u32),
            );
            let segment = DataElement::new(
                tags::REFERENCED_SEGMENT_NUMBER,
                VR::US,
                PrimitiveValue::from(number as u16),
            );
            InMemDicomObject::from_element_iter([
                sequence(
                    tags::FRAME_CONTENT_SEQUENCE,
                    [InMemDicomObject::from_element_iter([place])],
                ),
                sequence(
                    tags::SEGMENT_IDENTIFICATION_SEQUENCE,
                    [InMemDicomObject::from_element_iter([segment])],
                ),
            ])
        });
        object.put(sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frames));
    }

    /// The radiograph, as every reader looks for it (C.12.2).
    fn describe_source(&self, object: &mut InMemDicomObject) {
        let mut series = InMemDicomObject::new_empty();
        put(
            &mut series,
            tags::SERIES_INSTANCE_UID,
            VR::UI,
            &self.names.source_series,
        );
        series.put(sequence(tags::REFERENCED_INSTANCE_SEQUENCE, [self.reference()]));
        object.put(sequence(tags::REFERENCED_SERIES_SEQUENCE, [series]));
    }

    fn reference(&self) -> InMemDicomObject {
        let mut item = InMemDicomObject::new_empty();
        put(
            &mut item,
            tags::REFERENCED_SOP_CLASS_UID,
            VR::UI,
            self.source_class.uid(),
        );
        put(&mut item, tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, &self.names.source);
        item
    }
}

fn put(object: &mut InMemDicomObject, tag: dicom_core::Tag, vr: VR, value: &str) {
    object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
}

/// As much of `text` as a long string holds; a backslash would begin another value.
fn long(text: &str) -> String {
    text.chars()
        .map(|one| if one == '\\' || one.is_control() { ' ' } else { one })
        .take(LONG_STRING_CHARACTERS_MAX)
        .collect()
}

/// The frames of `segments` segments, a bit a pixel; an even number of bytes.
fn packed(values: &[u8], segments: usize) -> Vec<u8> {
    let bytes = (values.len() * segments).div_ceil(8);
    let mut bits = vec![0; bytes.next_multiple_of(2)];
    for (place, value) in values.iter().enumerate() {
        if let Some(frame) = usize::from(*value).checked_sub(1) {
            let bit = frame * values.len() + place;
            bits[bit / 8] |= 1 << (bit % 8);
        }
    }
    bits
}

#[cfg(test)]
mod tests;
