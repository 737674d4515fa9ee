//! `aggregator init`: everything that a new consortium needs, in one folder.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::json;
use snowball_crypto::SigningKey;
use snowball_ledger::Entry;
use snowball_registry::{Consortium, Registry};
use snowball_service::{clock, files};

use super::Answer;
use crate::{authorities::Authorities, config::Config, home::Home, journal, server_certificate};

/// Makes the folder, the certificate authority, the server's certificate, the ledger's key, the ledger and the database.
#[derive(Args)]
#[command(
    after_help = "Example:\n  aggregator init --consortium Spines --address snowball.example.org:7443 --name 10.1.2.3"
)]
pub struct Init {
    /// The consortium's name
    #[arg(long, value_name = "NAME")]
    consortium: String,
    /// Where sites reach this aggregator
    #[arg(long, value_name = "HOST:PORT")]
    address: String,
    /// A further DNS name or IP address of this machine, for its certificate
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
}

impl Init {
    /// The configuration is written last: a folder that lacks it was left half-made and is made anew.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        if home.is_initialised() {
            bail!("{} holds an aggregator already", home.dir().display());
        }
        let now = clock::now();
        let config = Config::new(&self.consortium, &self.address, &self.names)?;
        files::create_home(home.dir()).with_context(|| format!("cannot make {}", home.dir().display()))?;
        // A folder that was there before may be open to others.
        fs::set_permissions(home.dir(), Permissions::from_mode(0o700))?;

        let authorities = Authorities::found(home, &config.consortium, now)?;
        let authority = authorities.serving();
        server_certificate::renew(home, &authorities, &config, now)?;

        let key = SigningKey::generate()?;
        let public = key.verifying_key();
        files::write_private(&home.signing_key_file(), key.to_pem().as_bytes())?;
        files::write_durable(&home.public_key_file(), format!("{public}\n").as_bytes())?;

        let registry = Registry::open(&home.database_file()).await?;
        let consortium = Consortium {
            name: config.consortium.clone(),
            address: config.address.clone(),
            ca_fingerprint: authority.fingerprint(),
            aggregator_key: public.to_string(),
            founded: now,
        };
        registry.found(&consortium).await?;
        registry.close().await;
        let program_version = env!("CARGO_PKG_VERSION").to_owned();
        let entry = Entry::AggregatorInitialised {
            consortium: config.consortium.clone(),
            program_version,
        };
        journal::record(home, now, vec![entry])?;
        files::write_private(&home.config_file(), config.to_toml()?.as_bytes())?;

        let text = format!(
            "Made the aggregator of {} in {}.\n\
             Sites will pin the CA {}.\n\
             Auditors verify ledgers, receipts and releases with the key {public}.\n\
             Next: aggregator serve, then aggregator invite --site NAME.\n\
             Keep ca.key.pem and ledger.key.pem secret and backed up: nobody can make them again.",
            config.consortium,
            home.dir().display(),
            authority.fingerprint(),
        );
        let json = json!({
            "home": home.dir(),
            "address": config.address,
            "ca_fingerprint": authority.fingerprint(),
            "aggregator_key": public.to_string(),
        });
        Ok(Answer::new(text, json))
    }
}
