//! What was put into every file, so that tests can hold the node to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    path::Path,
};

use serde::{Deserialize, Serialize};
use snowball_protocol::{
    intake::{Disposition, IntakeReason},
    labels::Labels,
};

use crate::PhantomError;

/// One planted identifier.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Identifier {
    /// Where: a keyword, `Sequence[0].Keyword`, `(gggg,eeee)` for private and repeating groups, or `preamble`,
    /// `file name`, `PixelData JPEG comment`; for text drawn in dots `(6000,3000)`, `IconImageSequence[0].PixelData`,
    /// `PixelData`.
    pub path: String,
    /// The identifying text as stored (in free text only the identifying part of it).
    pub value: String,
    /// The text is drawn in pixels and cannot be found as bytes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_drawn: bool,
}

/// All that is known of one file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Truth {
    /// Path below the hospital's folder, with `/`.
    pub file: String,
    /// What kind of file it is: `sound`, or the name of its fault.
    pub kind: String,
    /// Where it must end.
    pub disposition: Disposition,
    /// Why it must not be accepted; none for a sound file.
    pub reason: Option<IntakeReason>,
    /// The other file of a duplicate or of a conflict. Which of the two is taken depends on the order of reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<String>,
    /// Number of the patient over the whole consortium.
    pub patient: u64,
    /// Transfer syntax UID.
    pub syntax: String,
    /// Modality as written.
    pub modality: String,
    /// Photometric interpretation as written.
    pub photometric: String,
    /// Bits stored as written.
    pub bits_stored: u8,
    /// What is special: `no_preamble`, `private_sequence`, `overlay_text`, `icon_text` and the like.
    pub traits: Vec<String>,
    /// Every planted identifier of four characters or more.
    pub identifiers: Vec<Identifier>,
    /// The labels that the header supports. Age in completed years, below two in completed months; from 90 on it is 90.
    pub labels: Labels,
    /// The labels of the picture itself.
    pub true_labels: Labels,
    /// Where text was written into the picture, unless the header says that there is some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Area>,
    /// The letter of lead in the picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
}

/// A box in the picture, in pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Area {
    /// Left column.
    pub x: usize,
    /// Upper row.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// How many files must end where.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Expected {
    /// Taken in and stored.
    pub accepted: u64,
    /// Kept aside.
    pub quarantined: u64,
    /// Refused.
    pub rejected: u64,
    /// Count of every reason that occurs.
    pub reasons: BTreeMap<IntakeReason, u64>,
}

impl Expected {
    /// The counts of `truths`.
    #[must_use]
    pub fn of(truths: &[Truth]) -> Self {
        let mut expected = Self::default();
        for truth in truths {
            match truth.disposition {
                Disposition::Accepted => expected.accepted += 1,
                Disposition::Quarantined => expected.quarantined += 1,
                Disposition::Rejected => expected.rejected += 1,
            }
            if let Some(reason) = truth.reason {
                *expected.reasons.entry(reason).or_default() += 1;
            }
        }
        expected
    }

    /// All files.
    #[must_use]
    pub const fn files(&self) -> u64 {
        self.accepted + self.quarantined + self.rejected
    }
}

impl Identifier {
    /// The value's bytes in the encodings that a file may hold it in: UTF-8 and, where it differs, Latin-1.
    #[must_use]
    pub fn encodings(&self) -> Vec<Vec<u8>> {
        let utf8 = self.value.clone().into_bytes();
        let latin: Option<Vec<u8>> = self
            .value
            .chars()
            .map(|letter| u8::try_from(u32::from(letter)).ok())
            .collect();
        match latin {
            Some(latin) if latin != utf8 => vec![utf8, latin],
            _ => vec![utf8],
        }
    }
}

/// Reads a `truth.jsonl`.
///
/// # Errors
/// The file cannot be read, or a line is not a [`Truth`].
pub fn read_truth(path: &Path) -> Result<Vec<Truth>, PhantomError> {
    let text = fs::read_to_string(path).map_err(|source| PhantomError::file(path, source))?;
    text.lines()
        .map(|line| serde_json::from_str(line).map_err(PhantomError::Truth))
        .collect()
}

pub(crate) fn write_truth(path: &Path, truths: &[Truth]) -> Result<(), PhantomError> {
    let mut text = Vec::new();
    for truth in truths {
        serde_json::to_writer(&mut text, truth).map_err(PhantomError::Truth)?;
        text.push(b'\n');
    }
    let mut file = fs::File::create(path).map_err(|source| PhantomError::file(path, source))?;
    file.write_all(&text).map_err(|source| PhantomError::file(path, source))
}

/// Every distinct planted text that must never be found outside of the hospital's folder: the values as stored and the
/// family names within them. Texts shorter than five characters are left out, because they occur by chance.
#[must_use]
pub fn planted_identifiers(truths: &[Truth]) -> BTreeSet<String> {
    let mut planted = BTreeSet::new();
    for identifier in truths.iter().flat_map(|truth| &truth.identifiers) {
        planted.insert(identifier.value.clone());
        if let Some((family, _)) = identifier.value.split_once('^') {
            planted.insert(family.to_owned());
        }
    }
    planted.retain(|text| text.chars().count() >= 5);
    planted
}
