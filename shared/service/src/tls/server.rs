//! The server's side: the aggregator's for sites, a dashboard's for browsers.

use std::sync::Arc;

use rustls::{ServerConfig, server::WebPkiClientVerifier, version::TLS13};

use super::{TlsError, certificates, private_key, provider, roots};

/// TLS 1.3 only. A client certificate is verified against `client_ca_pem` whenever one is presented; a route that needs one
/// must refuse a connection without (enrolment comes before the certificate). `chain_pem` ends with the CA's certificate, so
/// that a node which knows only its fingerprint can find it.
///
/// # Errors
/// When a PEM text or the key does not fit.
pub fn server(chain_pem: &str, key_pem: &str, client_ca_pem: &str) -> Result<Arc<ServerConfig>, TlsError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(client_ca_pem)?), provider())
        .allow_unauthenticated()
        .build()
        .map_err(|_| TlsError::Certificate {
            reason: "the client CA is no CA",
        })?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates(chain_pem)?, private_key(key_pem)?)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// TLS 1.3 for browsers: whoever comes is let in without a certificate. HTTP/1.1 only.
///
/// # Errors
/// When a PEM text or the key does not fit.
pub fn browser_server(chain_pem: &str, key_pem: &str) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(certificates(chain_pem)?, private_key(key_pem)?)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
