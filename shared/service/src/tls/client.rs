//! The node's side, once enrolled.

use rustls::{ClientConfig, version::TLS13};

use super::{TlsError, certificates, private_key, provider, roots};

/// TLS 1.3 only; trusts `ca_pem` and nothing else, presents `certificate_pem`.
///
/// # Errors
/// When a PEM text or the key does not fit.
pub fn client(ca_pem: &str, certificate_pem: &str, key_pem: &str) -> Result<ClientConfig, TlsError> {
    Ok(ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots(ca_pem)?)
        .with_client_auth_cert(certificates(certificate_pem)?, private_key(key_pem)?)?)
}
