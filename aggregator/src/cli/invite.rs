//! `aggregator invite`: one line to hand to a hospital.

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::json;
use snowball_ledger::Entry;
use snowball_protocol::{SiteName, enrolment::Invitation};
use snowball_service::clock;

use super::{Answer, open, plausible};
use crate::{home::Home, journal};

/// Prints an invitation: where this aggregator is, its CA's fingerprint and a token that works once.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator invite --site north --valid-hours 72\n\n\
    Hand the line over by a channel that you trust; a new invitation replaces an unused one of the same site.")]
pub struct Invite {
    /// For which site
    #[arg(long, value_name = "NAME")]
    pub site: SiteName,
    /// For how long the token holds
    #[arg(long, value_name = "HOURS", default_value_t = 72)]
    pub valid_hours: u32,
}

impl Invite {
    /// The ledger has it before anyone can use it.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let (home, registry) = open(home).await?;
        ensure!(
            (1..=8_784).contains(&self.valid_hours),
            "an invitation holds from 1 to 8784 hours"
        );
        let now = clock::now();
        plausible::clock(&registry, now).await?;
        let invitation = Invitation {
            address: format!("https://{}", home.config()?.address),
            ca_fingerprint: home.authorities()?.serving().fingerprint(),
            site: self.site.clone(),
            token: snowball_crypto::random_token()?,
            made: now,
            expires: now + i64::from(self.valid_hours) * 3600,
        };
        journal::record(
            &home,
            now,
            vec![Entry::InvitationMade {
                site: self.site.clone(),
            }],
        )?;
        registry
            .invite(&self.site, &invitation.token, invitation.expires, now)
            .await
            .context("cannot save the invitation")?;
        registry.close().await;
        let line = invitation.to_line();
        let json = json!({ "site": self.site, "invitation": line, "expires": invitation.expires });
        Ok(Answer::new(line, json))
    }
}
