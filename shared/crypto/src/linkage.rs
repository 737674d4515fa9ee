//! The way back from a pseudonym, for the linkage vault alone: what a hospital calls a patient, sealed where it is read.

use zeroize::Zeroizing;

use crate::{CryptoError, Pseudonym, VaultKeys};

/// A sealed link is a whole number of these, so that its length says little of a name's.
const BLOCK_BYTES: usize = 128;

/// What a hospital calls a patient and an examination. It can neither be printed nor serialised: whoever shows it must name
/// the field. Overwritten when dropped.
pub struct Originals {
    /// The patient's number.
    pub patient: Zeroizing<String>,
    /// The Study Instance UID.
    pub study: Zeroizing<String>,
    /// The accession number, where there is one.
    pub accession: Option<Zeroizing<String>>,
}

/// A sealed link. Outside the vault it is bytes without meaning; intake makes it and the vault keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct Linkage {
    /// The patient's mark under the vault's key.
    pub patient: [u8; 32],
    /// The study's mark under the vault's key.
    pub study: [u8; 32],
    /// The sealed originals.
    pub sealed: Vec<u8>,
}

impl VaultKeys {
    /// Seals the link from the pseudonyms of a patient and a study to what the hospital calls them.
    ///
    /// # Errors
    /// [`CryptoError::Randomness`] when the operating system gives no nonce.
    pub fn link(&self, patient: &Pseudonym, study: &Pseudonym, originals: &Originals) -> Result<Linkage, CryptoError> {
        let mut content = Zeroizing::new(Vec::with_capacity(4 * BLOCK_BYTES));
        let accession = originals.accession.as_ref().map_or("", |accession| accession.as_str());
        for text in [originals.patient.as_str(), originals.study.as_str(), accession] {
            // DICOM bounds these at 64 characters; a hostile file may have more, which is cut.
            let bytes = &text.as_bytes()[..text.floor_char_boundary(1024)];
            content.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
            content.extend_from_slice(bytes);
        }
        let padded = content.len().next_multiple_of(BLOCK_BYTES);
        content.resize(padded, 0);
        let (patient, study) = (self.marks.mark(patient), self.marks.mark(study));
        Ok(Linkage {
            sealed: self.links.seal(&place(&patient, &study), &content)?,
            patient,
            study,
        })
    }

    /// Opens a link.
    ///
    /// # Errors
    /// [`CryptoError::SealBroken`] when it was made under another key, changed or moved.
    pub fn unlink(&self, linkage: Linkage) -> Result<Originals, CryptoError> {
        let place = place(&linkage.patient, &linkage.study);
        let content = Zeroizing::new(self.links.open(&place, linkage.sealed)?);
        let mut rest = &content[..];
        let mut text = || -> Option<Zeroizing<String>> {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let (bytes, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
            rest = after;
            Some(Zeroizing::new(String::from_utf8(bytes.to_vec()).ok()?))
        };
        let mut next = || text().ok_or(CryptoError::SealBroken);
        let (patient, study, accession) = (next()?, next()?, next()?);
        Ok(Originals {
            patient,
            study,
            accession: (!accession.is_empty()).then_some(accession),
        })
    }
}

fn place(patient: &[u8; 32], study: &[u8; 32]) -> Vec<u8> {
    [b"link 1".as_slice(), patient, study].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VaultSecret;

    fn originals(patient: &str) -> Originals {
        Originals {
            patient: Zeroizing::new(patient.to_owned()),
            study: Zeroizing::new("1.2.3".to_owned()),
            accession: None,
        }
    }

    #[test]
    fn a_link_opens_in_its_own_vault_only() {
        let (patient, study) = (Pseudonym::from_bytes([1; 32]), Pseudonym::from_bytes([2; 32]));
        let secret = VaultSecret::generate().unwrap();
        let keys = secret.vault("a");
        let link = keys.link(&patient, &study, &originals("É 4711")).unwrap();
        let opened = keys.unlink(link.clone()).unwrap();
        assert_eq!((opened.patient.as_str(), opened.study.as_str()), ("É 4711", "1.2.3"));
        assert!(opened.accession.is_none());
        let other = secret.vault("b").unlink(link.clone()).err();
        assert_eq!(other, Some(CryptoError::SealBroken));
        let moved = Linkage {
            patient: [9; 32],
            ..link
        };
        assert_eq!(keys.unlink(moved).err(), Some(CryptoError::SealBroken));
    }

    #[test]
    fn lengths_say_little_and_hostile_ones_are_cut() {
        let (patient, study) = (Pseudonym::from_bytes([1; 32]), Pseudonym::from_bytes([2; 32]));
        let keys = VaultSecret::generate().unwrap().vault("a");
        let bytes = |name: &str| keys.link(&patient, &study, &originals(name)).unwrap().sealed.len();
        assert_eq!(bytes("1"), bytes("1234567890123456"));
        let long = keys.link(&patient, &study, &originals(&"é".repeat(100_000))).unwrap();
        assert_eq!(keys.unlink(long).unwrap().patient.len(), 1024);
    }
}
