//! Numbers for a monitoring system: one page of text that it fetches, in the form that Prometheus reads, by plain HTTP.
//!
//! Off unless the configuration names an address. The page holds counts, times and names of sites and studies; never a value of a
//! patient, a key or a reason that somebody wrote.

mod listener;
mod page;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use snowball_protocol::session::PhaseName;

pub use listener::{PATH, Readiness, serve};
pub use page::{Family, Kind, Page, counter, gauge};

/// The phases in which sites hear of a study, as labels name them.
pub const PHASES: [(PhaseName, &str); 6] = [
    (PhaseName::Recruiting, "recruiting"),
    (PhaseName::Collecting, "collecting"),
    (PhaseName::Aggregating, "aggregating"),
    (PhaseName::Reviewing, "reviewing"),
    (PhaseName::Released, "released"),
    (PhaseName::Abandoned, "abandoned"),
];

/// `[metrics]` of a configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the page is given out.
    pub listen: SocketAddr,
}

impl Settings {
    /// Who should reach the page, in words for a firewall team.
    #[must_use]
    pub const fn reach(&self) -> &'static str {
        if self.listen.ip().is_loopback() {
            "this host alone reaches it"
        } else {
            "let the monitoring system alone reach it"
        }
    }

    /// Opens the address.
    ///
    /// # Errors
    /// When it cannot be opened; the error names it.
    pub async fn open(&self) -> std::io::Result<tokio::net::TcpListener> {
        let listen = self.listen;
        let listener = tokio::net::TcpListener::bind(listen).await.map_err(|error| {
            std::io::Error::new(error.kind(), format!("cannot listen on {listen} for metrics: {error}"))
        })?;
        if !listen.ip().is_loopback() {
            tracing::warn!(
                "metrics are read by whoever reaches {listen}, without a password: names of sites and studies, and counts"
            );
        }
        Ok(listener)
    }
}
