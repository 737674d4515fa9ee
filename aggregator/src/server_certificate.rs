//! The server's own certificate: signed here, renewed here, in one file with its key, so that no crash leaves half a pair.

use anyhow::{Context as _, Result};
use snowball_ledger::Entry;
use snowball_protocol::ids::UnixSeconds;
use snowball_service::tls::{self, Life};
use zeroize::Zeroizing;

use crate::{authorities::Authorities, authority, config::Config, home::Home};

/// The certificate and its key, PEM.
pub struct ServerCertificate {
    /// Both, in one text.
    pub pair_pem: Zeroizing<String>,
    /// Its serial number, lower-case hex.
    pub serial: String,
    /// From when to when it holds.
    pub life: Life,
}

impl ServerCertificate {
    /// The one that lies there.
    pub fn read(home: &Home) -> Result<Self> {
        let pair_pem = home.keys().read(&home.server_file())?;
        let serial = authority::serial(&pair_pem).context("server.pem holds no certificate")?;
        let life = Life::read_pem(&pair_pem)?;
        Ok(Self { pair_pem, serial, life })
    }

    /// Whether it may be used further: the CA `serving_pem` has signed it, and it is not time for the next, or the next could
    /// not live longer.
    pub fn is_fresh(&self, serving_pem: &str, now: UnixSeconds) -> bool {
        let lives_as_long = Life::read_pem(serving_pem).is_ok_and(|serving| self.life.not_after >= serving.not_after);
        tls::is_issued_by(&self.pair_pem, serving_pem).unwrap_or(false)
            && (lives_as_long || !self.life.is_renewal_due(now))
    }
}

/// Signs and keeps the next one now. The caller holds the lock of the certificates.
pub fn renew(home: &Home, authorities: &Authorities, config: &Config, now: UnixSeconds) -> Result<ServerCertificate> {
    let days = config.server_certificate_days;
    let pair = authorities.serving().issue_server(&config.names, days, now)?;
    let text = Zeroizing::new(format!("{}\n{}", pair.certificate_pem.trim_end(), *pair.key_pem));
    home.keys().write(&home.server_file(), &text)?;
    ServerCertificate::read(home)
}

/// The ledger's entry for a new one.
pub fn renewed_entry(certificate: &ServerCertificate, authorities: &Authorities) -> Entry {
    Entry::ServerCertificateRenewed {
        certificate_serial: certificate.serial.clone(),
        authority: authorities.serving().fingerprint(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = 1_800_000_000;
    const DAY: i64 = 86_400;

    #[test]
    fn it_is_fresh_for_two_thirds_of_its_life_and_under_its_own_ca_only() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let authorities = Authorities::found(&home, "Test", NOW).unwrap();
        let config = Config::new("Test", "localhost:7443", &[]).unwrap();
        let serving = authorities.serving();
        let first = renew(&home, &authorities, &config, NOW).unwrap();
        assert_eq!(first.life.not_after, NOW + 90 * DAY);
        assert!(first.is_fresh(serving.pem(), NOW + 59 * DAY) && !first.is_fresh(serving.pem(), NOW + 60 * DAY));
        let second = renew(&home, &authorities, &config, NOW + 60 * DAY).unwrap();
        assert_ne!(first.serial, second.serial);
        assert_eq!(ServerCertificate::read(&home).unwrap().serial, second.serial);

        let other = Authorities::found(&home, "Other", NOW).unwrap();
        assert!(!second.is_fresh(other.serving().pem(), NOW + 60 * DAY));
        // One that ends with its CA is not signed again and again.
        let end = other.serving().life().not_after;
        let last = renew(&home, &other, &config, end - DAY).unwrap();
        assert!(last.life.not_after == end && last.is_fresh(other.serving().pem(), end - 60));
    }
}
