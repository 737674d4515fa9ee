//! `aggregator renew`: the server's next certificate now, and not when two thirds of the present one are over.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use snowball_service::clock;

use super::Answer;
use crate::{home::Home, journal, server_certificate};

/// Renews the server's certificate now, with a new key. A running `serve` does it by itself after two thirds of the
/// certificate's life; this is for a key that may have been seen, or for other `names` in aggregator.toml.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator renew\n\n\
    A running serve takes it up within seconds, for the connections that begin then; transfers under way go on.")]
pub struct Renew {}

impl Renew {
    /// The pair is replaced whole; the ledger hears of it afterwards, since a certificate that lies there is used.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let home = home.existing()?;
        let (config, now) = (home.config()?, clock::now());
        let lock = home.lock_certificates()?;
        let authorities = home.authorities()?;
        let renewed = server_certificate::renew(&home, &authorities, &config, now)?;
        drop(lock);
        let entry = server_certificate::renewed_entry(&renewed, &authorities);
        journal::record(&home, now, vec![entry])?;
        let days = renewed.life.days_left(now);
        Ok(Answer::new(
            format!(
                "Certificate {}, {days} days; a running serve takes it up within seconds.",
                renewed.serial
            ),
            json!({ "serial": renewed.serial, "not_after": renewed.life.not_after, "days_left": days }),
        ))
    }
}
