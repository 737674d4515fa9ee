//! `aggregator approve`: a person compared the fingerprint; the site gets its certificate.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use snowball_ledger::Entry;
use snowball_protocol::{Sha256Digest, SiteName};
use snowball_registry::Certificate;
use snowball_service::clock;

use super::{Answer, Refused, open};
use crate::{home::Home, journal};

/// Fewer digits say nothing about a key.
const FINGERPRINT_DIGITS_MIN: usize = 8;

/// Signs the certificate of a site that asked for one.
#[derive(Args)]
#[command(
    after_help = "Example:\n  aggregator approve north --fingerprint 5f2b90c1 --reason \"compared by telephone\"\n\n\
    The fingerprint is what the hospital's node shows; compare it aloud before you approve."
)]
pub struct Approve {
    /// Which site
    site: SiteName,
    /// The fingerprint that the site reads out: its first 8 digits or more
    #[arg(long, value_name = "DIGITS")]
    fingerprint: Option<String>,
    /// Why, for the ledger
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Approve {
    /// Refuses (exit code 3) where nothing waits or the fingerprint is another key's.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let (home, registry) = open(home).await?;
        let Some(enrolment) = registry.pending_enrolment(&self.site).await? else {
            bail!(Refused(format!(
                "no request of {} waits for approval; see aggregator sites",
                self.site
            )));
        };
        if let Some(digits) = &self.fingerprint
            && !is_start_of(digits, &enrolment.key_fingerprint)
        {
            let shown = enrolment.key_fingerprint.short();
            bail!(Refused(format!(
                "the waiting request has the fingerprint {shown}, not {digits}: somebody else may have asked"
            )));
        }
        let now = clock::now();
        let days = home.config()?.site_certificate_days;
        let issued = home
            .authorities()?
            .signing()
            .issue_site(&self.site, &enrolment.csr_pem, days, now)?;
        let entry = Entry::EnrolmentApproved {
            site: self.site.clone(),
            key_fingerprint: enrolment.key_fingerprint,
            certificate_serial: issued.serial.clone(),
            reason: self.reason.clone(),
        };
        journal::record(&home, now, vec![entry])?;
        let certificate = Certificate {
            serial: issued.serial.clone(),
            pem: issued.pem,
            expires: issued.not_after,
        };
        registry.approve(&enrolment.id, &certificate, &self.reason, now).await?;
        registry.close().await;
        let fingerprint = enrolment.key_fingerprint;
        let text = format!(
            "Approved {} with the key {} ({}); its certificate {} holds {days} days.",
            self.site,
            fingerprint.short(),
            if self.fingerprint.is_some() {
                "compared"
            } else {
                "NOT compared"
            },
            issued.serial,
        );
        let json = json!({
            "site": self.site,
            "key_fingerprint": fingerprint,
            "compared": self.fingerprint.is_some(),
            "certificate_serial": issued.serial,
            "expires": issued.not_after,
        });
        Ok(Answer::new(text, json))
    }
}

fn is_start_of(digits: &str, fingerprint: &Sha256Digest) -> bool {
    let digits = digits.strip_prefix("sha256:").unwrap_or(digits).to_ascii_lowercase();
    digits.len() >= FINGERPRINT_DIGITS_MIN && hex::encode(fingerprint.as_bytes()).starts_with(&digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_compared_by_its_first_digits_and_never_by_too_few() {
        let fingerprint = Sha256Digest::of(b"key");
        assert!(is_start_of(&fingerprint.short(), &fingerprint));
        assert!(is_start_of(&fingerprint.short().to_uppercase(), &fingerprint));
        assert!(is_start_of(&fingerprint.to_string(), &fingerprint));
        assert!(!is_start_of("", &fingerprint));
        assert!(!is_start_of(&fingerprint.short()[..7], &fingerprint));
        assert!(!is_start_of("00000000", &fingerprint));
    }
}
