//! The public half of a signing key.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use snowball_protocol::Sha256Digest;

use crate::{CryptoError, Signature};

/// An Ed25519 public key (RFC 8032); written as 44 characters of standard base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct VerifyingKey([u8; 32]);

impl VerifyingKey {
    /// Wraps the 32 bytes of RFC 8032. Bytes that are no point of the curve verify nothing.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of RFC 8032.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `signature` is this key's over exactly `message`.
    ///
    /// # Errors
    /// [`CryptoError::SignatureMismatch`] when it is not.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), CryptoError> {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(message, signature.as_bytes())
            .map_err(|_| CryptoError::SignatureMismatch)
    }

    /// SHA-256 of the 32 bytes: what two people compare aloud.
    #[must_use]
    pub fn fingerprint(&self) -> Sha256Digest {
        Sha256Digest::of(&self.0)
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "VerifyingKey({self})")
    }
}

impl FromStr for VerifyingKey {
    type Err = CryptoError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Room for one byte more than a key: the decoder estimates 33 from 44 characters.
        let mut bytes = [0; 33];
        match STANDARD.decode_slice(text, &mut bytes) {
            Ok(32) => Ok(Self(
                bytes[..32].try_into().map_err(|_| CryptoError::PublicKeyMalformed)?,
            )),
            _ => Err(CryptoError::PublicKeyMalformed),
        }
    }
}

impl From<VerifyingKey> for String {
    fn from(key: VerifyingKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for VerifyingKey {
    type Error = CryptoError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_text_and_json() {
        let key = VerifyingKey::from_bytes([9; 32]);
        assert_eq!(key.to_string().len(), 44);
        assert_eq!(key.to_string().parse(), Ok(key));
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<VerifyingKey>(&json).unwrap(), key);
        assert_eq!(key.fingerprint(), Sha256Digest::of(&[9; 32]));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for length in [0, 16, 31, 33, 64] {
            assert_eq!(
                STANDARD.encode(vec![1; length]).parse::<VerifyingKey>(),
                Err(CryptoError::PublicKeyMalformed)
            );
        }
        // The last character carries four bits that belong to no byte: only their zero form is the key's one spelling.
        let text = VerifyingKey::from_bytes([0; 32]).to_string().replace("A=", "B=");
        assert!(text.parse::<VerifyingKey>().is_err());
        assert!("é".parse::<VerifyingKey>().is_err());
    }

    #[test]
    fn bytes_that_are_no_point_verify_nothing() {
        let signature = Signature::from_bytes([0; 64]);
        assert_eq!(
            VerifyingKey::from_bytes([0xff; 32]).verify(b"", &signature),
            Err(CryptoError::SignatureMismatch)
        );
    }
}
