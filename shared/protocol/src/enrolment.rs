//! How a hospital joins: one invitation, one request, one approval.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    digest::Sha256Digest,
    ids::{EnrolmentId, SiteName, UnixSeconds},
};

const PREFIX: &str = "snowball-invitation:";

/// What the coordinator hands a hospital: enough to reach the right aggregator and to ask for a certificate, once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// Where the aggregator listens: `https://host:port`.
    pub address: String,
    /// SHA-256 of the consortium CA's certificate in DER; the node trusts no other.
    pub ca_fingerprint: Sha256Digest,
    /// For which site.
    pub site: SiteName,
    /// Single-use secret, 32 random bytes in base64url.
    pub token: String,
    /// When the token ends.
    pub expires: UnixSeconds,
}

/// A text that should have been an invitation.
#[derive(Debug, thiserror::Error)]
#[error("not an invitation: it starts with {PREFIX} and is one line without spaces; copy it whole")]
pub struct MalformedInvitation;

impl Invitation {
    /// One line to paste.
    #[must_use]
    pub fn to_line(&self) -> String {
        // Strings, a digest and a number always serialise.
        let json = serde_json::to_vec(self).unwrap_or_default();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json))
    }

    /// Reads what [`to_line`](Self::to_line) wrote.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn from_line(line: &str) -> Result<Self, MalformedInvitation> {
        let body = line.trim().strip_prefix(PREFIX).ok_or(MalformedInvitation)?;
        let json = URL_SAFE_NO_PAD.decode(body).map_err(|_| MalformedInvitation)?;
        serde_json::from_slice(&json).map_err(|_| MalformedInvitation)
    }
}

/// `POST /v1/enrolments`: a request for a certificate. The key it belongs to was made on site and stays there.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentRequest {
    /// For which site.
    pub site: SiteName,
    /// The invitation's token.
    pub token: String,
    /// PKCS#10 certificate signing request (RFC 2986) in PEM; its key is the node's TLS key.
    pub csr_pem: String,
    /// The node's Ed25519 key that signs its ledger, base64.
    pub ledger_key: String,
}

/// Answer to [`EnrolmentRequest`].
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct EnrolmentAccepted {
    /// Under which id to ask for the decision.
    pub enrolment: EnrolmentId,
    /// SHA-256 of the request's public key: both people compare its short form aloud.
    pub key_fingerprint: Sha256Digest,
}

/// `POST /v1/enrolments/{id}`: asks for the decision, with the token in the body so that no log holds it.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentQuery {
    /// The invitation's token.
    pub token: String,
}

/// Where an enrolment stands.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum EnrolmentStatus {
    /// The coordinator has not decided yet.
    Pending,
    /// Approved: the node's certificate and the consortium's CA.
    Approved {
        /// The node's certificate, PEM.
        certificate_pem: String,
        /// The CA certificate, PEM.
        ca_pem: String,
        /// The aggregator's Ed25519 key that signs receipts and its ledger, base64.
        aggregator_key: String,
    },
    /// Refused, with the coordinator's reason.
    Refused {
        /// Why.
        reason: String,
    },
}

/// `POST /v1/certificate`, over a connection with a certificate that still holds: the site asks for its next one. No person
/// approves it again; the site is the one that the present certificate names.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewalRequest {
    /// PKCS#10 certificate signing request (RFC 2986) in PEM, over a new key that was made on site and stays there.
    pub csr_pem: String,
}

/// Answer to [`RenewalRequest`]. The certificate before stays valid to its end, so that no transfer breaks.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Renewal {
    /// The new certificate, PEM.
    pub certificate_pem: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_survives_its_line_and_nothing_else_reads_as_one() {
        let invitation = Invitation {
            address: "https://localhost:7443".to_owned(),
            ca_fingerprint: Sha256Digest::of(b"ca"),
            site: "north".parse().unwrap(),
            token: "secret".to_owned(),
            expires: 1_800_000_000,
        };
        let line = invitation.to_line();
        assert!(Invitation::from_line(&format!(" {line}\n")).is_ok_and(|read| read == invitation));
        assert!(Invitation::from_line(&line[..line.len() - 3]).is_err());
        assert!(Invitation::from_line("hello").is_err());
    }
}
