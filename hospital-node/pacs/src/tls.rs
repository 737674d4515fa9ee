//! TLS as hospitals run it (PS3.15 annex B): the site's own certificate, the hospital's CA, mutual where a CA for peers is named.

use std::sync::Arc;

pub use rustls::{ClientConfig, ServerConfig};
use rustls::{RootCertStore, crypto::CryptoProvider, server::WebPkiClientVerifier, version};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::PacsError;

/// PEM texts of a certificate chain and its key: the TLS identity that this crate is given.
pub struct Identity {
    /// The chain, ours first.
    pub certificate_pem: String,
    /// The key of the first certificate.
    pub key_pem: String,
}

/// TLS 1.2 and 1.3: many archives in service speak no later one than 1.2.
const VERSIONS: [&rustls::SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];

/// For a listener. With `peers_pem`, a CA, only peers that it certified are let in.
///
/// # Errors
/// When a PEM text or the key does not fit.
pub fn server(identity: &Identity, peers_pem: Option<&str>) -> Result<Arc<ServerConfig>, PacsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&VERSIONS)
        .map_err(setup)?;
    let builder = match peers_pem {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(pem)?), provider())
                .build()
                .map_err(setup)?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config = builder
        .with_single_cert(chain(&identity.certificate_pem)?, key(&identity.key_pem)?)
        .map_err(setup)?;
    Ok(Arc::new(config))
}

/// For a caller. It trusts `authority_pem` and nothing else, and shows `identity` where it is asked to.
///
/// # Errors
/// When a PEM text or the key does not fit.
pub fn client(authority_pem: &str, identity: Option<&Identity>) -> Result<ClientConfig, PacsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&VERSIONS)
        .map_err(setup)?
        .with_root_certificates(roots(authority_pem)?);
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some(identity) => builder
            .with_client_auth_cert(chain(&identity.certificate_pem)?, key(&identity.key_pem)?)
            .map_err(setup),
    }
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn chain(pem: &str) -> Result<Vec<CertificateDer<'static>>, PacsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(setup)?;
    if chain.is_empty() {
        return Err(setup("there is no certificate in the PEM file"));
    }
    Ok(chain)
}

fn key(pem: &str) -> Result<PrivateKeyDer<'static>, PacsError> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| setup("there is no private key in the PEM file"))
}

fn roots(pem: &str) -> Result<RootCertStore, PacsError> {
    let mut store = RootCertStore::empty();
    for certificate in chain(pem)? {
        store.add(certificate).map_err(setup)?;
    }
    Ok(store)
}

fn setup(fault: impl ToString) -> PacsError {
    PacsError::Tls {
        reason: fault.to_string(),
    }
}
