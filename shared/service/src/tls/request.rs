//! Asking for a certificate: the key is made here and never leaves.

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use snowball_protocol::{Sha256Digest, SiteName};
use x509_parser::{certification_request::X509CertificationRequest, pem::parse_x509_pem, prelude::FromDer};

use super::TlsError;

/// A key and the request (PKCS#10, RFC 2986) that asks for its certificate.
pub struct CertificateRequest {
    /// The private key, PEM: to be written 0600 and nowhere else.
    pub key_pem: String,
    /// The request, PEM.
    pub csr_pem: String,
    /// SHA-256 of the request's public key (SubjectPublicKeyInfo): what both people compare.
    pub key_fingerprint: Sha256Digest,
}

/// Makes a P-256 key and a request for `site`.
///
/// # Errors
/// When the system has no randomness.
pub fn request_certificate(site: &SiteName) -> Result<CertificateRequest, TlsError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, site.as_str());
    let csr_pem = params.serialize_request(&key)?.pem()?;
    let key_fingerprint = key_fingerprint_of_csr(&csr_pem)?;
    Ok(CertificateRequest {
        key_pem: key.serialize_pem(),
        csr_pem,
        key_fingerprint,
    })
}

/// SHA-256 of the public key (SubjectPublicKeyInfo, DER) in a certificate signing request, whose own signature is verified.
///
/// # Errors
/// When the request does not parse or was not signed by its own key.
pub fn key_fingerprint_of_csr(csr_pem: &str) -> Result<Sha256Digest, TlsError> {
    let unreadable = |_| TlsError::Certificate {
        reason: "the request does not parse",
    };
    let (_, pem) = parse_x509_pem(csr_pem.as_bytes()).map_err(unreadable)?;
    let (_, request) = X509CertificationRequest::from_der(&pem.contents).map_err(|_| TlsError::Certificate {
        reason: "the request does not parse",
    })?;
    request.verify_signature().map_err(|_| TlsError::Certificate {
        reason: "the request is not signed by its own key",
    })?;
    Ok(Sha256Digest::of(request.certification_request_info.subject_pki.raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_verifies_and_an_altered_one_does_not() {
        let request = request_certificate(&"north".parse().unwrap()).unwrap();
        assert_eq!(
            key_fingerprint_of_csr(&request.csr_pem).unwrap(),
            request.key_fingerprint
        );
        let other = request_certificate(&"north".parse().unwrap()).unwrap();
        assert_ne!(other.key_fingerprint, request.key_fingerprint);
        assert!(key_fingerprint_of_csr("hello").is_err());
    }
}
