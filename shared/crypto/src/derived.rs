//! Which keys come from which secret: the whole hierarchy in one table.
//!
//! | secret (file) | salt of HKDF-SHA-256 | info | what the key does |
//! |---|---|---|---|
//! | site (`keys/site.secret`) | `snowball site secret v1` | `project\0NAME` | HMAC: pseudonyms, UIDs, date shifts of a project |
//! | site | same | `store pictures\0NAME` | seals the kept pictures in the packs |
//! | site | same | `store facts\0NAME` | seals what the database knows of radiographs and reviews |
//! | site | same | `store quarantine\0NAME` | seals the files that wait for a person |
//! | site | same | `store datasets\0NAME` | wraps the random key of each frozen dataset |
//! | site | same | `residuals\0NAME` | seals what updates left over that waits for the next update |
//! | site | same | `store marks\0NAME` | HMAC: marks of withdrawn patients, which stand where a pseudonym must not |
//! | vault (`keys/vault.secret`) | `snowball vault secret v1` | `vault links\0NAME` | seals the links from pseudonyms to identifiers |
//! | vault | same | `vault marks\0NAME` | HMAC: under which mark a link is found |
//!
//! `NAME` is the project of `node.toml`; labels hold no NUL, so no two rows ever expand the same text. A dataset's own key
//! and both secrets are 32 random bytes of the operating system. The vault's secret is not derived from the site's, so that it
//! can be destroyed alone. TLS and ledger keys are Ed25519 and ECDSA keys of their own and have no part in this.

use std::fmt;

use ring::hmac;
use zeroize::Zeroizing;

use crate::{CryptoError, Pseudonym, SealingKey, SiteSecret, hkdf, random_bytes};

const VAULT_SALT: &[u8] = b"snowball vault secret v1";

/// The keys of a project's store, made by [`SiteSecret::store`].
#[derive(Debug)]
pub struct StoreKeys {
    /// Seals pictures.
    pub pictures: SealingKey,
    /// Seals facts.
    pub facts: SealingKey,
    /// Seals the files of the quarantine.
    pub quarantine: SealingKey,
    /// Wraps the keys of frozen datasets.
    pub datasets: SealingKey,
    /// Marks patients who withdrew.
    pub marks: MarkKey,
}

impl SiteSecret {
    /// The keys of the store of `project`.
    #[must_use]
    pub fn store(&self, project: &str) -> StoreKeys {
        let key = |label: &[u8]| self.derive(label, project);
        StoreKeys {
            pictures: SealingKey::new(&key(b"store pictures\0")),
            facts: SealingKey::new(&key(b"store facts\0")),
            quarantine: SealingKey::new(&key(b"store quarantine\0")),
            datasets: SealingKey::new(&key(b"store datasets\0")),
            marks: MarkKey::new(&key(b"store marks\0")),
        }
    }
}

impl SiteSecret {
    /// The key that seals what updates of `project` left over.
    #[must_use]
    pub fn residuals(&self, project: &str) -> SealingKey {
        SealingKey::new(&self.derive(b"residuals\0", project))
    }
}

/// The keys of a project's linkage vault, made by [`VaultSecret::vault`].
#[derive(Debug)]
pub struct VaultKeys {
    /// Seals links.
    pub links: SealingKey,
    /// Says under which mark a link is found.
    pub marks: MarkKey,
}

/// 32 random bytes that alone open the linkage vault. Destroying them destroys the way back from a pseudonym to a person.
pub struct VaultSecret(Zeroizing<[u8; 32]>);

impl VaultSecret {
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

    /// The keys of the vault of `project`.
    #[must_use]
    pub fn vault(&self, project: &str) -> VaultKeys {
        let key = |label: &[u8]| hkdf::derive::<32>(VAULT_SALT, &self.0[..], &[label, project.as_bytes()]);
        VaultKeys {
            links: SealingKey::new(&key(b"vault links\0")),
            marks: MarkKey::new(&key(b"vault marks\0")),
        }
    }
}

impl fmt::Debug for VaultSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("VaultSecret(..)")
    }
}

/// Makes marks: HMAC-SHA-256 of a pseudonym, which the holder of the key can find again and nobody can read.
pub struct MarkKey(hmac::Key);

impl MarkKey {
    fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The mark of a pseudonym.
    #[must_use]
    pub fn mark(&self, pseudonym: &Pseudonym) -> [u8; 32] {
        let tag = hmac::sign(&self.0, pseudonym.as_bytes());
        tag.as_ref().try_into().expect("hmac-sha-256 gives 32 bytes")
    }
}

impl fmt::Debug for MarkKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MarkKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change of these would close every store and vault that hospitals have. Computed with Python's `hmac` by RFC 5869.
    #[test]
    fn the_keys_never_change() {
        let secret = SiteSecret::from_hex(&"42".repeat(32)).unwrap();
        let site = |label: &[u8]| hex::encode(&secret.derive(label, "snowball")[..]);
        assert_eq!(
            site(b"store pictures\0"),
            "b1ee3364c8ec5e8d34fc1293e2aaeb3ec7f85ea4694e77713a2a8b1ae09c886e"
        );
        assert_eq!(
            site(b"project\0"),
            "01a0dba96b700bc5fdf361ab781cbb99a513c412c502c70aa641453afa977cfd"
        );
        let vault = VaultSecret::from_hex(&"43".repeat(32)).unwrap().vault("snowball");
        let mark = vault.marks.mark(&Pseudonym::from_bytes([1; 32]));
        assert_eq!(
            hex::encode(mark),
            "2acf13fb2c533d01a11e9f5b7f66b4d49a20939c7721bcaaded21c8dbb00a796"
        );
    }

    #[test]
    fn purposes_and_projects_share_nothing() {
        let secret = SiteSecret::from_hex(&"42".repeat(32)).unwrap();
        let keys = secret.store("a");
        let sealed = keys.pictures.seal(b"", b"pixels").unwrap();
        for other in [
            &keys.facts,
            &keys.quarantine,
            &keys.datasets,
            &secret.store("b").pictures,
        ] {
            assert_eq!(other.open(b"", sealed.clone()), Err(CryptoError::SealBroken));
        }
        assert_eq!(secret.store("a").pictures.open(b"", sealed).unwrap(), b"pixels");
        let patient = Pseudonym::from_bytes([1; 32]);
        assert_ne!(keys.marks.mark(&patient), secret.store("b").marks.mark(&patient));
        assert_ne!(&keys.marks.mark(&patient), patient.as_bytes());
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let secret = VaultSecret::generate().unwrap();
        assert_eq!(format!("{secret:?}"), "VaultSecret(..)");
        assert!(!format!("{:?}", secret.vault("a")).contains(char::is_numeric));
        assert_eq!(
            VaultSecret::from_hex(&secret.to_hex()).unwrap().to_hex(),
            secret.to_hex()
        );
        assert!(VaultSecret::from_hex("no").is_err());
    }
}
