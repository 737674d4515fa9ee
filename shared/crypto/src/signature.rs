//! Ed25519 signatures (RFC 8032) as values.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::CryptoError;

/// An Ed25519 signature; written as 88 characters of standard base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Signature([u8; 64]);

impl Signature {
    /// Wraps 64 bytes; whether they are a signature of anything only [`verify`](crate::VerifyingKey::verify) tells.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The 64 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Signature({self})")
    }
}

impl FromStr for Signature {
    type Err = CryptoError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 64];
        match STANDARD.decode_slice(text, &mut bytes) {
            Ok(64) => Ok(Self(bytes)),
            _ => Err(CryptoError::SignatureMalformed),
        }
    }
}

impl From<Signature> for String {
    fn from(signature: Signature) -> Self {
        signature.to_string()
    }
}

impl TryFrom<String> for Signature {
    type Error = CryptoError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_signature_survives_its_text(bytes in prop::array::uniform32(any::<u8>())) {
            let mut whole = [0; 64];
            whole[..32].copy_from_slice(&bytes);
            whole[32..].copy_from_slice(&bytes);
            let signature = Signature::from_bytes(whole);
            prop_assert_eq!(signature.to_string().parse(), Ok(signature));
            let json = serde_json::to_string(&signature).unwrap();
            prop_assert_eq!(serde_json::from_str::<Signature>(&json).unwrap(), signature);
        }

        #[test]
        fn any_text_is_read_or_refused_without_panic(text in ".{0,120}") {
            let _ = text.parse::<Signature>();
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        for length in [0, 1, 32, 63, 65, 66, 1000] {
            let text = STANDARD.encode(vec![7; length]);
            assert_eq!(text.parse::<Signature>(), Err(CryptoError::SignatureMalformed));
        }
    }
}
