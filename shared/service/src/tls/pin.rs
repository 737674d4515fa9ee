//! First contact: the node knows one thing of the aggregator, the fingerprint of its CA.

use std::sync::Arc;

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use snowball_protocol::Sha256Digest;

use super::{TlsError, provider};

/// TLS 1.3 without a client certificate, to a server whose chain holds the CA with `fingerprint` (SHA-256 of its DER).
/// Name and validity are checked as always: the pin replaces only the root store.
///
/// # Errors
/// When TLS 1.3 is not available.
pub fn pinned_client(fingerprint: Sha256Digest) -> Result<ClientConfig, TlsError> {
    let algorithms = provider().signature_verification_algorithms;
    Ok(ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedAuthority {
            fingerprint,
            algorithms,
        }))
        .with_no_client_auth())
}

/// Accepts a server whose chain leads to the one CA with this fingerprint.
#[derive(Debug)]
pub struct PinnedAuthority {
    fingerprint: Sha256Digest,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let is_pinned = |certificate: &&CertificateDer<'_>| Sha256Digest::of(certificate) == self.fingerprint;
        let Some(authority) = intermediates.iter().find(is_pinned) else {
            return Err(Error::General(
                "this is not the aggregator of the invitation: its chain does not hold the CA with the invitation's fingerprint".to_owned(),
            ));
        };
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|_| Error::General("the pinned CA is no CA".to_owned()))?;
        let between: Vec<_> = intermediates
            .iter()
            .filter(|certificate| !is_pinned(certificate))
            .cloned()
            .collect();
        verifier.verify_server_cert(end_entity, &between, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
