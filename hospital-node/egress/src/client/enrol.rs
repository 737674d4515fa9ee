//! First contact: with the invitation alone, before there is a certificate.

use serde::Deserialize;
use snowball_protocol::{
    enrolment::{EnrolmentAccepted, EnrolmentQuery, EnrolmentRequest, EnrolmentStatus, Invitation},
    ids::{EnrolmentId, UnixSeconds},
};
use snowball_service::tls::{self, Mismatch, Sighting};

use super::transport::{Body, ClientSettings, Transport};
use crate::error::EgressError;

/// Makers of what hospitals put between themselves and the world, as they name their CAs.
const INSPECTORS: [&str; 20] = [
    "zscaler",
    "fortinet",
    "fortigate",
    "palo alto",
    "blue coat",
    "bluecoat",
    "netskope",
    "sophos",
    "umbrella",
    "check point",
    "checkpoint",
    "forcepoint",
    "websense",
    "skyhigh",
    "mcafee",
    "watchguard",
    "barracuda",
    "kaspersky",
    "proxy",
    "inspection",
];
/// What the aggregator names its own, with a number behind.
const OUR_AUTHORITIES: &str = "Snowball CA";

/// The line to the aggregator of an invitation.
pub struct FirstContact {
    transport: Transport,
    sighting: Sighting,
    clock: Transport,
    token: String,
}

#[derive(Deserialize)]
struct Health {
    clock: UnixSeconds,
}

/// Sets up the line: TLS to the CA with the invitation's fingerprint and no other.
///
/// # Errors
/// When the address or proxy cannot be used.
pub fn enrol(invitation: &Invitation, proxy: Option<String>) -> Result<FirstContact, EgressError> {
    let setup = |fault: tls::TlsError| EgressError::Setup {
        reason: fault.to_string(),
    };
    let (config, sighting) = tls::watched_client(invitation.ca_fingerprint).map_err(setup)?;
    let settings = ClientSettings {
        address: invitation.address.clone(),
        proxy,
    };
    Ok(FirstContact {
        transport: Transport::new(&settings, config)?,
        sighting,
        clock: Transport::new(&settings, tls::clock_client(invitation.ca_fingerprint).map_err(setup)?)?,
        token: invitation.token.clone(),
    })
}

impl FirstContact {
    /// What time it is at the aggregator: the first thing to ask, since nothing else works with a wrong clock. It is the right
    /// aggregator also where its certificate does not hold at this machine's time.
    ///
    /// # Errors
    /// When it is another one, or cannot be reached.
    pub async fn clock(&self) -> Result<UnixSeconds, EgressError> {
        let health: Result<Health, _> = self.transport.get("v1/health").await;
        match (health, self.sighting.mismatch()) {
            (Err(_), Some(Mismatch::OutOfTime { .. })) => {
                let health: Health = self.clock.get("v1/health").await?;
                Ok(health.clock)
            }
            (health, _) => self.judged(health).map(|health| health.clock),
        }
    }

    /// Whether the aggregator's certificate holds at this machine's time, as far as it was seen.
    ///
    /// # Errors
    /// When it does not.
    pub fn check_time(&self) -> Result<(), EgressError> {
        match self.sighting.mismatch() {
            Some(mismatch @ Mismatch::OutOfTime { .. }) => Err(stranger(&mismatch)),
            _ => Ok(()),
        }
    }

    /// Hands in the request for a certificate. Handing in the same request again gives the same id.
    ///
    /// # Errors
    /// When the aggregator refuses, is another one, or cannot be reached.
    pub async fn request(&self, request: &EnrolmentRequest) -> Result<EnrolmentAccepted, EgressError> {
        self.judged(self.transport.post("v1/enrolments", &Body::of(request)).await)
    }

    /// Asks whether the coordinator has decided.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn status(&self, enrolment: &EnrolmentId) -> Result<EnrolmentStatus, EgressError> {
        let query = EnrolmentQuery {
            token: self.token.clone(),
        };
        let path = format!("v1/enrolments/{}", enrolment.0);
        self.judged(self.transport.post(&path, &Body::of(&query)).await)
    }

    /// A line that broke because somebody else answered is no line to wait for.
    fn judged<T>(&self, answer: Result<T, EgressError>) -> Result<T, EgressError> {
        match (answer, self.sighting.mismatch()) {
            (Err(EgressError::Unreachable { .. } | EgressError::Handshake(_)), Some(mismatch)) => {
                Err(stranger(&mismatch))
            }
            (answer, _) => answer,
        }
    }
}

/// Whose CA it is, as far as its name tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Issuer {
    OtherConsortium,
    Inspection,
    Unknown,
}

/// Reads the name of whoever issued a certificate that is not the aggregator's.
pub(super) fn issuer_of(name: &str) -> Issuer {
    let lower = name.to_lowercase();
    if name.contains(OUR_AUTHORITIES) {
        Issuer::OtherConsortium
    } else if INSPECTORS.iter().any(|maker| lower.contains(maker)) {
        Issuer::Inspection
    } else {
        Issuer::Unknown
    }
}

fn stranger(mismatch: &Mismatch) -> EgressError {
    let (reason, remedy) = match mismatch {
        Mismatch::OtherAuthority { issuer } => {
            let (what, remedy) = match issuer_of(issuer) {
                Issuer::OtherConsortium => (
                    "it is the aggregator of another consortium, or one that was made anew",
                    "ask the coordinator whether the address is right, and for a new invitation",
                ),
                Issuer::Inspection => (
                    "it looks like a proxy that opens and inspects the traffic",
                    "ask network IT to exempt this host and port from TLS inspection: the connection works only unopened",
                ),
                Issuer::Unknown => (
                    "somebody stands in between, such as a proxy that inspects the traffic, or the address is another host's",
                    "ask network IT whether TLS is inspected here, and for an exception for this host and port; if it is not, tell the \
                     coordinator",
                ),
            };
            let reason = format!(
                "this is not the aggregator of the invitation: the certificate that was shown is by \"{issuer}\", not by the CA of \
                 the invitation; {what}. Nothing was sent"
            );
            (reason, remedy)
        }
        Mismatch::OtherName => (
            "this is the aggregator of the invitation, but its certificate is not for the invitation's address. Nothing was sent"
                .to_owned(),
            "ask the coordinator to add the address to `names` in aggregator.toml and to renew the server's certificate",
        ),
        Mismatch::OutOfTime { .. } => (
            "the aggregator's certificate does not hold at this machine's time. Nothing was sent".to_owned(),
            "compare this machine's clock; if it is right, ask the coordinator to restart aggregator serve, which renews it",
        ),
    };
    EgressError::Stranger { reason, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_stands_in_between_is_named_with_what_to_do() {
        let says = |issuer: &str| {
            let issuer = issuer.to_owned();
            stranger(&Mismatch::OtherAuthority { issuer }).to_string()
        };
        let inspected = says("C=US, O=Zscaler Inc., CN=Zscaler Intermediate Root CA");
        assert!(inspected.contains("Zscaler Intermediate") && inspected.contains("exempt this host and port"));
        assert!(says("CN=Other Snowball CA").contains("another consortium"));
        let unknown = says("CN=Somebody");
        assert!(
            unknown.contains("\"CN=Somebody\"")
                && unknown.contains("network IT")
                && unknown.contains("Nothing was sent")
        );
        for mismatch in [
            Mismatch::OtherName,
            Mismatch::OutOfTime {
                not_before: 0,
                not_after: 0,
            },
        ] {
            assert!(!stranger(&mismatch).is_transient());
        }
    }
}
