//! `[dashboard]` of a configuration, and what of it is refused.

use std::{fs, io, net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};
use snowball_service::tls;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// `[dashboard]` of a configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the dashboard is given out. An address that is not loopback needs `certificate` and `key`.
    pub listen: SocketAddr,
    /// Names under which browsers reach it besides the address itself: `dashboard.example.org`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// The address under which a proxy that ends TLS gives it out: `https://dashboard.example.org`. The session's cookie is then for TLS alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_address: Option<String>,
    /// Whether browsers are told to reach every port of that host by TLS alone, for half a year (HSTS).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict_transport: bool,
    /// The certificate and its chain, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// The certificate's key, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

/// Why a dashboard is not opened.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Others could listen in.
    #[error(
        "the dashboard would be given out at {listen} without TLS: name `certificate` and `key` in [dashboard], or let `listen` be 127.0.0.1 and reach it through SSH"
    )]
    Exposed {
        /// The address.
        listen: SocketAddr,
    },
    /// Half of what TLS needs.
    #[error("[dashboard] names only one of `certificate` and `key`: name both, or neither")]
    Half,
    /// A name that no browser would send.
    #[error("[dashboard] names {name:?}, which is no host name: write it without scheme, port and path")]
    Name {
        /// The name.
        name: String,
    },
    /// An address that is none by which a browser would come.
    #[error("[dashboard] listens on every address of this machine: say in `names` under which name browsers reach it")]
    Nameless,
    /// A public address that browsers do not reach by TLS, or that is more than a host.
    #[error(
        "[dashboard] names {address:?} as its public address: write https:// and the host's name, with a port where it is not 443, and no path"
    )]
    Public {
        /// The address.
        address: String,
    },
    /// Strict transport without a host that it is for.
    #[error(
        "[dashboard] asks for strict_transport and names no public_address: a browser would refuse every other service of this machine \
         that has no TLS; name the address, or leave strict_transport out"
    )]
    Strict,
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The certificate or the key cannot be used.
    #[error("[dashboard]: {0}")]
    Tls(#[from] tls::TlsError),
    /// The address cannot be opened.
    #[error("cannot listen on {listen} for the dashboard")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

impl Settings {
    /// On this machine only, without TLS.
    #[must_use]
    pub const fn local(listen: SocketAddr) -> Self {
        Self {
            listen,
            names: Vec::new(),
            public_address: None,
            strict_transport: false,
            certificate: None,
            key: None,
        }
    }

    /// Whether it ends TLS itself.
    #[must_use]
    pub const fn has_tls(&self) -> bool {
        self.certificate.is_some() && self.key.is_some()
    }

    /// Whether browsers reach it by TLS alone: its own, or that of a proxy before it.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.has_tls() || self.public_address.is_some()
    }

    /// The host of the public address.
    pub(crate) fn public_host(&self) -> Option<&str> {
        let (host, _) = public(self.public_address.as_deref()?)?;
        Some(host)
    }

    /// What is wrong with the settings, without touching a file.
    ///
    /// # Errors
    /// When the address would be open to listeners, TLS is half set up, or a name is none.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.certificate.is_some() != self.key.is_some() {
            return Err(SettingsError::Half);
        }
        if !self.listen.ip().is_loopback() && !self.has_tls() {
            return Err(SettingsError::Exposed { listen: self.listen });
        }
        if self.listen.ip().is_unspecified() && self.names.is_empty() && self.public_address.is_none() {
            return Err(SettingsError::Nameless);
        }
        match &self.public_address {
            Some(address) if public(address).is_none() => {
                let address = address.clone();
                return Err(SettingsError::Public { address });
            }
            None if self.strict_transport => return Err(SettingsError::Strict),
            _ => {}
        }
        match self.names.iter().find(|name| !is_host_name(name)) {
            Some(name) => Err(SettingsError::Name { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// The address as a person opens it, for a link: the public one where there is one, else by the first name.
    #[must_use]
    pub fn address(&self) -> String {
        if let Some(address) = &self.public_address {
            return address.trim_end_matches('/').to_owned();
        }
        let scheme = if self.has_tls() { "https" } else { "http" };
        match self.names.first() {
            Some(name) => format!("{scheme}://{name}:{}", self.listen.port()),
            None => format!("{scheme}://{}", self.listen),
        }
    }

    /// What ends TLS, where it is set up.
    pub(crate) fn tls(&self) -> Result<Option<TlsAcceptor>, SettingsError> {
        let (Some(certificate), Some(key)) = (&self.certificate, &self.key) else {
            return Ok(None);
        };
        let read = |path: &PathBuf| {
            fs::read_to_string(path).map_err(|source| SettingsError::File {
                path: path.clone(),
                source,
            })
        };
        let config = tls::browser_server(&read(certificate)?, &read(key)?)?;
        Ok(Some(TlsAcceptor::from(config)))
    }

    /// Checks the settings and opens the address.
    ///
    /// # Errors
    /// When the settings are refused or the address cannot be opened.
    pub async fn open(&self) -> Result<TcpListener, SettingsError> {
        self.check()?;
        let listen = self.listen;
        TcpListener::bind(listen)
            .await
            .map_err(|source| SettingsError::Listen { listen, source })
    }
}

/// Host and port of a public address.
fn public(address: &str) -> Option<(&str, Option<u16>)> {
    let authority = address.strip_prefix("https://")?;
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (authority, None),
    };
    is_host_name(host).then_some((host, port))
}

fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(listen: &str) -> Settings {
        Settings::local(listen.parse().unwrap())
    }

    #[test]
    fn what_others_can_reach_is_refused_without_tls() {
        for loopback in ["127.0.0.1:7446", "127.8.8.8:1", "[::1]:7446"] {
            settings(loopback).check().unwrap();
        }
        for open in ["0.0.0.0:7446", "[::]:7446", "192.168.1.4:7446", "[2001:db8::1]:7446"] {
            assert!(
                matches!(settings(open).check(), Err(SettingsError::Exposed { .. })),
                "{open}"
            );
            let mut half = settings(open);
            half.certificate = Some("certificate.pem".into());
            assert!(matches!(half.check(), Err(SettingsError::Half)));
            half.key = Some("key.pem".into());
            half.names = vec!["desk.example.org".to_owned()];
            half.check().unwrap();
        }
    }

    #[tokio::test]
    async fn a_refused_address_is_not_opened() {
        assert!(settings("0.0.0.0:0").open().await.is_err());
        assert!(settings("127.0.0.1:0").open().await.is_ok());
    }

    #[test]
    fn a_server_on_every_address_says_what_it_is_called() {
        let mut wide = settings("0.0.0.0:443");
        (wide.certificate, wide.key) = (Some("c".into()), Some("k".into()));
        assert!(matches!(wide.check(), Err(SettingsError::Nameless)));
        for bad in [
            "https://a.example",
            "a.example:443",
            "a.example/x",
            "",
            "a..b",
            "*.example",
        ] {
            wide.names = vec![bad.to_owned()];
            assert!(matches!(wide.check(), Err(SettingsError::Name { .. })), "{bad}");
        }
        wide.names = vec!["a.example".to_owned()];
        assert_eq!(wide.address(), "https://a.example:443");
        assert_eq!(settings("[::1]:7446").address(), "http://[::1]:7446");
    }

    #[test]
    fn a_public_address_is_a_host_that_browsers_reach_by_tls_and_only_with_one_is_transport_strict() {
        let mut local = settings("127.0.0.1:7446");
        assert!(!local.is_secure());
        for good in [
            "https://desk.example.org",
            "https://desk.example.org/",
            "https://desk.example.org:8443",
        ] {
            local.public_address = Some(good.to_owned());
            local.check().unwrap();
            assert!(local.is_secure() && !local.has_tls());
            assert_eq!(local.public_host(), Some("desk.example.org"));
            assert_eq!(local.address(), good.trim_end_matches('/'));
        }
        for bad in [
            "http://desk.example.org",
            "desk.example.org",
            "https://",
            "https://a.example/desk",
            "https://a.example:x",
        ] {
            local.public_address = Some(bad.to_owned());
            assert!(matches!(local.check(), Err(SettingsError::Public { .. })), "{bad}");
        }
        local.public_address = None;
        local.strict_transport = true;
        assert!(matches!(local.check(), Err(SettingsError::Strict)));
        // What is behind a proxy elsewhere still has to have TLS of its own on the way there.
        let mut open = settings("192.168.1.4:7446");
        open.public_address = Some("https://desk.example.org".to_owned());
        assert!(matches!(open.check(), Err(SettingsError::Exposed { .. })));
    }
}
