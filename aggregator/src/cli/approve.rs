//! `aggregator approve`: a person compared the fingerprint; the site gets its certificate.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use snowball_ledger::Entry;
use snowball_protocol::SiteName;
use snowball_registry::{Certificate, Decision, Registry, SUPERSEDED};
use snowball_service::clock;

use super::{Answer, Refused, fingerprint::choose, open, plausible, words::Reason};
use crate::{home::Home, journal};

/// Signs the certificate of a site that asked for one.
#[derive(Args)]
#[command(
    after_help = "Example:\n  aggregator approve north --fingerprint 5f2b-90c1-77aa-01de --reason \"compared by telephone\"\n\n\
    The fingerprint is what the hospital's node shows; let them read it to you, and type what you hear."
)]
pub struct Approve {
    /// Which site
    pub site: SiteName,
    /// The fingerprint that the site reads out, all 16 digits or more
    #[arg(long, value_name = "DIGITS")]
    pub fingerprint: String,
    /// Why, for the ledger
    #[arg(long, value_name = "TEXT")]
    pub reason: Reason,
}

impl Approve {
    /// Refuses (exit code 3) where nothing waits or the fingerprint is another key's; then nothing has changed.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let (home, registry) = open(home).await?;
        let now = clock::now();
        plausible::clock(&registry, now).await?;
        let mut pending = registry.pending_enrolments(&self.site).await?;
        if pending.is_empty() {
            bail!(Refused(nothing_waits(&registry, &self.site).await?));
        }
        let place = choose(&self.site, &pending, &self.fingerprint).map_err(Refused)?;
        let enrolment = pending.swap_remove(place);
        let days = home.config()?.site_certificate_days;
        let issued = home
            .authorities()?
            .signing()
            .issue_site(&self.site, &enrolment.csr_pem, days, now)?;
        let mut entries = vec![Entry::EnrolmentApproved {
            site: self.site.clone(),
            key_fingerprint: enrolment.key_fingerprint,
            certificate_serial: issued.serial.clone(),
            reason: self.reason.to_string(),
        }];
        entries.extend(pending.iter().map(|_| Entry::EnrolmentRefused {
            site: self.site.clone(),
            reason: SUPERSEDED.to_owned(),
        }));
        journal::record(&home, now, entries)?;
        let certificate = Certificate {
            serial: issued.serial.clone(),
            pem: issued.pem,
            expires: issued.not_after,
        };
        registry
            .approve(&enrolment.id, &certificate, &self.reason.to_string(), now)
            .await?;
        registry.close().await;
        let fingerprint = enrolment.key_fingerprint;
        let mut text = format!(
            "Approved {} with the key {}; its certificate {} holds {days} days.",
            self.site,
            fingerprint.spoken(),
            issued.serial,
        );
        for other in &pending {
            text += &format!(
                "\nRefused the other request of {}, with the key {}: {SUPERSEDED}.",
                self.site,
                other.key_fingerprint.spoken()
            );
        }
        let json = json!({
            "site": self.site,
            "key_fingerprint": fingerprint,
            "certificate_serial": issued.serial,
            "expires": issued.not_after,
            "refused": pending.iter().map(|other| other.key_fingerprint).collect::<Vec<_>>(),
        });
        Ok(Answer::new(text, json))
    }
}

/// Why there is nothing to decide, as far as it can be told.
pub async fn nothing_waits(registry: &Registry, site: &SiteName) -> Result<String> {
    let last = registry
        .enrolments()
        .await?
        .into_iter()
        .rfind(|enrolment| enrolment.site == *site);
    let why = match last.map(|enrolment| (enrolment.key_fingerprint.spoken(), enrolment.decision)) {
        None => "it has not used an invitation yet: they run hospital-node enroll first".to_owned(),
        Some((key, Decision::Approved { .. })) => format!("the one with the key {key} was approved already"),
        Some((key, Decision::Refused { reason, .. })) => format!(
            "the one with the key {key} was refused ({reason}); to take the site in after all: aggregator invite --site {site}"
        ),
        Some((_, Decision::Pending)) => "see aggregator sites".to_owned(),
    };
    Ok(format!("no request of {site} waits for a decision: {why}"))
}
