//! The consortium's certification authorities, and how nodes learn of the next one.
//!
//! A rotation has three steps: the next CA is added and trusted beside the one before; nodes take it over and get a
//! certificate from it; the one before is retired. The list is signed with the aggregator's Ed25519 key, which a node has kept
//! since its enrolment, so that whoever stole a CA's key cannot put another CA beside it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;

/// The CAs that a consortium trusts at one time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TrustedAuthorities {
    /// Grows with each change; a node never goes back to a lower one.
    pub number: u64,
    /// Their certificates, PEM, oldest first: the first has signed the server, the last signs sites.
    pub certificates_pem: Vec<String>,
}

impl TrustedAuthorities {
    /// The bytes that are signed: canonical JSON behind a line that says what they are.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = b"snowball authorities v1\n".to_vec();
        bytes.extend(crate::plan::canonical_json(self));
        bytes
    }
}

/// Answer to `GET /v1/authorities`, which a node asks at each heartbeat.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SignedAuthorities {
    /// The CAs.
    pub authorities: TrustedAuthorities,
    /// Ed25519 (RFC 8032) over [`TrustedAuthorities::signed_bytes`], base64.
    pub signature: String,
    /// Which CAs this site has said that it trusts, by fingerprint.
    pub confirmed: Vec<Sha256Digest>,
}

/// `POST /v1/authorities`: the site trusts these CAs from now on, and no others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthoritiesKept {
    /// SHA-256 of each certificate in DER, in the order of the list.
    pub fingerprints: Vec<Sha256Digest>,
}
