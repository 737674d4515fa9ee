//! The key of one frozen dataset: random, for that dataset alone, and never on a disk in the clear.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use snowball_crypto::{CryptoError, SealingKey, random_bytes};
use zeroize::Zeroizing;

/// What opens one frozen dataset. It is serialised for one purpose, the job that goes to the trainer over its pipe: never
/// into a file, a log, an argument or an environment.
#[derive(Clone)]
pub struct DatasetKey(Zeroizing<[u8; 32]>);

/// A frozen dataset and what opens it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatasetSource {
    /// Its folder.
    pub folder: PathBuf,
    /// Its key.
    pub key: DatasetKey,
}

impl DatasetKey {
    /// A new key from the operating system's generator.
    ///
    /// # Errors
    /// [`CryptoError::Randomness`] when it gives no bytes.
    pub fn generate() -> Result<Self, CryptoError> {
        Ok(Self(Zeroizing::new(random_bytes()?)))
    }

    /// The key that these bytes are; `None` unless they are 32.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        (bytes.len() == key.len()).then(|| key.copy_from_slice(bytes))?;
        Some(Self(key))
    }

    /// The 32 bytes, to be wrapped.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn sealing(&self) -> SealingKey {
        SealingKey::new(&self.0)
    }
}

impl fmt::Debug for DatasetKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DatasetKey(..)")
    }
}

impl Serialize for DatasetKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(hex::encode(&self.0[..])))
    }
}

impl<'de> Deserialize<'de> for DatasetKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let mut key = Zeroizing::new([0; 32]);
        // Not serde's own words: they would quote what came.
        hex::decode_to_slice(text.as_bytes(), &mut key[..]).map_err(|_| D::Error::custom("not a dataset's key"))?;
        Ok(Self(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_crosses_the_pipe_and_is_shown_to_nobody() {
        let key = DatasetKey::generate().unwrap();
        let source = DatasetSource {
            folder: "set".into(),
            key: key.clone(),
        };
        assert!(!format!("{source:?}").contains(&hex::encode(key.as_bytes())));
        let crossed: DatasetSource = serde_json::from_str(&serde_json::to_string(&source).unwrap()).unwrap();
        assert_eq!(crossed.key.as_bytes(), key.as_bytes());
        let fault = serde_json::from_str::<DatasetKey>("\"secret\"")
            .unwrap_err()
            .to_string();
        assert!(!fault.contains("secret"), "{fault}");
        assert!(DatasetKey::from_bytes(&[1; 31]).is_none());
    }
}
