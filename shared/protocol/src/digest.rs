//! SHA-256 digests as values: parsed once, printed as `sha256:<64 hex digits>`.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest (FIPS 180-4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub struct Sha256Digest([u8; 32]);

/// A text that should have been a digest.
#[derive(Debug, thiserror::Error)]
#[error("a digest is written sha256: and 64 hexadecimal digits")]
pub struct MalformedDigest;

impl Sha256Digest {
    /// Wraps 32 bytes that a hash function produced.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest of `content`.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// All hex digits and nothing before them, as `sha256sum` writes and reads them.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The first eight hex digits: enough for a person to tell two documents apart, never enough to trust.
    #[must_use]
    pub fn short(&self) -> String {
        hex::encode(&self.0[..4])
    }

    /// The first sixteen hex digits in groups of four: what two people compare aloud. Nobody finds a second key with the same ones.
    #[must_use]
    pub fn spoken(&self) -> String {
        let group = |bytes: &[u8]| hex::encode(bytes);
        self.0[..8].chunks(2).map(group).collect::<Vec<_>>().join("-")
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Sha256Digest {
    type Err = MalformedDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("sha256:").ok_or(MalformedDigest)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| MalformedDigest)?;
        Ok(Self(bytes))
    }
}

impl From<Sha256Digest> for String {
    fn from(digest: Sha256Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Sha256Digest {
    type Error = MalformedDigest;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A digest that is built up as bytes go by, so that nothing has to be read twice.
#[derive(Clone, Default)]
pub struct RunningDigest(Sha256);

impl RunningDigest {
    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything taken in.
    #[must_use]
    pub fn finish(self) -> Sha256Digest {
        Sha256Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_abc_is_the_one_of_fips_180() {
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Sha256Digest::of(b"abc").to_string(), text);
        assert_eq!(text.parse::<Sha256Digest>().ok(), Some(Sha256Digest::of(b"abc")));
    }

    #[test]
    fn a_running_digest_equals_the_one_in_one_piece() {
        let mut running = RunningDigest::default();
        running.update(b"a");
        running.update(b"bc");
        assert_eq!(running.finish(), Sha256Digest::of(b"abc"));
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        for text in ["", "sha256:", "sha256:zz", "md5:00", &"0".repeat(64)] {
            assert!(text.parse::<Sha256Digest>().is_err(), "{text}");
        }
    }
}
