//! Labels that a hospital keeps outside DICOM (a grade, a clinic, a finding) as a table of comma-separated values, and how
//! its rows find their radiographs.
//!
//! The key of a row is the hospital's own identifier. It is turned into a pseudonym as it is read and never kept; what is
//! kept of a value is a short code or a number, never free text. Start at [`LabelTable::read`], then [`join()`].

mod join;
mod read;

use std::collections::BTreeMap;

use snowball_crypto::{Domain, Pseudonym};
use snowball_store::SiteLabel;

pub use join::{Joined, join};

/// Which identifier of the hospital a row is found by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum KeyKind {
    /// The accession number of the examination.
    Accession,
    /// The patient's number.
    Patient,
    /// The Study Instance UID.
    Study,
}

impl KeyKind {
    /// The domain in which intake made the pseudonym of this identifier.
    pub const fn domain(self) -> Domain {
        match self {
            Self::Accession => Domain::Accession,
            Self::Patient => Domain::Patient,
            Self::Study => Domain::Study,
        }
    }
}

/// Which columns of the table mean what.
#[derive(Clone, Debug)]
pub struct Columns {
    /// The heading of the column with the key.
    pub key: String,
    /// Headings of the labels that are classes.
    pub classes: Vec<String>,
    /// Headings of the labels that are numbers.
    pub numbers: Vec<String>,
    /// Of these, the ones that are known to be wrong now and then: text mining, billing codes.
    pub noisy: Vec<String>,
}

impl Columns {
    /// The headings of all labels: classes, then numbers.
    pub fn labels(&self) -> impl Iterator<Item = &String> {
        self.classes.iter().chain(&self.numbers)
    }
}

/// What one row says: no entry where its cell is empty.
pub type Labels = BTreeMap<String, SiteLabel>;

/// A table, read, with pseudonyms in place of its keys.
#[derive(Debug, Default)]
pub struct LabelTable {
    /// Line in the file, pseudonym of the key, labels.
    rows: Vec<(u64, Pseudonym, Labels)>,
    /// Lines whose key is blank.
    keyless_lines: Vec<u64>,
}
