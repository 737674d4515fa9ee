//! How a hospital joins: one invitation, one request, one approval.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    digest::Sha256Digest,
    ids::{EnrolmentId, SiteName, UnixSeconds},
};

const PREFIX: &str = "snowball-invitation:";
/// An invitation of ours has about 400 characters.
const LINE_CHARACTERS_MAX: usize = 4096;
/// Digits at the end of the line that a slip in copying does not survive.
const CHECK_DIGITS: usize = 8;

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
    /// When it was made, by the aggregator's clock.
    pub made: UnixSeconds,
    /// When the token ends.
    pub expires: UnixSeconds,
}

/// A text that should have been an invitation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MalformedInvitation {
    /// Something else.
    #[error("not an invitation: it starts with {PREFIX} and is one line without spaces; copy it whole")]
    SomethingElse,
    /// It was one.
    #[error(
        "the invitation was altered or cut on its way: its last {CHECK_DIGITS} digits do not fit the rest; copy the coordinator's line \
         again, whole, or ask for a new one"
    )]
    Altered,
    /// Made by a program of another version.
    #[error(
        "the invitation is whole, but not one that this version understands; compare the versions of node and aggregator"
    )]
    OtherVersion,
}

impl Invitation {
    /// One line to paste.
    #[must_use]
    pub fn to_line(&self) -> String {
        // Strings, a digest and numbers always serialise.
        let json = serde_json::to_vec(self).unwrap_or_default();
        let body = URL_SAFE_NO_PAD.encode(json);
        format!("{PREFIX}{body}.{}", check_digits(&body))
    }

    /// Reads what [`to_line`](Self::to_line) wrote.
    ///
    /// # Errors
    /// When the text is anything else, or not whole.
    pub fn from_line(line: &str) -> Result<Self, MalformedInvitation> {
        let line = line.trim();
        let rest = line
            .strip_prefix(PREFIX)
            .filter(|_| line.len() <= LINE_CHARACTERS_MAX)
            .ok_or(MalformedInvitation::SomethingElse)?;
        let (body, digits) = rest.split_once('.').ok_or(MalformedInvitation::Altered)?;
        if digits != check_digits(body) {
            return Err(MalformedInvitation::Altered);
        }
        let json = URL_SAFE_NO_PAD
            .decode(body)
            .map_err(|_| MalformedInvitation::OtherVersion)?;
        serde_json::from_slice(&json).map_err(|_| MalformedInvitation::OtherVersion)
    }
}

/// Not against an enemy, who can compute them too: the token is what counts.
fn check_digits(body: &str) -> String {
    let digest = Sha256Digest::of(format!("{PREFIX}{body}").as_bytes());
    hex::encode(digest.as_bytes())[..CHECK_DIGITS].to_owned()
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
            made: 1_799_000_000,
            expires: 1_800_000_000,
        };
        let line = invitation.to_line();
        assert!(Invitation::from_line(&format!(" {line}\n")).is_ok_and(|read| read == invitation));
        let refusal = |line: &str| Invitation::from_line(line).err();
        for end in PREFIX.len()..line.len() {
            assert_eq!(
                refusal(&line[..end]),
                Some(MalformedInvitation::Altered),
                "cut at {end}"
            );
        }
        for place in PREFIX.len()..line.len() {
            let other = if line.as_bytes()[place] == b'x' { "y" } else { "x" };
            let mut altered = line.clone();
            altered.replace_range(place..=place, other);
            assert_eq!(
                refusal(&altered),
                Some(MalformedInvitation::Altered),
                "altered at {place}"
            );
        }
        for other in ["hello", "", "snowball-invitation", &line.repeat(20)] {
            assert_eq!(refusal(other), Some(MalformedInvitation::SomethingElse));
        }
        let body = URL_SAFE_NO_PAD.encode("{}");
        let later = format!("{PREFIX}{body}.{}", check_digits(&body));
        assert_eq!(refusal(&later), Some(MalformedInvitation::OtherVersion));
    }
}
