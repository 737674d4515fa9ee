//! Files that a hospital's folder also holds: broken, foreign, doubled, out to exhaust the reader.

use dicom_core::{
    DataElement, PrimitiveValue, VR,
    value::{DataSetSequence, PixelFragmentSequence, Value},
};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use rand::{Rng, RngCore};
use snowball_protocol::{intake::IntakeReason, labels::Labels};

use crate::{
    PhantomError,
    draft::{Draft, FAULT, Made, OTHER_PICTURE, draft, examination, sound, stream},
    encode::Syntax,
    exposure::expose,
    file::{self, Envelope},
    form::{Form, OTHER_PATIENT_IDS},
    hospital::{Order, Site},
    letters,
    people::plain,
    truth::Identifier,
};

/// A kind of broken file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    TruncatedPixels,
    Empty,
    Duplicate,
    Text,
    Document,
    OtherClass,
    SizeBomb,
    UidConflict,
    CorruptJpeg,
    NoPixels,
    OtherModality,
    TooDeep,
    SizeMismatch,
    Dicomdir,
    CorruptRunLength,
    BurnedIn,
    TruncatedHeader,
    Noise,
    Colour,
    UnknownSyntax,
    MissingIdentity,
}

use Fault as F;

impl Fault {
    /// All kinds, in the order in which they are dealt out.
    pub const ALL: [Self; 21] = [
        F::TruncatedPixels,
        F::Empty,
        F::Duplicate,
        F::Text,
        F::Document,
        F::OtherClass,
        F::SizeBomb,
        F::UidConflict,
        F::CorruptJpeg,
        F::NoPixels,
        F::OtherModality,
        F::TooDeep,
        F::SizeMismatch,
        F::Dicomdir,
        F::CorruptRunLength,
        F::BurnedIn,
        F::TruncatedHeader,
        F::Noise,
        F::Colour,
        F::UnknownSyntax,
        F::MissingIdentity,
    ];

    const fn name_and_reason(self) -> (&'static str, IntakeReason) {
        match self {
            F::TruncatedPixels => ("truncated_pixels", IntakeReason::Truncated),
            F::TruncatedHeader => ("truncated_header", IntakeReason::Truncated),
            F::Empty => ("zero_length", IntakeReason::Empty),
            F::Text => ("text_file", IntakeReason::NotDicom),
            F::Noise => ("noise_file", IntakeReason::NotDicom),
            F::Dicomdir => ("dicomdir", IntakeReason::Dicomdir),
            F::Document => ("document", IntakeReason::Document),
            F::OtherClass => ("sop_class", IntakeReason::SopClass),
            F::OtherModality => ("modality", IntakeReason::Modality),
            F::NoPixels => ("no_pixels", IntakeReason::NoPixels),
            F::SizeBomb => ("size_bomb", IntakeReason::SizeBomb),
            F::SizeMismatch => ("size_mismatch", IntakeReason::SizeMismatch),
            F::TooDeep => ("too_deep", IntakeReason::TooDeep),
            F::Duplicate => ("duplicate", IntakeReason::Duplicate),
            F::UidConflict => ("uid_conflict", IntakeReason::UidConflict),
            F::CorruptJpeg => ("corrupt_jpeg", IntakeReason::DecodeError),
            F::CorruptRunLength => ("corrupt_run_length", IntakeReason::DecodeError),
            F::BurnedIn => ("burned_in", IntakeReason::BurnedInText),
            F::Colour => ("colour", IntakeReason::NotGrey),
            F::UnknownSyntax => ("unknown_syntax", IntakeReason::TransferSyntax),
            F::MissingIdentity => ("missing_identity", IntakeReason::MissingIdentity),
        }
    }
}

/// Levels of nesting in [`Fault::TooDeep`].
const DEPTH: usize = 200;
/// MPEG-2, which no radiograph uses.
const MPEG2: &str = "1.2.840.10008.1.2.4.100";

/// The `number`th hostile file of a hospital. `order` is a patient of its own, except for duplicates and conflicts,
/// where it is the order of the sound file that is doubled.
///
/// # Errors
/// The file cannot be encoded.
pub fn make(fault: Fault, number: u64, order: &Order, site: &Site, side: u32) -> Result<Made, PhantomError> {
    let (kind, reason) = fault.name_and_reason();
    let mut made = match fault {
        F::Duplicate => sound(order, site, side)?,
        F::UidConflict => conflict(order, site, side)?,
        F::Empty | F::Text | F::Noise => foreign(fault, order, site, side),
        F::TruncatedPixels | F::TruncatedHeader => truncated(fault, order, site, side)?,
        F::Dicomdir | F::Document => unpictured(fault, order, site, side)?,
        _ => {
            let syntax = match fault {
                F::CorruptJpeg => Syntax::JpegLossless,
                F::CorruptRunLength => Syntax::RunLength,
                _ => Syntax::ExplicitLittle,
            };
            let mut draft = draft(order, site, side).with_syntax(syntax);
            if fault == F::BurnedIn {
                burn(&mut draft, order);
            }
            draft.develop(site)?;
            spoil(fault, &mut draft, order);
            let bytes = file::bytes(&draft.header.form, &draft.envelope)?;
            Made {
                bytes,
                truth: draft.truth(order, kind, Some(reason)),
            }
        }
    };
    let doubled = matches!(fault, F::Duplicate | F::UidConflict);
    made.truth.partner = doubled.then(|| made.truth.file.clone());
    made.truth.kind = kind.to_owned();
    made.truth.disposition = reason.disposition();
    made.truth.reason = Some(reason);
    made.truth.file = match fault {
        F::Dicomdir => format!("dicom/cd {number}/DICOMDIR"),
        F::Text => format!("dicom/liste {number}.txt"),
        _ => format!("dicom/divers/fichier {number:04}.dcm"),
    };
    if !doubled {
        made.truth.labels = Labels::default();
    }
    // What a cut or a fault took away is not in the file any more.
    let is_there = |identifier: &Identifier| {
        identifier.path != "file name"
            && (identifier.is_drawn || doubled || identifier.encodings().iter().any(|text| holds(&made.bytes, text)))
    };
    let kept = made
        .truth
        .identifiers
        .iter()
        .filter(|identifier| is_there(identifier))
        .cloned()
        .collect();
    made.truth.identifiers = kept;
    made.truth.traits.retain(|name| name != "file_name");
    Ok(made)
}

fn conflict(order: &Order, site: &Site, side: u32) -> Result<Made, PhantomError> {
    let mut draft = draft(order, site, side);
    draft.picture = expose(
        &examination(order),
        site.vendor,
        side,
        &mut stream(order, OTHER_PICTURE),
    );
    draft.develop(site)?;
    let bytes = file::bytes(&draft.header.form, &draft.envelope)?;
    Ok(Made {
        bytes,
        truth: draft.truth(order, "uid_conflict", None),
    })
}

/// Files that were never DICOM.
fn foreign(fault: Fault, order: &Order, site: &Site, side: u32) -> Made {
    let mut draft = draft(order, site, side.min(48));
    draft.header.form.identifiers.clear();
    let patient = &order.patient;
    let bytes = match fault {
        F::Empty => Vec::new(),
        F::Noise => {
            let mut bytes = vec![0; 3001];
            stream(order, FAULT).fill_bytes(&mut bytes);
            // Whatever the draw, the magic word is not there.
            bytes[0] |= 0x80;
            bytes[128] = 0;
            bytes
        }
        _ => {
            for value in [&patient.family, &patient.record, &patient.telephone] {
                draft.header.form.list("text", value);
            }
            let line = format!(
                "{}, {} ; dossier {} ; {}\n",
                patient.family, patient.given, patient.record, patient.telephone
            );
            format!("Liste du jour\n{}", line.repeat(12)).into_bytes()
        }
    };
    Made {
        bytes,
        truth: draft.truth(order, "", None),
    }
}

fn truncated(fault: Fault, order: &Order, site: &Site, side: u32) -> Result<Made, PhantomError> {
    let mut draft = draft(order, site, side).with_syntax(Syntax::ExplicitLittle);
    draft.develop(site)?;
    let mut bytes = file::bytes(&draft.header.form, &draft.envelope)?;
    let pixel_bytes = draft.picture.samples.len() * if draft.picture.bits_stored > 8 { 2 } else { 1 };
    let cut = if fault == F::TruncatedHeader {
        // In the midst of the record number.
        let record = order.patient.record.as_bytes();
        bytes
            .windows(record.len())
            .position(|window| window == record)
            .map_or(600, |place| place + 3)
    } else {
        bytes.len() - pixel_bytes * 2 / 5
    };
    bytes.truncate(cut);
    Ok(Made {
        bytes,
        truth: draft.truth(order, "", None),
    })
}

/// Objects that hold no picture at all: directories, reports, presentation states.
fn unpictured(fault: Fault, order: &Order, site: &Site, side: u32) -> Result<Made, PhantomError> {
    let mut draft = draft(order, site, side.min(48)).with_syntax(Syntax::ExplicitLittle);
    let patient = &order.patient;
    if fault == F::Document {
        let (class, modality) = match stream(order, FAULT).random_range(0..3) {
            0 => (uids::BASIC_TEXT_SR_STORAGE, "SR"),
            1 => (uids::GRAYSCALE_SOFTCOPY_PRESENTATION_STATE_STORAGE, "PR"),
            _ => (uids::ENCAPSULATED_PDF_STORAGE, "OT"),
        };
        draft.header.modality = modality;
        class.clone_into(&mut draft.envelope.class);
        let form = &mut draft.header.form;
        form.text(tags::SOP_CLASS_UID, class);
        form.text(tags::MODALITY, modality);
        let mut text = Form::default();
        text.text(tags::VALUE_TYPE, "TEXT");
        text.free(
            tags::TEXT_VALUE,
            &format!("Examen de {}, sans anomalie.", patient.family),
            &[&patient.family],
        );
        form.item(tags::CONTENT_SEQUENCE, text);
    } else {
        let mut form = Form::default();
        form.text(
            tags::SPECIFIC_CHARACTER_SET,
            if site.vendor.is_utf8 {
                "ISO_IR 192"
            } else {
                "ISO_IR 100"
            },
        );
        form.text(tags::FILE_SET_ID, "CD");
        let mut record = Form::default();
        record.text(tags::DIRECTORY_RECORD_TYPE, "PATIENT");
        record.secret(tags::PATIENT_NAME, &patient.name());
        record.secret(tags::PATIENT_ID, &patient.record);
        form.item(tags::DIRECTORY_RECORD_SEQUENCE, record);
        draft.header.form = form;
        draft.header.modality = "";
        uids::MEDIA_STORAGE_DIRECTORY_STORAGE.clone_into(&mut draft.envelope.class);
    }
    let bytes = file::bytes(&draft.header.form, &draft.envelope)?;
    Ok(Made {
        bytes,
        truth: draft.truth(order, "", None),
    })
}

/// Draws the patient's name into the picture, and says so in the header.
fn burn(draft: &mut Draft, order: &Order) {
    let text = plain(&order.patient.family).to_uppercase();
    let columns = usize::from(draft.picture.columns);
    let bright = if draft.picture.is_monochrome1 {
        0
    } else {
        ((1_u32 << draft.picture.bits_stored) - 1) as u16
    };
    let samples = &mut draft.picture.samples;
    letters::pixels(&text, 1, |x, y| {
        let (x, y) = (x + 3, y + 3);
        if x < columns && (y + 1) * columns <= samples.len() {
            samples[y * columns + x] = bright;
        }
    });
    draft.header.form.text(tags::BURNED_IN_ANNOTATION, "YES");
    draft.header.form.list_drawn("PixelData", &text);
}

/// Makes the fault in a finished draft.
fn spoil(fault: Fault, draft: &mut Draft, order: &Order) {
    let form = &mut draft.header.form;
    match fault {
        F::OtherClass => {
            form.text(tags::SOP_CLASS_UID, uids::CT_IMAGE_STORAGE);
            form.text(tags::MODALITY, "CT");
            uids::CT_IMAGE_STORAGE.clone_into(&mut draft.envelope.class);
            draft.header.modality = "CT";
        }
        F::OtherModality => {
            form.text(tags::MODALITY, "US");
            draft.header.modality = "US";
        }
        F::NoPixels => {
            form.object.remove_element(tags::PIXEL_DATA);
        }
        F::SizeBomb => {
            form.number(tags::ROWS, 65_535);
            form.number(tags::COLUMNS, 65_535);
        }
        F::SizeMismatch => form.number(tags::ROWS, draft.picture.rows + 17),
        F::TooDeep => {
            let mut inner = InMemDicomObject::new_empty();
            inner.put(DataElement::new(
                tags::TEXT_VALUE,
                VR::UT,
                PrimitiveValue::from("bottom"),
            ));
            for _ in 0..DEPTH {
                let mut outer = InMemDicomObject::new_empty();
                outer.put(DataElement::new(
                    tags::CONTENT_SEQUENCE,
                    VR::SQ,
                    DataSetSequence::from(vec![inner]),
                ));
                inner = outer;
            }
            form.put_all(inner);
        }
        F::CorruptJpeg | F::CorruptRunLength => {
            let mut fragment = vec![0_u8; 512];
            if fault == F::CorruptJpeg {
                fragment[..2].copy_from_slice(&[0xff, 0xd8]);
            } else {
                // Segments that lie far beyond the end of the fragment.
                fragment[0] = 2;
                fragment[4..8].copy_from_slice(&64_u32.to_le_bytes());
                fragment[8..12].copy_from_slice(&0x7fff_0000_u32.to_le_bytes());
            }
            put_fragment(form, fragment);
        }
        F::UnknownSyntax => {
            let mut fragment = vec![0_u8; 700];
            stream(order, FAULT).fill_bytes(&mut fragment);
            put_fragment(form, fragment);
            draft.envelope = Envelope {
                syntax: MPEG2,
                ..draft.envelope.clone()
            };
        }
        F::Colour => {
            let pixels = usize::from(draft.picture.rows) * usize::from(draft.picture.columns);
            form.number(tags::SAMPLES_PER_PIXEL, 3);
            form.number(tags::PLANAR_CONFIGURATION, 0);
            form.text(tags::PHOTOMETRIC_INTERPRETATION, "RGB");
            form.number(tags::BITS_ALLOCATED, 8);
            form.number(tags::BITS_STORED, 8);
            form.number(tags::HIGH_BIT, 7);
            let bytes: Vec<u8> = (0..(pixels * 3).next_multiple_of(2))
                .map(|place| (place % 251) as u8)
                .collect();
            form.put(tags::PIXEL_DATA, VR::OB, PrimitiveValue::from(bytes));
        }
        F::MissingIdentity => {
            for tag in [tags::PATIENT_ID, tags::STUDY_INSTANCE_UID, OTHER_PATIENT_IDS] {
                form.object.remove_element(tag);
            }
            form.object.remove_element(tags::OTHER_PATIENT_I_DS_SEQUENCE);
            form.empty(tags::PATIENT_NAME);
        }
        _ => {}
    }
}

fn put_fragment(form: &mut Form, fragment: Vec<u8>) {
    let pixels = PixelFragmentSequence::new(vec![0_u32], vec![fragment]);
    form.object
        .put(DataElement::new(tags::PIXEL_DATA, VR::OB, Value::from(pixels)));
}

/// Whether `text` occurs in `bytes`.
pub fn holds(bytes: &[u8], text: &[u8]) -> bool {
    !text.is_empty() && bytes.windows(text.len()).any(|window| window == text)
}
