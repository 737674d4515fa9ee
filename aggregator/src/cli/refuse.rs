//! `aggregator refuse`: a site that asked does not get a certificate.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use snowball_ledger::Entry;
use snowball_protocol::SiteName;
use snowball_service::clock;

use super::{Answer, Refused, open};
use crate::{home::Home, journal};

/// Refuses a site that asked for a certificate; the site reads the reason.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator refuse north --reason \"the fingerprints differ\"")]
pub struct Refuse {
    /// Which site
    site: SiteName,
    /// Why; the site reads it
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Refuse {
    /// Exit code 3 where nothing waits.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let (home, registry) = open(home).await?;
        let Some(enrolment) = registry.pending_enrolment(&self.site).await? else {
            bail!(Refused(format!(
                "no request of {} waits for a decision; see aggregator sites",
                self.site
            )));
        };
        let now = clock::now();
        journal::record(
            &home,
            now,
            vec![Entry::EnrolmentRefused {
                site: self.site.clone(),
                reason: self.reason.clone(),
            }],
        )?;
        registry.refuse(&enrolment.id, &self.reason, now).await?;
        registry.close().await;
        Ok(Answer::new(
            format!("Refused {}.", self.site),
            json!({ "site": self.site, "refused": true }),
        ))
    }
}
