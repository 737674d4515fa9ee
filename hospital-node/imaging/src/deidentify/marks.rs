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

/// Characters of a value that count as found among pixels. Sixteen bits of noise hold every short word somewhere: with words of
/// four characters one radiograph in two hundred (192 pixels on a side) seemed to name its patient.
const AMONG_PIXELS_MIN: usize = 8;

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

    /// Whether a name, a number or a text of the file, of eight characters or more, stands in `bytes`.
    #[must_use]
    pub fn are_in(&self, bytes: &[u8]) -> bool {
        bytes
            .split(|byte| !byte.is_ascii_graphic() && *byte < 0x80)
            .filter(|run| run.len() >= AMONG_PIXELS_MIN)
            .any(|run| {
                self.seen
                    .knows_long(&self.key, &String::from_utf8_lossy(run), AMONG_PIXELS_MIN)
            })
    }
}

impl PartialEq for Marks {
    fn eq(&self, other: &Self) -> bool {
        self.seen == other.seen
    }
}

impl Eq for Marks {}
