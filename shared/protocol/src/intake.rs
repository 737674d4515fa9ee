//! Why a file did not become a radiograph: a closed list, so that it may stand in ledgers and reports.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a file ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// Taken in and stored.
    Accepted,
    /// Kept aside for a person; nothing is lost.
    Quarantined,
    /// Not a radiograph that this node can ever use; the hospital's file is left alone.
    Rejected,
}

/// Why a file was not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IntakeReason {
    /// Not DICOM at all.
    NotDicom,
    /// No bytes.
    Empty,
    /// Larger than the node's limit.
    TooLarge,
    /// Sequences nested deeper than the limit.
    TooDeep,
    /// The file ends before its content does.
    Truncated,
    /// The data set could not be parsed.
    Malformed,
    /// A directory of files (DICOMDIR), which only names what it does not hold.
    Dicomdir,
    /// A document, report or presentation state, not a picture.
    Document,
    /// A SOP class that is not a radiograph.
    SopClass,
    /// A modality that is not a radiograph, whatever the SOP class says.
    Modality,
    /// No pixel data.
    NoPixels,
    /// The header asks for more pixels than the limit.
    SizeBomb,
    /// Rows, columns and bits do not match the pixels that are there.
    SizeMismatch,
    /// Colour, several samples a pixel or several frames.
    NotGrey,
    /// A transfer syntax that this node cannot decode.
    TransferSyntax,
    /// The compressed pixels did not decode.
    DecodeError,
    /// The pixels are said to carry identifying text.
    BurnedInText,
    /// The very same object is already here.
    Duplicate,
    /// Another content under an identity that is already here.
    UidConflict,
    /// Something that identifies the object is missing (patient, study or instance).
    MissingIdentity,
    /// The file could not be read from disk.
    Unreadable,
    /// What was written of it still held something that must not be there; it was deleted again.
    IdentifierRemains,
    /// A second look saw text in the pixels that were kept, and nothing else that was wrong; they were taken back.
    TextRemains,
}

impl IntakeReason {
    /// Where a file with this reason ends.
    #[must_use]
    pub const fn disposition(self) -> Disposition {
        match self {
            Self::DecodeError
            | Self::BurnedInText
            | Self::UidConflict
            | Self::TransferSyntax
            | Self::MissingIdentity
            | Self::IdentifierRemains
            | Self::TextRemains
            | Self::Unreadable => Disposition::Quarantined,
            _ => Disposition::Rejected,
        }
    }

    /// The reason as written in ledgers and reports.
    #[must_use]
    pub fn code(self) -> String {
        // A unit variant of a closed enum always becomes a JSON string.
        serde_json::to_value(self)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}
