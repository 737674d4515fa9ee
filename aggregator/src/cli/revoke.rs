//! `aggregator revoke`: a site is shut out.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use snowball_ledger::Entry;
use snowball_protocol::SiteName;
use snowball_service::clock;

use super::{Answer, Refused, open};
use crate::{home::Home, journal};

/// Shuts a site out from its next request on: all its certificates and invitations end.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator revoke north --reason \"node stolen\"\n\n\
    What the site contributed before stays; to let it in again, invite and approve it anew.")]
pub struct Revoke {
    /// Which site
    site: SiteName,
    /// Why; the site reads it
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Revoke {
    /// Exit code 3 for a site that never was one.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let (home, registry) = open(home).await?;
        let Some(site) = registry.site(&self.site).await? else {
            bail!(Refused(format!(
                "no site is called {}; see aggregator sites",
                self.site
            )));
        };
        if site.revoked.is_some() {
            return Ok(Answer::new(
                format!("{} is revoked already.", self.site),
                json!({ "site": self.site, "revoked": true }),
            ));
        }
        let now = clock::now();
        journal::record(
            &home,
            now,
            vec![Entry::SiteRevoked {
                site: self.site.clone(),
                reason: self.reason.clone(),
            }],
        )?;
        registry.revoke_site(&self.site, &self.reason, now).await?;
        registry.close().await;
        Ok(Answer::new(
            format!("Revoked {}.", self.site),
            json!({ "site": self.site, "revoked": true }),
        ))
    }
}
