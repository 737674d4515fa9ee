//! One untrusted file as a data set: bounded, tolerant of what is harmless, borrowed from the bytes as they came.

pub(crate) mod charset;
mod dataset;
pub(crate) mod element;
pub(crate) mod form;
pub(crate) mod syntax;

use std::{borrow::Cow, io::Read as _};

use flate2::read::DeflateDecoder;
use snowball_protocol::{Sha256Digest, intake::IntakeReason};

use crate::{deidentify::evidence::Tally, intake::Limits};
pub(crate) use dataset::{Dataset, PixelData};
use element::{Encoding, Fault, Walk};
use syntax::TransferSyntax;

/// A parsed file that nobody trusts yet.
pub(crate) struct DicomFile<'a> {
    /// The data set's bytes, inflated where the transfer syntax asks for it.
    bytes: Cow<'a, [u8]>,
    /// Where its attributes lie in them.
    pub(crate) dataset: Dataset,
    /// How pixels and elements are encoded; `None` is a syntax that this crate does not decode.
    pub(crate) syntax: Option<TransferSyntax>,
    /// `MediaStorageSOPClassUID` of the file meta information, where there is one.
    pub(crate) media_class: Option<String>,
    /// Digest of the data set as it stood in the file: the same object under another preamble has the same one.
    pub(crate) content: Sha256Digest,
    /// What was met on the way, for the evidence.
    pub(crate) tally: Tally,
}

impl<'a> DicomFile<'a> {
    /// Parses a whole file's bytes.
    pub(crate) fn parse(bytes: &'a [u8], limits: &Limits) -> Result<Self, IntakeReason> {
        if bytes.is_empty() {
            return Err(IntakeReason::Empty);
        }
        let form = form::recognise(bytes)?;
        let body = bytes.get(form.data_start..).unwrap_or_default();
        let content = Sha256Digest::of(body);
        let declared = form.transfer_syntax.as_deref();
        let syntax = match declared {
            Some(uid) => TransferSyntax::from_uid(uid),
            None => Some(form.guessed),
        };
        let data = if syntax == Some(TransferSyntax::Deflated) {
            Cow::Owned(inflate(body, limits)?)
        } else {
            Cow::Borrowed(body)
        };
        let encoding = Encoding::of(syntax, &data);
        let mut tally = Tally::of_form(form.preamble_written, form.meta_attributes);
        let mut dataset = Dataset::new(encoding.big);
        let walked = Walk::new(&data, limits, &mut tally).data_set(encoding, &mut dataset);
        let bare = form.bare && !dataset.holds(dicom_dictionary_std::tags::SOP_CLASS_UID);
        match walked {
            _ if bare => return Err(IntakeReason::NotDicom),
            Ok(()) => {}
            Err(Fault::TooDeep) => return Err(IntakeReason::TooDeep),
            Err(Fault::Truncated) => return Err(IntakeReason::Truncated),
            Err(Fault::Malformed) => return Err(IntakeReason::Malformed),
        }
        Ok(Self {
            bytes: data,
            dataset,
            syntax,
            media_class: form.media_class,
            content,
            tally,
        })
    }

    /// The text of a top-level attribute: decoded, trimmed, `None` if absent or blank.
    pub(crate) fn text(&self, tag: dicom_core::Tag) -> Option<String> {
        self.dataset.text(&self.bytes, tag)
    }

    /// The first number of a top-level attribute of unsigned 16-bit words.
    pub(crate) fn word(&self, tag: dicom_core::Tag) -> Option<u16> {
        self.dataset.word(&self.bytes, tag)
    }

    /// The numbers of a top-level attribute of decimal text.
    pub(crate) fn decimals(&self, tag: dicom_core::Tag) -> Vec<f64> {
        self.dataset.decimals(&self.bytes, tag)
    }

    /// The text of `tag` in each item of the sequence `sequence`.
    pub(crate) fn item_texts(&self, sequence: dicom_core::Tag, tag: dicom_core::Tag) -> Vec<Option<String>> {
        self.dataset.item_texts(&self.bytes, sequence, tag)
    }

    /// The words of `tag` in the first item of the sequence `sequence`.
    pub(crate) fn item_bytes(&self, sequence: dicom_core::Tag, tag: dicom_core::Tag) -> Option<&[u8]> {
        self.dataset.item_value(&self.bytes, sequence, tag)
    }

    /// The whole data set, inflated.
    pub(crate) fn data(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of one range that the data set named (a pixel fragment).
    pub(crate) fn slice(&self, range: &std::ops::Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }
}

/// PS3.5 annex A.5, bounded: a picture compresses well, but not a thousand times.
pub(crate) fn inflate(body: &[u8], limits: &Limits) -> Result<Vec<u8>, IntakeReason> {
    let by_ratio = (body.len() as u64)
        .saturating_mul(u64::from(limits.inflate_ratio_max))
        .max(1 << 20);
    let bytes_max = by_ratio.min(limits.file_bytes_max);
    let mut data = Vec::new();
    let mut source = DeflateDecoder::new(body).take(bytes_max + 1);
    source.read_to_end(&mut data).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => IntakeReason::Truncated,
        _ => IntakeReason::Malformed,
    })?;
    if data.len() as u64 > bytes_max {
        return Err(IntakeReason::SizeBomb);
    }
    Ok(data)
}
