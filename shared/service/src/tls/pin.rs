//! First contact: the node knows one thing of the aggregator, the fingerprint of its CA.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use snowball_protocol::{Sha256Digest, ids::UnixSeconds};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{TlsError, provider};

/// Longest name of an issuer that is shown, in characters: it comes from whoever answered.
const ISSUER_CHARACTERS_MAX: usize = 120;

/// Why the other end is not taken for the aggregator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mismatch {
    /// Its chain does not lead to the CA of the invitation.
    OtherAuthority {
        /// Who issued the certificate that it showed.
        issuer: String,
    },
    /// It does, but by this machine's clock its certificate does not hold.
    OutOfTime {
        /// When the certificate begins.
        not_before: UnixSeconds,
        /// When it ends.
        not_after: UnixSeconds,
    },
    /// It does, but the certificate is for other names.
    OtherName,
}

/// What the verifier saw last; a client's error tells too little of it.
#[derive(Clone, Debug, Default)]
pub struct Sighting(Arc<Mutex<Option<Mismatch>>>);

impl Sighting {
    /// Why the last handshake failed, if it was for this.
    #[must_use]
    pub fn mismatch(&self) -> Option<Mismatch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, mismatch: Option<Mismatch>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = mismatch;
    }
}

/// TLS 1.3 without a client certificate, to a server whose chain holds the CA with `fingerprint` (SHA-256 of its DER).
/// Name and validity are checked as always: the pin replaces only the root store.
///
/// # Errors
/// When TLS 1.3 is not available.
pub fn pinned_client(fingerprint: Sha256Digest) -> Result<ClientConfig, TlsError> {
    config(fingerprint, Sighting::default(), Moment::Now)
}

/// The same, with what it sees.
///
/// # Errors
/// As [`pinned_client`].
pub fn watched_client(fingerprint: Sha256Digest) -> Result<(ClientConfig, Sighting), TlsError> {
    let sighting = Sighting::default();
    Ok((config(fingerprint, sighting.clone(), Moment::Now)?, sighting))
}

/// The same at the time at which the server's certificate begins: good for asking what time it is there, and for nothing else.
///
/// # Errors
/// As [`pinned_client`].
pub fn clock_client(fingerprint: Sha256Digest) -> Result<ClientConfig, TlsError> {
    config(fingerprint, Sighting::default(), Moment::OfTheCertificate)
}

fn config(fingerprint: Sha256Digest, sighting: Sighting, moment: Moment) -> Result<ClientConfig, TlsError> {
    let algorithms = provider().signature_verification_algorithms;
    Ok(ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedAuthority {
            fingerprint,
            algorithms,
            sighting,
            moment,
        }))
        .with_no_client_auth())
}

/// At which time certificates are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Moment {
    Now,
    OfTheCertificate,
}

/// Accepts a server whose chain leads to the one CA with this fingerprint.
#[derive(Debug)]
pub struct PinnedAuthority {
    fingerprint: Sha256Digest,
    algorithms: WebPkiSupportedAlgorithms,
    sighting: Sighting,
    moment: Moment,
}

impl PinnedAuthority {
    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let is_pinned = |certificate: &&CertificateDer<'_>| Sha256Digest::of(certificate) == self.fingerprint;
        let Some(authority) = intermediates.iter().find(is_pinned) else {
            return Err(CertificateError::UnknownIssuer.into());
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
        let now = match self.moment {
            Moment::Now => now,
            Moment::OfTheCertificate => beginning(end_entity).ok_or(CertificateError::BadEncoding)?,
        };
        verifier.verify_server_cert(end_entity, &between, server_name, ocsp_response, now)
    }
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
        let verified = self.verify(end_entity, intermediates, server_name, ocsp_response, now);
        self.sighting
            .note(verified.as_ref().err().map(|error| mismatch(error, end_entity)));
        verified
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

/// Anything that is neither the time nor the name is somebody else.
fn mismatch(error: &Error, end_entity: &CertificateDer<'_>) -> Mismatch {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
    };
    let certificate = X509Certificate::from_der(end_entity)
        .ok()
        .map(|(_, certificate)| certificate);
    let issuer = certificate
        .as_ref()
        .map_or_else(String::new, |certificate| certificate.issuer().to_string());
    match (error, certificate) {
        (
            Error::InvalidCertificate(Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. }),
            Some(certificate),
        ) => Mismatch::OutOfTime {
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
        },
        (Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }), _) => Mismatch::OtherName,
        _ => Mismatch::OtherAuthority { issuer: shown(&issuer) },
    }
}

fn shown(issuer: &str) -> String {
    issuer
        .chars()
        .filter(|character| !character.is_control())
        .take(ISSUER_CHARACTERS_MAX)
        .collect()
}

fn beginning(certificate: &CertificateDer<'_>) -> Option<UnixTime> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let seconds = u64::try_from(certificate.validity().not_before.timestamp()).ok()?;
    Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

    use super::*;

    struct Authority {
        der: CertificateDer<'static>,
        issuer: Issuer<'static, KeyPair>,
    }

    fn authority(name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(2040, 1, 1);
        let der = parameters.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(parameters, key);
        Authority { der, issuer }
    }

    fn server(authority: &Authority, name: &str) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        parameters.not_before = date_time_ymd(2026, 1, 1);
        parameters.not_after = date_time_ymd(2027, 1, 1);
        parameters.signed_by(&key, &authority.issuer).unwrap().der().clone()
    }

    fn seen(pinned: &Authority, chain: &[CertificateDer<'static>], year: i32, moment: Moment) -> Option<Mismatch> {
        let verifier = PinnedAuthority {
            fingerprint: Sha256Digest::of(&pinned.der),
            algorithms: provider().signature_verification_algorithms,
            sighting: Sighting::default(),
            moment,
        };
        let seconds = date_time_ymd(year, 6, 1).unix_timestamp().unsigned_abs();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let name = ServerName::try_from("aggregator.example").unwrap();
        let verified = verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], now);
        assert_eq!(verified.is_ok(), verifier.sighting.mismatch().is_none());
        verifier.sighting.mismatch()
    }

    #[test]
    fn what_stands_in_the_way_is_told_apart() {
        let (ours, proxy) = (authority("Bones Snowball CA"), authority("Inspector\u{7} General"));
        let leaf = server(&ours, "aggregator.example");
        let chain = [leaf.clone(), ours.der.clone()];
        assert_eq!(seen(&ours, &chain, 2026, Moment::Now), None);
        for year in [2025, 2028] {
            let late = seen(&ours, &chain, year, Moment::Now);
            assert!(matches!(late, Some(Mismatch::OutOfTime { .. })), "{late:?}");
            assert_eq!(seen(&ours, &chain, year, Moment::OfTheCertificate), None);
        }
        let elsewhere = [server(&ours, "other.example"), ours.der.clone()];
        assert_eq!(seen(&ours, &elsewhere, 2026, Moment::Now), Some(Mismatch::OtherName));

        let inspected = server(&proxy, "aggregator.example");
        let with_ours = [inspected.clone(), ours.der.clone()];
        for chain in [
            &[inspected.clone(), proxy.der.clone()][..],
            std::slice::from_ref(&inspected),
            &with_ours,
        ] {
            for moment in [Moment::Now, Moment::OfTheCertificate] {
                match seen(&ours, chain, 2026, moment) {
                    Some(Mismatch::OtherAuthority { issuer }) => assert_eq!(issuer, "CN=Inspector General"),
                    other => panic!("{other:?}"),
                }
            }
        }
        // A leaf without its CA beside it cannot be tied to the fingerprint.
        assert!(matches!(
            seen(&ours, &[leaf], 2026, Moment::Now),
            Some(Mismatch::OtherAuthority { .. })
        ));
    }
}
