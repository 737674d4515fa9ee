//! Why a policy file cannot be used: each case with its own words, because each needs another hand to mend it.

use std::fmt;

use serde::Serialize;
use snowball_protocol::{Sha256Digest, limits::POLICY_BYTES_MAX};

/// Why a policy file cannot be used. While it lasts, nothing runs and nothing leaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PolicyFault {
    /// There is no policy file.
    Missing,
    /// The file holds nothing, or comments only.
    Empty,
    /// The file is larger than [`POLICY_BYTES_MAX`].
    TooLarge {
        /// Its size, in bytes.
        bytes: usize,
    },
    /// The file is not UTF-8 text.
    NotText {
        /// The first line that is not, counted from 1.
        line: usize,
    },
    /// The file is written in another version of the format.
    UnknownFormat {
        /// The version it names, as written.
        found: String,
    },
    /// The file does not follow the format.
    Malformed {
        /// Where, counted from 1.
        line: usize,
        /// The field, by its dotted path or, if it is unknown, by its name; none where the text itself does not read.
        field: Option<String>,
        /// What is wrong.
        reason: String,
    },
    /// There is no signature beside the file.
    Unsigned,
    /// The signature file does not read as one.
    SignatureUnreadable,
    /// The signature was made with another key than the site's ethics key.
    WrongKey {
        /// The fingerprint of the key that the signature names.
        signed_by: Sha256Digest,
        /// The fingerprint of the site's ethics key.
        expected: Sha256Digest,
    },
    /// The signature names the right key and does not match: the file was altered after it was signed.
    SignatureInvalid,
}

/// The kind of a [`PolicyFault`], for programs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the variant of PolicyFault of the same name")]
pub enum FaultKind {
    Missing,
    Empty,
    TooLarge,
    NotText,
    UnknownFormat,
    Malformed,
    Unsigned,
    SignatureUnreadable,
    WrongKey,
    SignatureInvalid,
}

impl PolicyFault {
    /// The kind of this fault, for programs.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::Missing => FaultKind::Missing,
            Self::Empty => FaultKind::Empty,
            Self::TooLarge { .. } => FaultKind::TooLarge,
            Self::NotText { .. } => FaultKind::NotText,
            Self::UnknownFormat { .. } => FaultKind::UnknownFormat,
            Self::Malformed { .. } => FaultKind::Malformed,
            Self::Unsigned => FaultKind::Unsigned,
            Self::SignatureUnreadable => FaultKind::SignatureUnreadable,
            Self::WrongKey { .. } => FaultKind::WrongKey,
            Self::SignatureInvalid => FaultKind::SignatureInvalid,
        }
    }

    /// What is wrong, for people.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Missing => "no policy is installed".to_owned(),
            Self::Empty => "the policy file is empty".to_owned(),
            Self::TooLarge { bytes } => {
                format!("the policy file has {bytes} bytes; at most {POLICY_BYTES_MAX} are read")
            }
            Self::NotText { line } => format!("the policy file is not UTF-8 text (line {line})"),
            Self::UnknownFormat { found } => {
                format!("the policy is written in format {found}; this program knows format 1 only")
            }
            Self::Malformed { line, reason, .. } => format!("the policy file is malformed at line {line}: {reason}"),
            Self::Unsigned => "the policy is not signed".to_owned(),
            Self::SignatureUnreadable => "the policy's signature file does not read as a signature".to_owned(),
            Self::WrongKey { signed_by, expected } => format!(
                "the policy is signed with key {}, but this site's ethics key is {}",
                signed_by.short(),
                expected.short()
            ),
            Self::SignatureInvalid => {
                "the policy was altered after it was signed: its signature does not match".to_owned()
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Missing => "ask the ethics board for a signed policy, then run hospital-node policy install FILE",
            Self::Empty => "install the file that the ethics board signed; an empty one permits nothing",
            Self::TooLarge { .. } => "install the policy itself; it should be a short text",
            Self::NotText { .. } => "save the file as UTF-8 text, then sign and install it again",
            Self::UnknownFormat { .. } => "write format = 1, or upgrade this node to a version that knows the format",
            Self::Malformed { .. } => {
                "correct that line, run hospital-node policy check FILE, then sign and install it again"
            }
            Self::Unsigned => "have the ethics board sign it: hospital-node policy sign --key ethics.pem policy.toml",
            Self::SignatureUnreadable => {
                "keep policy.toml.sig as it was made, or have the ethics board sign the policy again"
            }
            Self::WrongKey { .. } => "have the holder of this site's ethics key sign the policy",
            Self::SignatureInvalid => {
                "restore the file that was signed, or have the ethics board read and sign the changed one"
            }
        }
    }
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.reason(), self.remedy())
    }
}

impl std::error::Error for PolicyFault {}
