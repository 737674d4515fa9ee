//! What identified somebody in a file, as a keyed set that goes with its radiograph as far as the second look at what was
//! written. It tells a value again, never says one, and is not written anywhere.

use std::sync::Arc;

use snowball_crypto::PseudonymKey;
use snowball_protocol::intake::IntakeReason;

use crate::{
    intake::Limits,
    read::{DicomFile, element::Encoding},
    standard::{Seen, collect, text::Vocabulary, tree},
};

/// Bytes in a row that read as text before they are looked up.
const RUN_BYTES_MIN: usize = 5;

/// Marks of every name, text, date and UID of a file, but of the words that describe examinations.
#[derive(Clone)]
pub struct Marks {
    key: PseudonymKey,
    seen: Arc<Seen>,
}

impl Marks {
    /// Walks the whole of `file`, private and nested attributes included.
    pub(crate) fn read(
        file: &DicomFile<'_>,
        limits: &Limits,
        key: &PseudonymKey,
        vocabulary: &Vocabulary,
    ) -> Result<Self, IntakeReason> {
        let data = file.data();
        let elements =
            tree::parse(data, Encoding::of(file.syntax, data), limits).map_err(|_| IntakeReason::Malformed)?;
        Ok(Self {
            key: key.clone(),
            seen: Arc::new(collect::everything(key, vocabulary, &elements)),
        })
    }

    /// Whether `text`, or a word of it, stood in the file.
    #[must_use]
    pub fn know(&self, text: &str) -> bool {
        self.seen.knows(&self.key, text, true)
    }

    /// Whether a name or a number of the file stands in `bytes` as text.
    #[must_use]
    pub fn are_in(&self, bytes: &[u8]) -> bool {
        bytes
            .split(|byte| !byte.is_ascii_graphic() && *byte < 0x80)
            .filter(|run| run.len() >= RUN_BYTES_MIN)
            .any(|run| self.seen.knows(&self.key, &String::from_utf8_lossy(run), false))
    }
}

impl PartialEq for Marks {
    fn eq(&self, other: &Self) -> bool {
        self.seen == other.seen
    }
}

impl Eq for Marks {}
