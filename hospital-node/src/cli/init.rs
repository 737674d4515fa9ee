//! `init`: a node's folder with its keys and its ledger.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use snowball_crypto::{SigningKey, SiteSecret, VerifyingKey};
use snowball_ledger::Entry;
use snowball_protocol::SiteName;
use snowball_service::{clock, files};

use super::Context;
use crate::{config::NodeConfig, home::Home};

/// Make a node: its folder, its keys, its configuration, its ledger.
#[derive(Args)]
#[command(after_help = "Example: hospital-node --home /var/lib/snowball init --site north")]
pub struct Init {
    /// The site's name in the consortium, as the coordinator invites it.
    #[arg(long)]
    site: SiteName,
    /// Threads for training on the CPU; 0: as many as cores.
    #[arg(long, default_value_t = 0)]
    threads: u32,
}

impl Init {
    pub fn run(self, context: &Context) -> Result<()> {
        let (site, root) = (self.site.clone(), context.root.display());
        let public = make(&context.root, self.site, self.threads)?.to_string();
        let document = serde_json::json!({"home": context.root, "site": site, "ledger_key": public});
        context.print(&document, || {
            format!(
                "a node for site {site} in {root}\nthe key that signs its ledger: {public}\n\nnext: hospital-node policy \
                 install FILE --ethics-key KEY, hospital-node ingest FOLDER, hospital-node enroll INVITATION"
            )
        })
    }
}

/// Makes a node in `root`, and gives the key that its ledger is checked with.
pub fn make(root: &Path, site: SiteName, threads: u32) -> Result<VerifyingKey> {
    let home = Home::at(root);
    if home.config_file().exists() {
        bail!("{} holds a node already; nothing was changed", root.display());
    }
    for folder in [
        home.root().to_owned(),
        home.root().join("keys"),
        home.root().join("certs"),
        home.root().join("policy"),
    ] {
        files::create_home(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut config = NodeConfig::new(site);
    config.training.threads = threads;
    let secret = SiteSecret::generate().context("no randomness for the site's secret")?;
    files::write_private(&home.site_secret(), secret.to_hex().as_bytes())?;
    let key = SigningKey::generate().context("no randomness for the ledger's key")?;
    files::write_private(&home.ledger_key_file(), key.to_pem().as_bytes())?;
    let public = key.verifying_key();
    files::write_durable(&home.ledger_public_key(), format!("{public}\n").as_bytes())?;
    let ledger = home.open_ledger(&config)?;
    let entry = Entry::NodeInitialised {
        site: config.site.clone(),
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    ledger
        .lock()
        .map_err(|_| anyhow::anyhow!("the ledger is in use"))?
        .append(clock::now(), entry)?;
    // The configuration comes last: a folder with one is a whole node.
    files::write_durable(&home.config_file(), config.to_toml().as_bytes())?;
    Ok(public)
}
