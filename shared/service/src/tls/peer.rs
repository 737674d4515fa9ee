//! Reading who a certificate speaks for.

use rustls_pki_types::{CertificateDer, pem::PemObject};
use snowball_protocol::{Sha256Digest, SiteName, ids::UnixSeconds};
use x509_parser::{
    extensions::{GeneralName, ParsedExtension},
    prelude::{FromDer, X509Certificate},
};

use super::{Life, TlsError};

/// A site's certificate names it in a subject alternative name of kind URI: this prefix and the site's name.
pub const SITE_URI_PREFIX: &str = "snowball:site:";

/// What a verified client certificate says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerCertificate {
    /// For which site it speaks.
    pub site: SiteName,
    /// Its serial number, lower-case hex.
    pub serial: String,
    /// When it begins.
    pub not_before: UnixSeconds,
    /// When it ends.
    pub not_after: UnixSeconds,
}

impl PeerCertificate {
    /// Reads a certificate that TLS has verified already.
    ///
    /// # Errors
    /// When it does not parse, or names no site or more than one.
    pub fn read(der: &[u8]) -> Result<Self, TlsError> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| TlsError::Certificate {
            reason: "it does not parse",
        })?;
        let mut names = certificate
            .extensions()
            .iter()
            .filter_map(|extension| match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
                _ => None,
            })
            .flatten()
            .filter_map(|name| match name {
                GeneralName::URI(uri) => uri.strip_prefix(SITE_URI_PREFIX),
                _ => None,
            });
        let site = names
            .next()
            .and_then(|name| name.parse().ok())
            .ok_or(TlsError::Certificate {
                reason: "it names no site",
            })?;
        // Whichever were taken, somebody could speak for the other.
        if names.next().is_some() {
            return Err(TlsError::Certificate {
                reason: "it names more than one site",
            });
        }
        Ok(Self {
            site,
            serial: serial(&certificate),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
        })
    }

    /// From when to when it holds.
    #[must_use]
    pub const fn life(&self) -> Life {
        Life {
            not_before: self.not_before,
            not_after: self.not_after,
        }
    }

    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// When there is none, or it names no site.
    pub fn read_pem(pem: &str) -> Result<Self, TlsError> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| TlsError::Pem { what: "certificate" })?;
        Self::read(&der)
    }
}

/// The serial number of the first certificate in a PEM text, lower-case hex.
///
/// # Errors
/// When there is none.
pub fn certificate_serial(pem: &str) -> Result<String, TlsError> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| TlsError::Pem { what: "certificate" })?;
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| TlsError::Certificate {
        reason: "it does not parse",
    })?;
    Ok(serial(&certificate))
}

fn serial(certificate: &X509Certificate<'_>) -> String {
    certificate
        .raw_serial()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// SHA-256 of the DER of the first certificate in a PEM text: what an invitation pins.
///
/// # Errors
/// When there is none.
pub fn certificate_fingerprint(pem: &str) -> Result<Sha256Digest, TlsError> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| TlsError::Pem { what: "certificate" })?;
    Ok(Sha256Digest::of(&der))
}
