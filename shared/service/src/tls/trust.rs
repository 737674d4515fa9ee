//! The CAs that one side trusts, as a text file: a line with the list's number, then the certificates. Whatever reads PEM skips
//! the line (RFC 7468, 2), so the file serves as it is.

use rustls_pki_types::{CertificateDer, pem::PemObject};
use snowball_protocol::{Sha256Digest, authorities::TrustedAuthorities, limits::AUTHORITIES_MAX};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::TlsError;

const FIRST_WORDS: &str = "snowball authorities ";
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The file's content.
#[must_use]
pub fn trust_text(authorities: &TrustedAuthorities) -> String {
    let certificates: Vec<&str> = authorities.certificates_pem.iter().map(|pem| pem.trim()).collect();
    format!("{FIRST_WORDS}{}\n{}\n", authorities.number, certificates.join("\n"))
}

/// Reads what [`trust_text`] wrote, or certificates without a number, which count as the first list.
///
/// # Errors
/// When it holds no certificate, too many, or one that is no CA's.
pub fn read_trust(text: &str) -> Result<TrustedAuthorities, TlsError> {
    let number = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix(FIRST_WORDS)?.trim().parse().ok())
        .unwrap_or(1);
    let certificates_pem: Vec<String> = text
        .split_inclusive(END)
        .filter_map(|part| Some(format!("{}\n", &part[part.find(BEGIN)?..])))
        .filter(|block| block.contains(END))
        .collect();
    let authorities = TrustedAuthorities {
        number,
        certificates_pem,
    };
    authority_fingerprints(&authorities)?;
    Ok(authorities)
}

/// SHA-256 of each certificate in DER, in order; each must be a CA's.
///
/// # Errors
/// When there is none, there are too many, or one is no CA's certificate.
pub fn authority_fingerprints(authorities: &TrustedAuthorities) -> Result<Vec<Sha256Digest>, TlsError> {
    let fault = |reason| TlsError::Certificate { reason };
    let pems = &authorities.certificates_pem;
    if pems.is_empty() {
        return Err(TlsError::Pem { what: "certificate" });
    }
    if pems.len() > AUTHORITIES_MAX {
        return Err(fault("it is one of more CAs than a consortium may have"));
    }
    pems.iter()
        .map(|pem| {
            let der =
                CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| TlsError::Pem { what: "certificate" })?;
            let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| fault("it does not parse"))?;
            if certificate.is_ca() {
                Ok(Sha256Digest::of(&der))
            } else {
                Err(fault("it is no CA's"))
            }
        })
        .collect()
}

/// Whether the key of the CA `authority_pem` has signed the certificate `certificate_pem`.
///
/// # Errors
/// When one of the texts holds no certificate.
pub fn is_issued_by(certificate_pem: &str, authority_pem: &str) -> Result<bool, TlsError> {
    let der =
        |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| TlsError::Pem { what: "certificate" });
    let (certificate, authority) = (der(certificate_pem)?, der(authority_pem)?);
    let unreadable = |_| TlsError::Certificate {
        reason: "it does not parse",
    };
    let (_, certificate) = X509Certificate::from_der(&certificate).map_err(unreadable)?;
    let (_, authority) = X509Certificate::from_der(&authority).map_err(unreadable)?;
    Ok(certificate.verify_signature(Some(authority.public_key())).is_ok())
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};

    use super::*;

    fn authority() -> (Certificate, Issuer<'static, KeyPair>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let certificate = params.self_signed(&key).unwrap();
        (certificate, Issuer::new(params, key))
    }

    #[test]
    fn a_list_survives_its_file_and_a_bare_certificate_is_the_first_list() {
        let (one, two) = (authority().0.pem(), authority().0.pem());
        let list = TrustedAuthorities {
            number: 7,
            certificates_pem: vec![one.replace("\r\n", "\n"), two.replace("\r\n", "\n")],
        };
        let read = read_trust(&trust_text(&list)).unwrap();
        assert_eq!((read.number, read.certificates_pem.len()), (7, 2));
        assert_eq!(
            authority_fingerprints(&read).unwrap(),
            authority_fingerprints(&list).unwrap()
        );
        let bare = read_trust(&one).unwrap();
        assert_eq!((bare.number, bare.certificates_pem.len()), (1, 1));
    }

    #[test]
    fn what_is_no_list_of_cas_is_refused() {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::default().self_signed(&key).unwrap().pem();
        let one = authority().0.pem();
        let half = &one[..one.len() / 2];
        for text in [
            "",
            "snowball authorities 3\n",
            half,
            &leaf,
            &one.repeat(AUTHORITIES_MAX + 1),
        ] {
            assert!(read_trust(text).is_err(), "{text}");
        }
        assert!(read_trust(&one.repeat(AUTHORITIES_MAX)).is_ok());
    }

    #[test]
    fn an_issuer_is_told_by_its_signature_and_not_by_its_name() {
        let ((own, issuer), (other, _)) = (authority(), authority());
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::default().signed_by(&key, &issuer).unwrap().pem();
        assert!(is_issued_by(&leaf, &own.pem()).unwrap());
        assert!(!is_issued_by(&leaf, &other.pem()).unwrap());
    }
}
