//! `aggregator ca rotate`: the next CA, trusted beside the one before.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use snowball_ledger::Entry;
use snowball_service::clock;

use crate::{authority::Authority, cli::Answer, home::Home, journal};

/// Makes the next CA. From now on it signs the sites; the one before still signs the server, and both are trusted, so no
/// site is cut off. Running nodes learn of it within a heartbeat and renew at once.
#[derive(Args)]
#[command(
    after_help = "Example:\n  aggregator ca rotate --reason \"the CA ends in a year\"\n\n\
    Then wait until aggregator ca list shows nobody who depends on the old one, and retire it: aggregator ca retire."
)]
pub struct Rotate {
    /// Why, for the ledger
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Rotate {
    /// The ledger has it before anyone trusts it.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let home = home.existing()?;
        let (config, now) = (home.config()?, clock::now());
        let _lock = home.lock_certificates()?;
        let authorities = home.authorities()?;
        let pair = Authority::create(&config.consortium, authorities.number() + 1, now)?;
        let next = Authority::read(&pair.certificate_pem, &pair.key_pem)?;
        let fingerprint = next.fingerprint();
        let list = authorities.with(next)?;
        let entry = Entry::AuthorityAdded {
            authority: fingerprint,
            number: list.number(),
            reason: self.reason.clone(),
        };
        journal::record(&home, now, vec![entry])?;
        list.save(&home)?;
        let old = list.serving().fingerprint();
        let text = format!(
            "Added the CA {}; {} CAs are trusted now.\n\
             Running nodes take it over by themselves. When aggregator ca list shows nobody who depends on the old one:\n\
             aggregator ca retire {} --reason TEXT\n\
             Back up ca.key.pem: it holds a new key.",
            fingerprint.short(),
            list.all().len(),
            old.short(),
        );
        let json = json!({ "added": fingerprint, "oldest": old, "number": list.number() });
        Ok(Answer::new(text, json))
    }
}
