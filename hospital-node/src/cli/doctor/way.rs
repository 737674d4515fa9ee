//! The way to the aggregator, step by step; the first step that fails ends it, since the later ones lead over it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use snowball_egress::client::{
    ClientSettings,
    way::{Host, ProxyAddress, Seen},
};
use snowball_protocol::{Sha256Digest, enrolment::Invitation};
use snowball_service::{
    clock,
    doctor::{Finding, State},
    tls,
};

use super::{connection, port, proxy, resolution, tls as certificates};
use crate::{authorities, config::NodeConfig, home::Home};

/// For all questions over TLS together: whoever waits at a screen has learned enough.
const ANSWER_SECONDS_MAX: u64 = 30;

/// Where the aggregator is, and by which CA it is known.
pub struct Way {
    /// `https://host:port`.
    pub address: String,
    pub host: Host,
    /// SHA-256 of each CA that may have signed its certificate.
    authorities: Vec<Sha256Digest>,
    /// Whether it leads to the aggregator that this node enrolled with, and knows its certificate.
    is_enrolled: bool,
}

impl Way {
    /// To the aggregator of the enrolment, or, before that, to that of an invitation.
    pub fn of(home: &Home, invitation: Option<&Invitation>) -> Result<Self> {
        let (address, authorities) = match invitation {
            Some(invitation) => (invitation.address.clone(), vec![invitation.ca_fingerprint]),
            None => {
                let aggregator = home.aggregator()?;
                let trusted = authorities::trusted(home).map(|trusted| trusted.certificates_pem);
                let fingerprints = trusted
                    .unwrap_or_default()
                    .iter()
                    .filter_map(|pem| tls::certificate_fingerprint(pem).ok())
                    .collect::<Vec<_>>();
                let known = if fingerprints.is_empty() {
                    vec![aggregator.ca_fingerprint]
                } else {
                    fingerprints
                };
                (aggregator.address, known)
            }
        };
        Ok(Self {
            host: Host::of_aggregator(&address)?,
            address,
            authorities,
            is_enrolled: invitation.is_none(),
        })
    }
}

#[cfg(test)]
impl Way {
    pub fn for_tests(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            host: Host::of_aggregator(address).unwrap(),
            authorities: Vec::new(),
            is_enrolled: false,
        }
    }
}

/// A finding for each step that was made.
pub fn look(home: &Home, config: &NodeConfig, way: &Way) -> Vec<Finding> {
    let mut findings = Vec::new();
    let proxy = match config.network.proxy.as_deref().map(ProxyAddress::parse).transpose() {
        Ok(proxy) => proxy,
        Err(fault) => return vec![proxy::malformed(&fault)],
    };
    let (addresses, finding) = resolution::look(way, proxy.as_ref());
    findings.push(finding);
    let Some(addresses) = addresses else { return findings };
    let opened = match &proxy {
        Some(proxy) => proxy::look(way, proxy, &addresses),
        None => port::look(way, &addresses),
    };
    let is_open = opened.state != State::Bad;
    findings.push(opened);
    if is_open {
        findings.extend(behind_the_port(home, config, way));
    }
    findings
}

fn behind_the_port(home: &Home, config: &NodeConfig, way: &Way) -> Vec<Finding> {
    let settings = ClientSettings {
        address: way.address.clone(),
        proxy: config.network.proxy.clone(),
    };
    let asked_at = clock::now();
    let seen = within(snowball_egress::client::way::who_answers(&settings, &way.authorities));
    let mut findings = vec![certificates::look(&seen)];
    let there = match seen {
        Ok(Ok(Seen::Aggregator { clock })) => Some(clock),
        Ok(Ok(Seen::OutOfTime { clock, .. })) => clock,
        _ => None,
    };
    let is_ours = findings[0].state != State::Bad;
    // Between question and answer; half of what a slow line takes is no skew.
    findings.extend(there.map(|there| super::clock::look(there, asked_at, clock::now())));
    // Whoever invites may be another aggregator, of which this node's CA and certificate tell nothing.
    if is_ours && way.is_enrolled && home.certificate().exists() {
        findings.push(connection::look(home, &settings));
    }
    findings
}

/// Runs a question to its end, or to the end of patience.
pub(super) fn within<T>(question: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer =
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(ANSWER_SECONDS_MAX), question).await });
    // A name server that does not answer holds a thread, which must not hold the program.
    runtime.shutdown_background();
    answer.with_context(|| format!("no answer within {ANSWER_SECONDS_MAX} seconds"))
}
