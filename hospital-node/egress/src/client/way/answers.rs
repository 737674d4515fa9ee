//! Who shows a certificate at the end of the way, and what time it is there.

use serde::Deserialize;
use snowball_protocol::{Sha256Digest, ids::UnixSeconds};
use snowball_service::tls::{self, Mismatch};

use crate::{
    client::{
        enrol::{self, Issuer},
        transport::{ClientSettings, Transport},
    },
    error::EgressError,
};

/// Who answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seen {
    /// The aggregator, and its clock.
    Aggregator {
        /// What time it is there.
        clock: UnixSeconds,
    },
    /// The aggregator, whose certificate does not hold at this machine's time.
    OutOfTime {
        /// What time it is there, where it says so.
        clock: Option<UnixSeconds>,
        /// When its certificate begins.
        not_before: UnixSeconds,
        /// When it ends.
        not_after: UnixSeconds,
    },
    /// The aggregator, whose certificate is for other names.
    OtherName,
    /// Somebody else.
    Stranger {
        /// Who issued the certificate that was shown.
        issuer: String,
        /// Who that is likely to be.
        likely: Stranger,
    },
}

/// Who answers in the aggregator's place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stranger {
    /// A proxy that opens the traffic: its maker's name is in the issuer's.
    Inspection,
    /// Another aggregator.
    OtherConsortium,
    /// Cannot be told.
    Unknown,
}

#[derive(Deserialize)]
struct Health {
    clock: UnixSeconds,
}

/// Asks whoever answers for a certificate by one of the CAs with these fingerprints, and for the time.
///
/// # Errors
/// When nobody answers, or not by TLS 1.3.
pub async fn who_answers(settings: &ClientSettings, authorities: &[Sha256Digest]) -> Result<Seen, EgressError> {
    let mut last = Err(EgressError::Setup {
        reason: "no CA of the aggregator is known".to_owned(),
    });
    for authority in authorities {
        last = of_one(settings, *authority).await;
        // The next CA may be the one of this server.
        if !matches!(last, Ok(Seen::Stranger { .. })) {
            break;
        }
    }
    last
}

async fn of_one(settings: &ClientSettings, authority: Sha256Digest) -> Result<Seen, EgressError> {
    let setup = |fault: tls::TlsError| EgressError::Setup {
        reason: fault.to_string(),
    };
    let (config, sighting) = tls::watched_client(authority).map_err(setup)?;
    let transport = Transport::new(settings, config)?;
    let health: Result<Health, _> = transport.get("v1/health").await;
    Ok(match (health, sighting.mismatch()) {
        (Ok(health), _) => Seen::Aggregator { clock: health.clock },
        (Err(fault), None) => return Err(fault),
        (Err(_), Some(Mismatch::OtherName)) => Seen::OtherName,
        (Err(_), Some(Mismatch::OtherAuthority { issuer })) => Seen::Stranger {
            likely: match enrol::issuer_of(&issuer) {
                Issuer::OtherConsortium => Stranger::OtherConsortium,
                Issuer::Inspection => Stranger::Inspection,
                Issuer::Unknown => Stranger::Unknown,
            },
            issuer,
        },
        (Err(_), Some(Mismatch::OutOfTime { not_before, not_after })) => {
            let clock = Transport::new(settings, tls::clock_client(authority).map_err(setup)?)?;
            let health: Result<Health, _> = clock.get("v1/health").await;
            Seen::OutOfTime {
                clock: health.ok().map(|health| health.clock),
                not_before,
                not_after,
            }
        }
    })
}
