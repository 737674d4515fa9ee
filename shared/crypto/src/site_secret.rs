//! The one secret from which all of a hospital's pseudonyms come.

use std::fmt;

use zeroize::Zeroizing;

use crate::{CryptoError, PseudonymKey, hkdf, random_bytes};

const SALT: &[u8] = b"snowball site secret v1";

/// 32 random bytes that never leave the hospital. Who holds them can test whether a guessed identifier is behind a
/// pseudonym; who lacks them can not. Losing them makes every later import of known patients look new.
pub struct SiteSecret(Zeroizing<[u8; 32]>);

impl SiteSecret {
    /// A new secret from the operating system's generator.
    ///
    /// # Errors
    /// [`CryptoError::Randomness`] when it gives no bytes.
    pub fn generate() -> Result<Self, CryptoError> {
        Ok(Self(Zeroizing::new(random_bytes()?)))
    }

    /// Reads what [`to_hex`](Self::to_hex) wrote; blanks and line ends around it are ignored.
    ///
    /// # Errors
    /// [`CryptoError::SecretMalformed`] when it is not 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Result<Self, CryptoError> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), &mut bytes[..]).map_err(|_| CryptoError::SecretMalformed)?;
        Ok(Self(bytes))
    }

    /// The secret as 64 hexadecimal digits, for its own file and nothing else.
    #[must_use]
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(&self.0[..]))
    }

    /// The key for the pseudonyms of `project`, by HKDF-SHA-256 (RFC 5869). Pseudonyms of two projects share nothing,
    /// so data released for one cannot be joined with data released for the other.
    #[must_use]
    pub fn project(&self, project: &str) -> PseudonymKey {
        PseudonymKey::new(&self.derive(b"project\0", project))
    }

    /// The key for one purpose of `project`; [`crate::derived`] lists the labels, which end in NUL.
    pub(crate) fn derive(&self, label: &[u8], project: &str) -> Zeroizing<[u8; 32]> {
        hkdf::derive(SALT, &self.0[..], &[label, project.as_bytes()])
    }
}

impl fmt::Debug for SiteSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SiteSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Domain;

    #[test]
    fn a_secret_survives_its_text_and_no_other_text_is_one() {
        let secret = SiteSecret::generate().unwrap();
        let copy = SiteSecret::from_hex(&format!("{}\n", *secret.to_hex())).unwrap();
        assert_eq!(secret.to_hex(), copy.to_hex());
        let short = "0".repeat(63);
        let long = "0".repeat(65);
        let other = "g".repeat(64);
        for text in ["", "é", &short, &long, &other] {
            assert_eq!(SiteSecret::from_hex(text).err(), Some(CryptoError::SecretMalformed));
        }
    }

    #[test]
    fn projects_and_sites_share_no_pseudonym() {
        let (one, two) = (
            SiteSecret::from_hex(&"01".repeat(32)).unwrap(),
            SiteSecret::from_hex(&"02".repeat(32)).unwrap(),
        );
        let pseudonym = |secret: &SiteSecret, project| secret.project(project).pseudonym(Domain::Patient, "1234");
        assert_eq!(pseudonym(&one, "a"), pseudonym(&one, "a"));
        assert_ne!(pseudonym(&one, "a"), pseudonym(&one, "b"));
        assert_ne!(pseudonym(&one, "a"), pseudonym(&two, "a"));
    }

    #[test]
    fn debug_output_holds_no_secret() {
        assert_eq!(
            format!("{:?}", SiteSecret::from_hex(&"01".repeat(32)).unwrap()),
            "SiteSecret(..)"
        );
    }
}
