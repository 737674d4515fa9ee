//! `aggregator ca retire`: a CA is trusted no more.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use snowball_ledger::Entry;
use snowball_service::{clock, tls};

use super::Dependents;
use crate::{
    cli::{Answer, Refused, open},
    home::Home,
    journal, server_certificate,
};

/// Retires a CA: its certificates are refused at once, also on open connections, and the server's is renewed under the next CA.
/// Refused while somebody depends on it.
#[derive(Args)]
#[command(
    after_help = "Example:\n  aggregator ca retire 5f2b90c1 --reason \"every site has the next one\"\n\n\
    With --force the sites that depend on it are cut off and must enrol again: for a CA whose key was stolen."
)]
pub struct Retire {
    /// The CA's fingerprint: its first digits
    #[arg(value_name = "DIGITS")]
    authority: String,
    /// Why, for the ledger and for whoever is cut off
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Retire it although somebody depends on it
    #[arg(long)]
    force: bool,
}

impl Retire {
    /// Exit code 3 where somebody depends on it. In an order that may break off anywhere and be run again.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let (home, registry) = open(home).await?;
        let (config, now) = (home.config()?, clock::now());
        let _lock = home.lock_certificates()?;
        let authorities = home.authorities()?;
        let retired = authorities.find(&self.authority)?;
        let (fingerprint, pem) = (retired.fingerprint(), retired.pem().to_owned());
        let others: Vec<_> = authorities
            .all()
            .iter()
            .filter(|other| other.fingerprint() != fingerprint)
            .collect();
        let is_serving = authorities.serving().fingerprint() == fingerprint;
        let dependents = Dependents::of(&registry, &others, is_serving, now).await?;
        if !others.is_empty() && !dependents.is_empty() && !self.force {
            bail!(Refused(format!(
                "the CA {} is still needed: {}. Nodes that run take over the next one by themselves; start the others, and \
                 invite anew whoever was invited before. To cut them off all the same: --force",
                fingerprint.short(),
                dependents.words()
            )));
        }
        let list = authorities.without(fingerprint)?;
        let entry = Entry::AuthorityRetired {
            authority: fingerprint,
            number: list.number(),
            sites_cut_off: dependents.sites.len() as u64,
            reason: self.reason.clone(),
        };
        journal::record(&home, now, vec![entry])?;
        let reason = format!("its CA was retired: {}", self.reason);
        for (_, certificate) in registry.live_certificates(now).await? {
            if tls::is_issued_by(&certificate.pem, &pem)? {
                registry.revoke_serial(&certificate.serial, &reason, now).await?;
            }
        }
        list.save(&home)?;
        if is_serving {
            let renewed = server_certificate::renew(&home, &list, &config, now)?;
            journal::record(&home, now, vec![server_certificate::renewed_entry(&renewed, &list)])?;
        }
        registry.close().await;
        let text = format!(
            "Retired the CA {}; cut off: {}.",
            fingerprint.short(),
            dependents.words()
        );
        let json = json!({ "retired": fingerprint, "number": list.number(), "cut_off": dependents.sites });
        Ok(Answer::new(text, json))
    }
}
