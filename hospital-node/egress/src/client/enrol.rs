//! First contact: with the invitation alone, before there is a certificate.

use snowball_protocol::{
    enrolment::{EnrolmentAccepted, EnrolmentQuery, EnrolmentRequest, EnrolmentStatus, Invitation},
    ids::EnrolmentId,
};
use snowball_service::tls;

use super::transport::{Body, ClientSettings, Transport};
use crate::error::EgressError;

/// The line to the aggregator of an invitation.
pub struct FirstContact {
    transport: Transport,
    token: String,
}

/// Sets up the line: TLS to the CA with the invitation's fingerprint and no other.
///
/// # Errors
/// When the address or proxy cannot be used.
pub fn enrol(invitation: &Invitation, proxy: Option<String>) -> Result<FirstContact, EgressError> {
    let config = tls::pinned_client(invitation.ca_fingerprint).map_err(|fault| EgressError::Setup {
        reason: fault.to_string(),
    })?;
    let settings = ClientSettings {
        address: invitation.address.clone(),
        proxy,
    };
    Ok(FirstContact {
        transport: Transport::new(&settings, config)?,
        token: invitation.token.clone(),
    })
}

impl FirstContact {
    /// Hands in the request for a certificate. Handing in the same request again gives the same id.
    ///
    /// # Errors
    /// When the aggregator refuses, is another one, or cannot be reached.
    pub async fn request(&self, request: &EnrolmentRequest) -> Result<EnrolmentAccepted, EgressError> {
        self.transport.post("v1/enrolments", &Body::of(request)).await
    }

    /// Asks whether the coordinator has decided.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn status(&self, enrolment: &EnrolmentId) -> Result<EnrolmentStatus, EgressError> {
        let query = EnrolmentQuery {
            token: self.token.clone(),
        };
        self.transport
            .post(&format!("v1/enrolments/{}", enrolment.0), &Body::of(&query))
            .await
    }
}
