//! DICOM in, de-identified radiograph out.
//!
//! This crate reads one untrusted file at a time, decides whether it is a radiograph, decodes its pixels in full depth,
//! removes text that was burned into them (`snowball-text`), reads the labels that its header supports and keeps nothing
//! else: a [`Radiograph`] holds pixels, labels, a closed vocabulary of how the picture was made ([`Acquisition`]), keyed
//! pseudonyms, and counts of what was taken away ([`Evidence`]). No DICOM leaves that path; [`standard`] is the other one, which writes
//! DICOM by PS3.15 annex E. [`segmentation`] writes what a model drew, from pseudonyms and pixels alone.
//!
//! It must never reach a network, never put a patient's value into an error or a log line, and never let one hostile
//! file cost more than itself: sizes are checked before memory is asked for, and a decoder's panic is one outcome.
//!
//! Start at [`Intake::take`], which reads as the path of a file does: `read`, `accept`, `pixels`, `deidentify`.
//!
//! Element headers are walked by this crate rather than by dicom-rs' object reader, because that one refuses whole files
//! for harmless faults and allocates what a length field claims; the data dictionary, the value representations, the
//! character sets and the pixel codecs are those of dicom-rs.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod accept;
mod deidentify;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod intake;
mod labels;
mod patches;
mod pixels;
mod read;
mod resample;
mod review;
mod second;
pub mod segmentation;
pub mod standard;
mod walk;

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod search_tests;
#[cfg(test)]
mod shared_tests;
#[cfg(test)]
mod side_tests;
#[cfg(test)]
mod speed_tests;
#[cfg(test)]
mod text_tests;

pub use deidentify::acquisition::{
    Acquisition, DetectorType, Direction, ImageHistory, Intent, Manufacturer, Modality, ModalityTransform, ObjectClass,
    Photometric,
};
pub use deidentify::compression::{LossyMethod, LossyStep};
pub use deidentify::evidence::{BurnedIn, Evidence, LabelSource, LabelSources};
pub use deidentify::marks::Marks;
pub use deidentify::{Radiograph, RadiographId, pseudonym_of};
pub use intake::{Excluded, Intake, Limits, Outcome};
pub use labels::dictionary::{Dictionary, DictionaryError};
pub use patches::{PATCHES_MAX, patches};
pub use read::syntax::TransferSyntax;
pub use resample::{downscale, letterbox, letterbox_mask, nearest, unletterbox_mask};
pub use review::{Picture, Place, TextSearch, Waiver, remedy};
pub use second::{SecondReader, Word};
pub use walk::{FILES_MAX, Walk, walk};
