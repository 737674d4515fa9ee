//! The path of one file, from a name on disk to one outcome.

mod bounded;
pub(crate) mod quiet;
#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc};

use dicom_dictionary_std::tags;
use snowball_crypto::{Domain, Pseudonym, PseudonymKey, VaultKeys};
use snowball_protocol::{Sha256Digest, intake::IntakeReason, labels::BodyPart};
use snowball_text::{Cleaned, Searcher, markers::Markers};

use crate::{
    accept,
    deidentify::{
        self, Identity, Radiograph,
        acquisition::{Acquisition, Modality},
        evidence::BurnedIn,
        marks::Marks,
    },
    labels::{Labelled, dictionary::Dictionary},
    pixels::{self, Description, Grey},
    read::DicomFile,
    review::{Picture, Waiver},
    second::{Second, SecondReader},
    standard::text::Vocabulary,
};

/// Bounds on what one file may cost. The defaults fit the largest radiographs in use (mammograms, stitched spines).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of a file, and of a data set once inflated.
    pub file_bytes_max: u64,
    /// How many times larger than its file an inflated data set may be.
    pub inflate_ratio_max: u32,
    /// Pixels of a picture, of colour its samples.
    pub pixels_max: u64,
    /// Frames of a file that holds several.
    pub frames_max: u32,
    /// Sequences inside sequences.
    pub sequence_depth_max: u32,
    /// Elements and items, at all levels together.
    pub elements_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes_max: 256 << 20,
            inflate_ratio_max: 100,
            pixels_max: 64 << 20,
            frames_max: 1000,
            sequence_depth_max: 16,
            elements_max: 200_000,
        }
    }
}

/// What became of one file.
#[derive(Debug)]
pub enum Outcome {
    /// A radiograph, de-identified.
    Accepted(Box<Radiograph>),
    /// Anything else; the hospital's file is left as it is.
    Excluded(Excluded),
}

/// A file that did not become a radiograph.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Excluded {
    /// Why.
    pub reason: IntakeReason,
    /// Digest of the file's bytes, up to the size limit; that of no bytes if it could not be read.
    pub file_digest: Sha256Digest,
}

/// Takes in files of one site. It holds no state that changes, so that threads share one.
pub struct Intake {
    key: PseudonymKey,
    vault: Option<VaultKeys>,
    dictionary: Dictionary,
    limits: Limits,
    searcher: Searcher,
    second: Option<Second>,
    vocabulary: Vocabulary,
}

impl Intake {
    /// An intake whose pseudonyms come from `key` and whose descriptions are read with `dictionary`. Text in the pixels is
    /// searched for in every picture; the markers that may stay are those of the standard list.
    #[must_use]
    pub fn new(key: PseudonymKey, dictionary: Dictionary, limits: Limits) -> Self {
        quiet::install();
        Self {
            key,
            vault: None,
            dictionary,
            limits,
            searcher: Searcher::new(Markers::standard()),
            second: None,
            vocabulary: Vocabulary::new(),
        }
    }

    /// This intake, which also has every picture read by `reader` before it is taken in.
    #[must_use]
    pub fn read_again_by(mut self, reader: Arc<dyn SecondReader>) -> Self {
        self.second = Some(Second::new(reader));
        self
    }

    /// This intake, which also seals the way back to each patient under the vault's `keys`.
    #[must_use]
    pub fn linking(mut self, keys: VaultKeys) -> Self {
        self.vault = Some(keys);
        self
    }

    /// Takes in one file. Whatever it holds, this returns one outcome; a decoder that panics is a decode error.
    #[must_use]
    pub fn take(&self, path: &Path) -> Outcome {
        let bytes = match bounded::read(path, self.limits.file_bytes_max) {
            Ok(bytes) => bytes,
            Err(bounded::Unread::Unreadable) => return excluded(IntakeReason::Unreadable, &[]),
            Err(bounded::Unread::TooLarge(digest)) => {
                return Outcome::Excluded(Excluded {
                    reason: IntakeReason::TooLarge,
                    file_digest: digest,
                });
            }
        };
        self.judge(&bytes, None)
    }

    /// Takes in the bytes of a file that a person looked at, with the one reason waived that they named.
    #[must_use]
    pub fn take_reviewed(&self, bytes: &[u8], waiver: Waiver) -> Outcome {
        self.judge(bytes, Some(waiver))
    }

    /// The pseudonym of the patient whose file this is; `None` where it cannot be told. No pixel is decoded.
    #[must_use]
    pub fn patient_of(&self, bytes: &[u8]) -> Option<Pseudonym> {
        quiet::catch(|| {
            let file = DicomFile::parse(bytes, &self.limits).ok()?;
            deidentify::pseudonym_of(&self.key, Domain::Patient, &file.text(tags::PATIENT_ID)?)
        })
        .flatten()
    }

    /// What a file says it shows and how it was taken, for sorting; no pixel is decoded. `None` for what is no radiograph.
    #[must_use]
    pub fn kind_of(&self, bytes: &[u8]) -> Option<(Option<BodyPart>, Option<Modality>)> {
        quiet::catch(|| {
            let file = DicomFile::parse(bytes, &self.limits).ok()?;
            let (_, modality) = accept::radiograph(&file).ok()?;
            Some((Labelled::read(&file, &self.dictionary).labels.body_part, modality))
        })
        .flatten()
    }

    /// The picture of a file that waits for a person, with whatever is burned into it: identifiable.
    ///
    /// # Errors
    /// Why it cannot be decoded.
    pub fn picture(&self, bytes: &[u8]) -> Result<Picture, IntakeReason> {
        quiet::catch(|| {
            let grey = self.grey(&DicomFile::parse(bytes, &self.limits)?)?;
            Ok(Picture::of(grey.rows, grey.columns, &grey.pixels))
        })
        .unwrap_or(Err(IntakeReason::DecodeError))
    }

    fn grey(&self, file: &DicomFile<'_>) -> Result<Grey, IntakeReason> {
        let description = Description::read(file, &self.limits)?;
        let syntax = file.syntax.ok_or(IntakeReason::TransferSyntax)?;
        Ok(pixels::render(pixels::words(file, syntax, &description)?, &description))
    }

    fn judge(&self, bytes: &[u8], waiver: Option<Waiver>) -> Outcome {
        match quiet::catch(|| self.radiograph(bytes, waiver)).unwrap_or(Err(IntakeReason::DecodeError)) {
            Ok(radiograph) => Outcome::Accepted(Box::new(radiograph)),
            Err(reason) => excluded(reason, bytes),
        }
    }

    /// The steps in order: what is cheap to refuse is refused before pixels are decoded.
    fn radiograph(&self, bytes: &[u8], waiver: Option<Waiver>) -> Result<Radiograph, IntakeReason> {
        let file = DicomFile::parse(bytes, &self.limits)?;
        let (class, modality) = accept::radiograph(&file)?;
        let description = Description::read(&file, &self.limits)?;
        let marks = Marks::read(&file, &self.limits, &self.key, &self.vocabulary)?;
        let identity = Identity::read(&file, &self.key, self.vault.as_ref(), marks)?;
        let is_waived = |reason| waiver.is_some_and(|waiver| waiver.covers(reason));
        let mut burned_in = match deidentify::burned_in(&file) {
            Err(reason) if is_waived(reason) => BurnedIn::Reviewed,
            said => said?,
        };
        // What the second look saw, a person saw too: it is not searched for again.
        if is_waived(IntakeReason::TextRemains) {
            burned_in = BurnedIn::Reviewed;
        }
        let syntax = file.syntax.ok_or(IntakeReason::TransferSyntax)?;
        let words = pixels::words(&file, syntax, &description)?;
        let is_stream_lossy = words.lossy;
        let mut grey = pixels::render(words, &description);
        if pixels::page::is_page(&grey.pixels) {
            return Err(IntakeReason::Document);
        }
        let reviewed = waiver.map(|_| grey.pixels.clone());
        let cleaned = deidentify::clean(&self.searcher, &mut grey).and_then(|cleaned| match &self.second {
            Some(second) if second.finds([grey.rows, grey.columns], &grey.pixels) => Err(IntakeReason::BurnedInText),
            _ => Ok(cleaned),
        });
        let written = match (cleaned, reviewed) {
            // More looked like text than may be removed, and a person who saw the picture says that nobody is named in it.
            (Err(reason), Some(pixels)) if is_waived(reason) => {
                grey.pixels = pixels;
                burned_in = BurnedIn::Reviewed;
                Cleaned::default()
            }
            (cleaned, _) => cleaned?,
        };
        let acquisition = Acquisition::read(&file, class, modality, syntax, &description, is_stream_lossy);
        let labelled = Labelled::read(&file, &self.dictionary);
        Ok(deidentify::deidentify(
            &file,
            identity,
            burned_in,
            written,
            acquisition,
            grey,
            labelled,
        ))
    }
}

fn excluded(reason: IntakeReason, bytes: &[u8]) -> Outcome {
    Outcome::Excluded(Excluded {
        reason,
        file_digest: Sha256Digest::of(bytes),
    })
}
