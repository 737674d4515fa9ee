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
            certificate: None,
            key: None,
        }
    }

    /// Whether browsers reach it by TLS.
    #[must_use]
    pub const fn has_tls(&self) -> bool {
        self.certificate.is_some() && self.key.is_some()
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
        if self.listen.ip().is_unspecified() && self.names.is_empty() {
            return Err(SettingsError::Nameless);
        }
        match self.names.iter().find(|name| !is_host_name(name)) {
            Some(name) => Err(SettingsError::Name { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// The address as a person opens it, for a link: the first name where there is one.
    #[must_use]
    pub fn address(&self) -> String {
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
}
