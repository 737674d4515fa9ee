//! `ledger`: what this node did, checked and told.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use snowball_crypto::VerifyingKey;
use snowball_service::output;

use super::{Context, Refused};

/// What this node did: check that nobody changed it, or read it.
#[derive(Subcommand)]
pub enum Ledger {
    /// Check every record, the chain and the signature. Needs public keys only. Example: hospital-node ledger verify
    Verify {
        /// A ledger's folder; absent: this node's.
        #[arg(long)]
        folder: Option<PathBuf>,
        /// The public key of its owner, base64; absent: this node's.
        #[arg(long)]
        key: Option<VerifyingKey>,
    },
    /// Tell it line by line. Example: hospital-node ledger show
    Show,
}

impl Ledger {
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Verify { folder, key } => verify(context, folder, key),
            Self::Show => show(context),
        }
    }
}

fn verify(context: &Context, folder: Option<PathBuf>, key: Option<VerifyingKey>) -> Result<()> {
    let folder = match folder {
        Some(folder) => folder,
        None => context.home()?.ledger(),
    };
    let key = match key {
        Some(key) => key,
        None => {
            let home = context.home()?;
            home.read_text(&home.ledger_public_key())?
                .trim()
                .parse()
                .context("the ledger's public key does not parse")?
        }
    };
    match snowball_ledger::verify(&folder, &key) {
        Ok(verified) => {
            let document = serde_json::json!({
                "verified": true, "owner": verified.head.owner, "entries": verified.entries, "head": verified.head.hash,
                "kinds": verified.counts,
            });
            context.print(&document, || {
                format!(
                    "sound: {} entries of {}, head {}",
                    verified.entries, verified.head.owner, verified.head.hash
                )
            })
        }
        Err(fault) => Err(Refused(format!("the ledger in {} does not verify: {fault}", folder.display())).into()),
    }
}

fn show(context: &Context) -> Result<()> {
    let records = snowball_ledger::read(&context.home()?.ledger()).context("cannot read the ledger")?;
    for record in records {
        if context.json {
            output::line(serde_json::to_string(&record)?)?;
        } else {
            let time = jiff::Timestamp::from_second(record.time)
                .map_or_else(|_| record.time.to_string(), |time| time.to_string());
            snowball_service::say!("{:>6}  {time}  {}", record.index, record.describe())?;
        }
    }
    Ok(())
}
