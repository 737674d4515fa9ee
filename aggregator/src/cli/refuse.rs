//! `aggregator refuse`: a site that asked does not get a certificate.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use snowball_ledger::Entry;
use snowball_protocol::SiteName;
use snowball_service::clock;

use super::{Answer, Refused, approve::nothing_waits, fingerprint::choose, open, words::Reason};
use crate::{home::Home, journal};

/// Refuses a site that asked for a certificate; the site reads the reason.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator refuse north --reason \"the fingerprints differ\"")]
pub struct Refuse {
    /// Which site
    pub site: SiteName,
    /// Which of its requests, where several wait; absent: all of them
    #[arg(long, value_name = "DIGITS")]
    pub fingerprint: Option<String>,
    /// Why; the site reads it
    #[arg(long, value_name = "TEXT")]
    pub reason: Reason,
}

impl Refuse {
    /// Exit code 3 where nothing waits.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let (home, registry) = open(home).await?;
        let mut pending = registry.pending_enrolments(&self.site).await?;
        if pending.is_empty() {
            bail!(Refused(nothing_waits(&registry, &self.site).await?));
        }
        if let Some(typed) = &self.fingerprint {
            let place = choose(&self.site, &pending, typed).map_err(Refused)?;
            pending = vec![pending.swap_remove(place)];
        }
        let now = clock::now();
        for enrolment in &pending {
            let entry = Entry::EnrolmentRefused {
                site: self.site.clone(),
                reason: self.reason.to_string(),
            };
            journal::record(&home, now, vec![entry])?;
            registry.refuse(&enrolment.id, &self.reason.to_string(), now).await?;
        }
        registry.close().await;
        Ok(Answer::new(
            format!("Refused {}.", self.site),
            json!({ "site": self.site, "refused": true, "requests": pending.len() }),
        ))
    }
}
