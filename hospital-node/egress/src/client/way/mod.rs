//! The way to the aggregator, one step at a time, for whoever must mend it: a client's error tells of the last step alone.
//!
//! The steps are those of [`Transport`](super::Transport): a name becomes addresses, a port is reached, a proxy opens a tunnel,
//! somebody shows a certificate. To the aggregator nothing of the site is sent on the way: no certificate, no word of HTTP but
//! `GET /v1/health`. The hospital's own proxy, where one is configured, is sent CONNECT with the aggregator's host and port, and with
//! `Proxy-Authorization` where `node.toml` has a user and password for it.

mod answers;
mod proxy;
mod reach;

pub use answers::{Seen, Stranger, who_answers};
pub use proxy::{ProxyAddress, TunnelFault, tunnel};
pub use reach::{ReachFault, addresses, reach};
use reqwest::Url;

use crate::error::EgressError;

/// A host and a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    /// A name, or an address without brackets.
    pub name: String,
    /// The port.
    pub port: u16,
}

impl Host {
    /// Of the aggregator's address, `https://host:port`.
    ///
    /// # Errors
    /// When it is no such address.
    pub fn of_aggregator(address: &str) -> Result<Self, EgressError> {
        let wrong = || EgressError::Setup {
            reason: format!("the aggregator's address is https://host:port, not {address:?}"),
        };
        let url = Url::parse(address).map_err(|_| wrong())?;
        if url.scheme() != "https" {
            return Err(wrong());
        }
        Self::of(&url).ok_or_else(wrong)
    }

    fn of(url: &Url) -> Option<Self> {
        Some(Self {
            name: url.host_str()?.trim_matches(['[', ']']).to_owned(),
            port: url.port_or_known_default()?,
        })
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, words: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.name.contains(':') {
            write!(words, "[{}]:{}", self.name, self.port)
        } else {
            write!(words, "{}:{}", self.name, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_as_the_client_does_it() {
        let host = |address| Host::of_aggregator(address).map(|host| host.to_string()).ok();
        assert_eq!(
            host("https://snowball.example.org:7443").as_deref(),
            Some("snowball.example.org:7443")
        );
        assert_eq!(
            host("https://snowball.example.org").as_deref(),
            Some("snowball.example.org:443")
        );
        assert_eq!(host("https://[::1]:7443").as_deref(), Some("[::1]:7443"));
        assert_eq!(Host::of_aggregator("https://[::1]:7443").unwrap().name, "::1");
        assert_eq!(host("http://snowball.example.org:7443"), None);
        assert_eq!(host("snowball.example.org:7443"), None);
    }
}
