//! Mutual TLS 1.3 (RFC 8446), with the consortium's own CA and no other root.

mod client;
#[cfg(test)]
mod handshake_tests;
mod life;
mod peer;
mod pin;
mod request;
mod server;
mod trust;

pub use client::client;
pub use life::{Life, WARNING_DAYS};
pub use peer::{PeerCertificate, SITE_URI_PREFIX, certificate_fingerprint, certificate_serial};
pub use pin::{Mismatch, PinnedAuthority, Sighting, clock_client, pinned_client, watched_client};
pub use request::{CertificateRequest, key_fingerprint_of_csr, request_certificate};
use rustls::{RootCertStore, crypto::CryptoProvider};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
pub use server::{browser_server, server};
pub use trust::{authority_fingerprints, is_issued_by, read_trust, trust_text};

/// Why TLS could not be set up or a certificate not be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM text without what it should hold.
    #[error("no usable {what} in PEM")]
    Pem {
        /// What was looked for.
        what: &'static str,
    },
    /// A certificate or request that does not parse or lacks a field.
    #[error("the certificate cannot be used: {reason}")]
    Certificate {
        /// What is wrong.
        reason: &'static str,
    },
    /// The TLS library refused the material.
    #[error("TLS cannot be set up with this key and certificate")]
    Rustls(#[from] rustls::Error),
    /// The key or request could not be made.
    #[error("the key or certificate request cannot be made")]
    Rcgen(#[from] rcgen::Error),
}

/// Its first key exchange is X25519MLKEM768 (post-quantum and classical in one, draft-ietf-tls-ecdhe-mlkem); a peer without it gets
/// X25519.
fn provider() -> std::sync::Arc<CryptoProvider> {
    std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::Pem { what: "certificate" })?;
    if chain.is_empty() {
        Err(TlsError::Pem { what: "certificate" })
    } else {
        Ok(chain)
    }
}

fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| TlsError::Pem { what: "private key" })
}

fn roots(pem: &str) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(pem)? {
        store.add(certificate)?;
    }
    Ok(store)
}
