//! What stands in place of an identifier.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::CryptoError;

/// Which kind of identifier a pseudonym replaces: equal text in two domains gives unrelated pseudonyms.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Domain {
    /// A patient's number together with its issuer.
    Patient,
    /// A Study Instance UID.
    Study,
    /// A Series Instance UID.
    Series,
    /// A SOP Instance UID.
    Instance,
    /// An accession number together with its issuer.
    Accession,
}

impl Domain {
    /// Every domain.
    pub const ALL: &'static [Self] = &[
        Self::Patient,
        Self::Study,
        Self::Series,
        Self::Instance,
        Self::Accession,
    ];

    pub(crate) const fn label(self) -> &'static [u8] {
        match self {
            Self::Patient => b"patient",
            Self::Study => b"study",
            Self::Series => b"series",
            Self::Instance => b"instance",
            Self::Accession => b"accession",
        }
    }
}

/// HMAC-SHA-256 of an identifier under a project's key; written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Pseudonym([u8; 32]);

impl Pseudonym {
    /// Wraps 32 bytes that were read back from a store.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

/// Shortened: logs tell objects apart and still name none.
impl fmt::Debug for Pseudonym {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Pseudonym({}..)", hex::encode(&self.0[..4]))
    }
}

impl FromStr for Pseudonym {
    type Err = CryptoError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        // One spelling only, so that texts may be compared as texts.
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) || hex::decode_to_slice(text, &mut bytes).is_err() {
            return Err(CryptoError::PseudonymMalformed);
        }
        Ok(Self(bytes))
    }
}

impl From<Pseudonym> for String {
    fn from(pseudonym: Pseudonym) -> Self {
        pseudonym.to_string()
    }
}

impl TryFrom<String> for Pseudonym {
    type Error = CryptoError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_survives_its_text_and_json() {
        let pseudonym = Pseudonym::from_bytes([0xab; 32]);
        assert_eq!(pseudonym.to_string().parse(), Ok(pseudonym));
        let json = serde_json::to_string(&pseudonym).unwrap();
        assert_eq!(serde_json::from_str::<Pseudonym>(&json).unwrap(), pseudonym);
        assert_eq!(format!("{pseudonym:?}"), "Pseudonym(abababab..)");
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in ["", "ab", &"AB".repeat(32), &"ab".repeat(33), &"zz".repeat(32)] {
            assert_eq!(text.parse::<Pseudonym>(), Err(CryptoError::PseudonymMalformed));
        }
    }
}
