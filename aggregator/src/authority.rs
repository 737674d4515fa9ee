//! One of the consortium's own certificate authorities: it signs the server and, after a person's approval, each site.
//!
//! A site's certificate is made from its request's public key alone; names and extensions that the request asks for are
//! ignored (RFC 2986 leaves that to the authority).

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
    date_time_ymd,
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use snowball_protocol::{Sha256Digest, SiteName, ids::UnixSeconds};
use snowball_service::tls::Life;
use zeroize::Zeroizing;

const DAY_SECONDS: i64 = 86_400;
const CA_DAYS: i64 = 3_653;
/// Certificates are valid from a little before they are made: clocks differ.
const BACKDATED_SECONDS: i64 = 600;

/// A certificate with what the registry keeps of it.
pub struct Issued {
    /// The certificate, PEM.
    pub pem: String,
    /// Its serial number in lower-case hex, two digits a byte.
    pub serial: String,
    /// The end of its validity.
    pub not_after: UnixSeconds,
}

/// A PEM certificate and its PEM private key.
pub struct Pair {
    /// The certificate.
    pub certificate_pem: String,
    /// Its key.
    pub key_pem: Zeroizing<String>,
}

/// A CA, able to sign.
pub struct Authority {
    pem: String,
    der: CertificateDer<'static>,
    life: Life,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a CA: an ECDSA P-256 key and a self-signed certificate that may sign leaves only. `number` is the list of CAs
    /// that it stands in first; people tell the consortium's CAs apart by it.
    pub fn create(consortium: &str, number: u64, now: UnixSeconds) -> Result<Pair> {
        let key = KeyPair::generate().context("cannot make the CA's key")?;
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = common_name(&format!("{consortium} Snowball CA {number}"));
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut parameters, now, now + CA_DAYS * DAY_SECONDS)?;
        parameters.serial_number = Some(random_serial()?);
        let certificate = parameters
            .self_signed(&key)
            .context("cannot sign the CA's certificate")?;
        Ok(Pair {
            certificate_pem: certificate.pem(),
            key_pem: Zeroizing::new(key.serialize_pem()),
        })
    }

    /// Reads the CA from its two PEM texts, which must be of one pair.
    pub fn read(certificate_pem: &str, key_pem: &str) -> Result<Self> {
        let der = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .context("the CA's certificate does not parse")?;
        let key = KeyPair::from_pem(key_pem).context("the CA's key does not parse")?;
        let (_, certificate) =
            x509_parser::parse_x509_certificate(&der).context("the CA's certificate does not parse")?;
        ensure!(
            certificate.public_key().raw == key.subject_public_key_info(),
            "the CA's key is not that of its certificate"
        );
        let issuer = Issuer::from_ca_cert_der(&der, key).context("the CA's certificate cannot sign")?;
        Ok(Self {
            pem: certificate_pem.to_owned(),
            life: Life::read_pem(certificate_pem)?,
            der,
            issuer,
        })
    }

    /// SHA-256 of the CA's certificate in DER: what an invitation carries.
    pub fn fingerprint(&self) -> Sha256Digest {
        Sha256Digest::of(&self.der)
    }

    /// The CA's certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The CA's key, PEM.
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.issuer.key().serialize_pem())
    }

    /// From when to when the CA's certificate holds.
    pub fn life(&self) -> Life {
        self.life
    }

    /// A server certificate for `names` (DNS names or IP addresses) with a new key.
    pub fn issue_server(&self, names: &[String], days: u32, now: UnixSeconds) -> Result<Pair> {
        let key = KeyPair::generate().context("cannot make the server's key")?;
        let mut parameters = CertificateParams::new(names.to_vec()).context("a name cannot stand in a certificate")?;
        parameters.distinguished_name = common_name("Snowball aggregator");
        let purpose = ExtendedKeyUsagePurpose::ServerAuth;
        self.finish(&mut parameters, purpose, now, i64::from(days))?;
        let certificate = parameters
            .signed_by(&key, &self.issuer)
            .context("cannot sign the server's certificate")?;
        Ok(Pair {
            certificate_pem: certificate.pem(),
            key_pem: Zeroizing::new(key.serialize_pem()),
        })
    }

    /// A client certificate for `site` over the public key of the request, whose own signature is verified first.
    pub fn issue_site(&self, site: &SiteName, csr_pem: &str, days: u32, now: UnixSeconds) -> Result<Issued> {
        let request = CertificateSigningRequestParams::from_pem(csr_pem).context("the request does not verify")?;
        ensure!(
            is_accepted(&request.public_key),
            "the request's key is neither ECDSA P-256 nor Ed25519"
        );
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = common_name(site.as_str());
        let uri = format!("snowball:site:{site}");
        parameters.subject_alt_names = vec![SanType::URI(uri.try_into().context("a site's name is ASCII")?)];
        let not_after = self.finish(
            &mut parameters,
            ExtendedKeyUsagePurpose::ClientAuth,
            now,
            i64::from(days),
        )?;
        let serial = parameters
            .serial_number
            .as_ref()
            .map(|serial| hex::encode(serial.to_bytes()))
            .unwrap_or_default();
        let certificate = parameters
            .signed_by(&request.public_key, &self.issuer)
            .context("cannot sign the site's certificate")?;
        Ok(Issued {
            pem: certificate.pem(),
            serial,
            not_after,
        })
    }

    fn finish(
        &self,
        parameters: &mut CertificateParams,
        purpose: ExtendedKeyUsagePurpose,
        now: UnixSeconds,
        days: i64,
    ) -> Result<UnixSeconds> {
        parameters.is_ca = IsCa::ExplicitNoCa;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![purpose];
        parameters.use_authority_key_identifier_extension = true;
        parameters.serial_number = Some(random_serial()?);
        // Peers do not look at the end of a CA that they trust: so nothing that it signs may live longer.
        let not_after = (now + days * DAY_SECONDS).min(self.life.not_after);
        ensure!(
            not_after > now,
            "the CA has ended: add the next one with aggregator ca rotate"
        );
        set_validity(parameters, now, not_after)
    }
}

/// The serial number of a PEM certificate, lower-case hex.
pub fn serial(certificate_pem: &str) -> Result<String> {
    let der = CertificateDer::from_pem_slice(certificate_pem.as_bytes()).context("the certificate does not parse")?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).context("the certificate does not parse")?;
    Ok(hex::encode(certificate.raw_serial()))
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn is_accepted(key: &impl PublicKeyData) -> bool {
    [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ED25519].contains(&key.algorithm())
}

fn set_validity(parameters: &mut CertificateParams, now: UnixSeconds, not_after: UnixSeconds) -> Result<UnixSeconds> {
    let seconds = |time: i64| {
        u64::try_from(time)
            .map(Duration::from_secs)
            .context("the clock stands before 1970")
    };
    parameters.not_before = date_time_ymd(1970, 1, 1) + seconds(now - BACKDATED_SECONDS)?;
    parameters.not_after = date_time_ymd(1970, 1, 1) + seconds(not_after)?;
    Ok(not_after)
}

/// 16 random bytes, positive and without a leading zero, so that DER and the registry write it the same way.
fn random_serial() -> Result<SerialNumber> {
    let mut bytes: [u8; 16] = snowball_crypto::random_bytes().context("no randomness")?;
    bytes[0] = bytes[0] & 0x3f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = 1_800_000_000;

    fn authority() -> Authority {
        let pair = Authority::create("Test", 1, NOW).unwrap();
        Authority::read(&pair.certificate_pem, &pair.key_pem).unwrap()
    }

    fn request(names: &[&str]) -> (KeyPair, String) {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        parameters.distinguished_name = common_name("someone-else");
        let pem = parameters.serialize_request(&key).unwrap().pem().unwrap();
        (key, pem)
    }

    #[test]
    fn a_site_certificate_takes_only_the_key_from_its_request() {
        let (key, csr) = request(&["evil.example.org"]);
        let issued = authority()
            .issue_site(&"north".parse().unwrap(), &csr, 30, NOW)
            .unwrap();
        let der = CertificateDer::from_pem_slice(issued.pem.as_bytes()).unwrap();
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).unwrap();
        assert_eq!(certificate.subject().to_string(), "CN=north");
        assert_eq!(
            certificate.public_key().subject_public_key.data.as_ref(),
            key.public_key_raw()
        );
        let names = format!(
            "{:?}",
            certificate
                .subject_alternative_name()
                .unwrap()
                .unwrap()
                .value
                .general_names
        );
        assert!(
            names.contains("snowball:site:north") && !names.contains("evil"),
            "{names}"
        );
        let usage = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth && !certificate.is_ca());
        assert_eq!(hex::encode(certificate.raw_serial()), issued.serial);
        assert_eq!(serial(&issued.pem).unwrap(), issued.serial);
        assert_eq!(Life::read_pem(&issued.pem).unwrap().not_after, NOW + 30 * DAY_SECONDS);
    }

    #[test]
    fn nothing_outlives_the_ca_that_signed_it() {
        let authority = authority();
        let end = authority.life().not_after;
        let names = ["localhost".to_owned()];
        let late = authority.issue_server(&names, 90, end - DAY_SECONDS).unwrap();
        assert_eq!(Life::read_pem(&late.certificate_pem).unwrap().not_after, end);
        assert!(authority.issue_server(&names, 90, end).is_err());
    }

    #[test]
    fn a_ca_is_read_with_its_own_key_only() {
        let (one, two) = (
            Authority::create("Test", 1, NOW).unwrap(),
            Authority::create("Test", 2, NOW).unwrap(),
        );
        assert!(Authority::read(&one.certificate_pem, &two.key_pem).is_err());
    }

    #[test]
    fn a_request_that_was_altered_is_refused() {
        let (_, csr) = request(&[]);
        let mut lines: Vec<String> = csr.lines().map(str::to_owned).collect();
        let middle = lines.len() / 2;
        let flipped = if lines[middle].starts_with('A') { "B" } else { "A" };
        lines[middle].replace_range(0..1, flipped);
        assert!(
            authority()
                .issue_site(&"north".parse().unwrap(), &lines.join("\n"), 30, NOW)
                .is_err()
        );
        assert!(
            authority()
                .issue_site(&"north".parse().unwrap(), "hello", 30, NOW)
                .is_err()
        );
    }

    #[test]
    fn serials_differ() {
        assert_ne!(random_serial().unwrap(), random_serial().unwrap());
    }
}
