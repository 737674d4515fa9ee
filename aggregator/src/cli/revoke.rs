//! `aggregator revoke`: a site is shut out, or one of its certificates.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use snowball_ledger::Entry;
use snowball_protocol::{SiteName, limits::HEARTBEAT_SECONDS};
use snowball_registry::{Registry, Standing};
use snowball_service::clock;

use super::{Answer, Refused, open, words::Reason};
use crate::{home::Home, journal};

/// Shuts a site out: all its certificates and invitations end. With --serial, one certificate ends and the site's others go on.
/// Requests are refused from the next one on; what is under way is cut off within a heartbeat.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator revoke north --reason \"node stolen\"\n  \
    aggregator revoke --serial 5c2f9b018e --reason \"key seen\"\n\n\
    What the site contributed before stays; to let it in again, invite and approve it anew. Serial numbers: aggregator sites --json.")]
pub struct Revoke {
    /// Which site
    #[arg(required_unless_present = "serial", conflicts_with = "serial")]
    pub site: Option<SiteName>,
    /// Which certificate, by its whole serial number in hexadecimal
    #[arg(long, value_name = "HEX")]
    pub serial: Option<String>,
    /// Why; the site reads it
    #[arg(long, value_name = "TEXT")]
    pub reason: Reason,
}

impl Revoke {
    /// Exit code 3 for a site or certificate that never was one.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let (home, registry) = open(home).await?;
        let answer = match (&self.site, &self.serial) {
            (Some(site), _) => self.revoke_site(&home, &registry, site).await?,
            (None, Some(serial)) => {
                let serial = serial.replace(':', "").to_ascii_lowercase();
                self.revoke_serial(&home, &registry, &serial).await?
            }
            (None, None) => bail!("name a site, or a certificate with --serial"),
        };
        registry.close().await;
        Ok(answer)
    }

    async fn revoke_site(&self, home: &Home, registry: &Registry, name: &SiteName) -> Result<Answer> {
        let Some(site) = registry.site(name).await? else {
            bail!(Refused(format!("no site is called {name}; see aggregator sites")));
        };
        let json = json!({ "site": name, "revoked": true });
        if site.revoked.is_some() {
            return Ok(Answer::new(format!("{name} is revoked already."), json));
        }
        let now = clock::now();
        let entry = Entry::SiteRevoked {
            site: name.clone(),
            reason: self.reason.to_string(),
        };
        journal::record(home, now, vec![entry])?;
        registry.revoke_site(name, &self.reason.to_string(), now).await?;
        let text = format!("Revoked {name}; what it has open ends within {HEARTBEAT_SECONDS} seconds.");
        Ok(Answer::new(text, json))
    }

    async fn revoke_serial(&self, home: &Home, registry: &Registry, serial: &str) -> Result<Answer> {
        let site = match registry.standing(serial).await? {
            Standing::Known { site } => site,
            Standing::Revoked { site, .. } => {
                return Ok(Answer::new(
                    format!("Certificate {serial} of {site} is revoked already."),
                    json!({ "site": site, "serial": serial, "revoked": true }),
                ));
            }
            Standing::Unknown => bail!(Refused(format!(
                "no certificate has the serial number {serial}; see aggregator sites --json"
            ))),
        };
        let now = clock::now();
        let entry = Entry::CertificateRevoked {
            site: site.clone(),
            certificate_serial: serial.to_owned(),
            reason: self.reason.to_string(),
        };
        journal::record(home, now, vec![entry])?;
        registry.revoke_serial(serial, &self.reason.to_string(), now).await?;
        let live = registry.live_certificates(now).await?;
        let others = live.iter().filter(|(name, _)| *name == site).count();
        let rest = match others {
            0 => format!("{site} has no other; to let it in again, invite and approve it anew"),
            _ => format!("{site} goes on with {others} others"),
        };
        let text =
            format!("Revoked certificate {serial}; what it has open ends within {HEARTBEAT_SECONDS} seconds. {rest}.");
        let json = json!({ "site": site, "serial": serial, "revoked": true, "others": others });
        Ok(Answer::new(text, json))
    }
}
