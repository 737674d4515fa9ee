//! The standard's path: a whole DICOM file in, a de-identified DICOM file out, by PS3.15 annex E under a site's profile.
//!
//! It stands beside the training path, which keeps no DICOM at all. [`Standard::deidentify`] reads a file as a tree,
//! decides every attribute of it, and builds a new file from what may stay: nothing is copied that was not decided.
//! [`Standard::verify`] then reads what was written with another parser and other rules.
//!
//! A value of a patient is never in a record, a finding or an error.

mod apply;
pub mod checks;
pub(crate) mod collect;
mod frames;
mod record;
mod redact;
mod seen;
mod stamp;
pub(crate) mod text;
pub(crate) mod tree;
mod values;
mod verify;
pub mod vocabulary;

#[cfg(test)]
mod redact_tests;
#[cfg(test)]
mod shared_tests;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, sync::Arc};

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::FileMetaTableBuilder;
use snowball_confidentiality::{Class, Profile, class};
use snowball_crypto::{Domain, Pseudonym, PseudonymKey};
use snowball_protocol::{Sha256Digest, intake::IntakeReason};
use snowball_text::{Searcher, markers::Markers};

use crate::{
    deidentify::{acquisition::Modality, normalise, pseudonym_of},
    intake::{Limits, quiet},
    read::{self, charset::Charset, element::Encoding, form, syntax::TransferSyntax},
    second::{Second, SecondReader},
};
use apply::Applied;
use tree::{Element, Fault};

pub use record::Record;
pub use redact::FilledArea;
pub use seen::Seen;
pub use verify::{Finding, FindingKind};

const EXPLICIT_LITTLE: &str = "1.2.840.10008.1.2.1";
const SECONDARY_CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";
const DICOMDIR: &str = "1.2.840.10008.1.3.10";

/// Whether somebody or something looked for burned-in text and found the pixels free of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pixels {
    /// Nobody looked: the file says nothing of burned-in text, or YES where its class demands an answer.
    NotVerified,
    /// They were looked through: `BurnedInAnnotation` is NO.
    Verified,
    /// They are to be searched: what is written there and is no marker is filled in the stored values, until a search finds
    /// nothing; then `BurnedInAnnotation` is NO. Pixels that keep on showing text are refused, and so is a file that says
    /// itself that there is text.
    Searched,
}

/// De-identifies files of one site under one profile. It holds no state that changes, so that threads share one.
pub struct Standard {
    profile: Profile,
    policy: Sha256Digest,
    key: PseudonymKey,
    limits: Limits,
    vocabulary: text::Vocabulary,
    searcher: Searcher,
    second: Option<Second>,
}

/// A de-identified file.
pub struct Deidentified {
    /// The whole file (PS3.10).
    pub bytes: Vec<u8>,
    /// The patient's pseudonym, as written in `PatientID`: hexadecimal digits.
    pub patient: String,
    /// The new SOP Instance UID.
    pub instance: String,
    /// What became of each attribute that was there.
    pub records: Vec<Record>,
    /// What the second pass must not find again.
    pub seen: Seen,
    /// Bytes of comments in compressed pixels that went.
    pub comment_bytes: u64,
}

/// What the patient whom the hospital calls `identifier` is called in files written under `key`; `None` if that is blank.
#[must_use]
pub fn patient_id(key: &PseudonymKey, identifier: &str) -> Option<String> {
    let patient = pseudonym_of(key, Domain::Patient, identifier)?;
    Some(patient_id_of(&patient))
}

/// What a patient with this pseudonym is called in written files.
#[must_use]
pub fn patient_id_of(patient: &Pseudonym) -> String {
    apply::short(patient, apply::PSEUDONYM_CHARACTERS)
}

impl Standard {
    /// De-identification under `profile` of the policy with the digest `policy`; pseudonyms come from `key`.
    #[must_use]
    pub fn new(profile: Profile, policy: Sha256Digest, key: PseudonymKey, limits: Limits) -> Self {
        quiet::install();
        Self {
            profile,
            policy,
            key,
            limits,
            vocabulary: text::Vocabulary::new(),
            searcher: Searcher::new(Markers::standard()),
            second: None,
        }
    }

    /// The same, which also has every frame that was searched read by `reader`.
    #[must_use]
    pub fn read_again_by(mut self, reader: Arc<dyn SecondReader>) -> Self {
        self.second = Some(Second::new(reader));
        self
    }

    /// A new file from the bytes of one that nobody trusts.
    ///
    /// # Errors
    /// With the reason why no file can be made of it; a panic of a decoder is [`IntakeReason::DecodeError`].
    pub fn deidentify(&self, bytes: &[u8], pixels: Pixels) -> Result<Deidentified, IntakeReason> {
        quiet::catch(|| self.made(bytes, pixels)).unwrap_or(Err(IntakeReason::DecodeError))
    }

    /// What a second look at a written file finds that must not be there; empty if it may stay.
    #[must_use]
    pub fn verify(&self, written: &[u8], seen: &Seen) -> Vec<Finding> {
        quiet::catch(|| verify::verify(self, written, seen))
            .unwrap_or_else(|| vec![Finding::of(FindingKind::Unreadable, Tag(0, 0))])
    }

    fn made(&self, bytes: &[u8], pixels: Pixels) -> Result<Deidentified, IntakeReason> {
        if bytes.is_empty() {
            return Err(IntakeReason::Empty);
        }
        let form = form::recognise(bytes)?;
        let body = bytes.get(form.data_start..).unwrap_or_default();
        let named = form.transfer_syntax.clone();
        let syntax = named.as_deref().map_or(Some(form.guessed), TransferSyntax::from_uid);
        let data = if syntax == Some(TransferSyntax::Deflated) {
            Cow::Owned(read::inflate(body, &self.limits)?)
        } else {
            Cow::Borrowed(body)
        };
        let elements = match tree::parse(&data, Encoding::of(syntax, &data), &self.limits) {
            _ if form.bare && data.is_empty() => return Err(IntakeReason::NotDicom),
            Ok(elements) => elements,
            Err(_) if form.bare => return Err(IntakeReason::NotDicom),
            Err(Fault::TooDeep) => return Err(IntakeReason::TooDeep),
            Err(Fault::Truncated) => return Err(IntakeReason::Truncated),
            Err(Fault::Malformed) => return Err(IntakeReason::Malformed),
        };
        let origin = Origin::read(&elements, form.media_class.as_deref())?;
        let named = named.unwrap_or_default();
        let looked = match pixels {
            Pixels::Searched => Some(redact::look(&self.searcher, self.second.as_ref(), bytes, &self.limits)?),
            Pixels::NotVerified | Pixels::Verified => None,
        };
        let frames = self.frames(bytes, &elements, &named, looked.as_ref())?;
        let mut applied = Applied::new(self, &origin, &elements);
        applied.data_set(&elements)?;
        let cleaned = applied.finish(frames.frames, pixels, looked)?;
        let kept_syntax = if cleaned.is_native {
            EXPLICIT_LITTLE.to_owned()
        } else {
            named
        };
        let meta = FileMetaTableBuilder::new()
            .media_storage_sop_class_uid(origin.class.uid)
            .media_storage_sop_instance_uid(cleaned.instance.as_str())
            .transfer_syntax(kept_syntax);
        let file = cleaned.object.with_meta(meta).map_err(|_| IntakeReason::Malformed)?;
        let mut written = Vec::with_capacity(bytes.len() + 4096);
        file.write_all(&mut written).map_err(|_| IntakeReason::Malformed)?;
        Ok(Deidentified {
            bytes: written,
            patient: cleaned.seen.patient.clone(),
            instance: cleaned.instance,
            records: cleaned.records,
            seen: cleaned.seen,
            comment_bytes: frames.comment_bytes,
        })
    }

    /// The pixels to write: as they came, or as they were looked at where something was filled in them.
    fn frames(
        &self,
        file: &[u8],
        elements: &[Element<'_>],
        syntax: &str,
        looked: Option<&redact::Looked>,
    ) -> Result<frames::Cleaned, IntakeReason> {
        let pixels = elements.iter().find(|element| element.tag == tags::PIXEL_DATA);
        let pixels = pixels.ok_or(IntakeReason::NoPixels)?;
        let layout = frames::Layout::read(elements, self.limits.pixels_max)?;
        let is_native = !matches!(pixels.value, tree::Value::Fragments(_));
        match looked {
            Some(looked) if !looked.filled.is_empty() || !(is_native || frames::is_kept(syntax)) => {
                return Ok(frames::Cleaned {
                    frames: frames::Frames::Native(looked.native.clone()),
                    comment_bytes: 0,
                    is_wider: false,
                });
            }
            _ => {}
        }
        let cleaned = frames::clean(pixels, syntax, &layout)?;
        if cleaned.is_wider {
            self.nothing_above(file, &layout)?;
        }
        Ok(cleaned)
    }

    /// Compressed samples that are wider than the stored bits can hide something above them: they are decoded to look.
    fn nothing_above(&self, bytes: &[u8], layout: &frames::Layout) -> Result<(), IntakeReason> {
        let file = read::DicomFile::parse(bytes, &self.limits)?;
        let description = crate::pixels::Description::read_frames(&file, &self.limits)?;
        let syntax = file.syntax.ok_or(IntakeReason::TransferSyntax)?;
        for number in 0..description.frames as usize {
            let words = crate::pixels::words_of(&file, syntax, &description, number)?.words;
            if words.iter().any(|word| layout.masked(*word) != *word) {
                return Err(IntakeReason::SizeMismatch);
            }
        }
        Ok(())
    }
}

/// Who and what a file is.
struct Origin {
    class: &'static Class,
    /// Normalised patient number.
    patient: String,
}

impl Origin {
    fn read(elements: &[Element<'_>], media_class: Option<&str>) -> Result<Self, IntakeReason> {
        let charset = tree::bytes_of(elements, tags::SPECIFIC_CHARACTER_SET).map_or(Charset::DEFAULT, Charset::named);
        let text = |tag| {
            let text = charset.decode(tree::bytes_of(elements, tag)?);
            let text = text.trim_matches([' ', '\0']);
            (!text.is_empty()).then(|| text.to_owned())
        };
        let uid = text(tags::SOP_CLASS_UID).or_else(|| media_class.map(str::to_owned));
        let uid = uid.unwrap_or_default();
        if uid == DICOMDIR
            || elements
                .iter()
                .any(|element| element.tag == tags::DIRECTORY_RECORD_SEQUENCE)
        {
            return Err(IntakeReason::Dicomdir);
        }
        let class = class(&uid).ok_or(IntakeReason::SopClass)?;
        // What calls itself a radiograph by its class and another thing by its modality is neither; a secondary capture may be
        // of anything.
        if let Some(named) = text(tags::MODALITY)
            && uid != SECONDARY_CAPTURE
            && Modality::from_code(named.trim()).is_none()
        {
            return Err(IntakeReason::Modality);
        }
        // The text is what the training path hashes too, so one patient has one pseudonym in a project.
        let patient = text(tags::PATIENT_ID)
            .map(|id| normalise(&id))
            .filter(|id| !id.is_empty());
        for tag in [
            tags::SOP_INSTANCE_UID,
            tags::STUDY_INSTANCE_UID,
            tags::SERIES_INSTANCE_UID,
        ] {
            text(tag).ok_or(IntakeReason::MissingIdentity)?;
        }
        Ok(Self {
            class,
            patient: patient.ok_or(IntakeReason::MissingIdentity)?,
        })
    }
}
