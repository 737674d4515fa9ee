//! Masks that a hospital drew, as a folder of PNG files, and how they find their radiographs.
//!
//! What finds the radiograph is the hospital's own identifier, in the file's name or in a table. It is turned into a pseudonym as it is
//! read and never kept, and a file that finds none is named by the digest of its name. Start at [`names()`], then [`Found::of`] and
//! [`picture::read`].

mod names;
pub mod picture;

use std::collections::{BTreeMap, BTreeSet};

use snowball_crypto::{Domain, Pseudonym};
use snowball_protocol::Sha256Digest;
use snowball_store::RadiographKeys;

pub use names::{NamedFile, Table, names};

/// Which identifier of the hospital a mask is found by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum MaskKey {
    /// The accession number of the examination, where one radiograph of it is stored.
    Accession,
    /// The SOP Instance UID.
    Instance,
}

impl MaskKey {
    /// The domain in which intake made the pseudonym of this identifier.
    pub const fn domain(self) -> Domain {
        match self {
            Self::Accession => Domain::Accession,
            Self::Instance => Domain::Instance,
        }
    }
}

/// Which radiographs stand behind an identifier.
pub struct Found(BTreeMap<Pseudonym, BTreeSet<Pseudonym>>);

/// One of them, none, or no telling which.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finding {
    /// This one.
    One(Pseudonym),
    /// None.
    None,
    /// One of several.
    Several,
}

impl Found {
    /// By `key` among `radiographs`.
    pub fn by(key: MaskKey, radiographs: &[RadiographKeys]) -> Self {
        let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for radiograph in radiographs {
            let pseudonym = match key {
                MaskKey::Accession => radiograph.accession,
                MaskKey::Instance => Some(radiograph.radiograph),
            };
            if let Some(pseudonym) = pseudonym {
                found.entry(pseudonym).or_default().insert(radiograph.radiograph);
            }
        }
        Self(found)
    }

    /// The radiograph behind `pseudonym`.
    pub fn of(&self, pseudonym: &Pseudonym) -> Finding {
        let radiographs = self.0.get(pseudonym).into_iter().flatten();
        let mut radiographs = radiographs.copied();
        match (radiographs.next(), radiographs.next()) {
            (None, _) => Finding::None,
            (Some(one), None) => Finding::One(one),
            (Some(_), Some(_)) => Finding::Several,
        }
    }
}

/// What stands for a file's name wherever it is told of: as `sha256sum` of the name, its first 16 digits.
pub fn name_digest(name: &str) -> String {
    let digest = Sha256Digest::of(name.as_bytes());
    digest
        .as_bytes()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pseudonym(number: u8) -> Pseudonym {
        Pseudonym::from_bytes([number; 32])
    }

    #[test]
    fn an_accession_finds_its_only_radiograph_and_an_instance_always_does() {
        let radiograph = |number: u8, accession: Option<u8>| RadiographKeys {
            radiograph: pseudonym(number),
            patient: pseudonym(100),
            study: pseudonym(101),
            accession: accession.map(pseudonym),
        };
        let stored = [
            radiograph(1, Some(11)),
            radiograph(2, Some(12)),
            radiograph(3, Some(12)),
            radiograph(4, None),
        ];
        let found = Found::by(MaskKey::Accession, &stored);
        let of = |number: u8| found.of(&pseudonym(number));
        assert_eq!(
            (of(11), of(12), of(1)),
            (Finding::One(pseudonym(1)), Finding::Several, Finding::None)
        );
        let found = Found::by(MaskKey::Instance, &stored);
        assert_eq!(found.of(&pseudonym(4)), Finding::One(pseudonym(4)));
        assert_eq!(found.of(&pseudonym(11)), Finding::None);
    }

    #[test]
    fn a_name_is_told_of_as_sha256sum_tells_it() {
        // printf A1.png | sha256sum
        assert_eq!(name_digest("A1.png").len(), 16);
        assert_eq!(name_digest("abc"), "ba7816bf8f01cfea");
    }
}
