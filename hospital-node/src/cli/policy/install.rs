//! `policy install`, `policy replace-key`: a policy comes into force, each step recorded before it is taken and every version kept.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use snowball_crypto::VerifyingKey;
use snowball_ledger::Entry;
use snowball_policy::Language;
use snowball_service::{clock, files};

use super::{Note, read, signature_of, summary};
use crate::{
    cli::{Context, words},
    home::Home,
    policy::{self, install::Offered},
};

/// Put a signed policy in force. It must be newer than the one before and name it; every version is kept.
#[derive(Args)]
#[command(after_help = "Example: hospital-node policy install policy.toml --ethics-key ethics.pub")]
pub struct Install {
    /// The policy; its signature lies beside it with the ending .sig.
    file: PathBuf,
    /// The board's public key: needed the first time, and then kept. No other is taken afterwards.
    #[arg(long)]
    ethics_key: Option<PathBuf>,
    /// Install it although it is not newer or does not name the one before. The reason goes into the ledger.
    #[arg(long, value_name = "REASON")]
    force_reason: Option<String>,
}

/// Let another key take the place of the ethics board's. The policy in force is void until one is installed that the new key
/// signed. Who did it and why goes into the ledger.
#[derive(Args)]
#[command(after_help = "Example: hospital-node policy replace-key new.pub --reason new-board")]
pub struct ReplaceKey {
    /// The new public key.
    key: PathBuf,
    /// Why.
    #[arg(long)]
    reason: String,
}

impl Install {
    pub(super) fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let config = home.config()?;
        let given = self
            .ethics_key
            .as_ref()
            .map(|path| public_key(&home, path))
            .transpose()?;
        let bytes = read(&self.file)?;
        let signature = home.read_text(&signature_of(&self.file)).ok();
        let forced_reason = self.force_reason.as_deref();
        let forced_reason = forced_reason
            .map(|reason| words::checked("the reason", reason))
            .transpose()?;
        let offered = Offered::look(&home, &config, bytes, signature, given, forced_reason)?;
        let signed = offered.put_in_force(&home, &config)?;
        let summary = summary(&signed.policy, Note::InForce, Language::English);
        context.print(
            &serde_json::json!({"policy_digest": signed.digest, "summary": summary}),
            || summary.clone(),
        )
    }
}

impl ReplaceKey {
    pub(super) fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let config = home.config()?;
        let Some(before) = policy::ethics_key(&home) else {
            bail!("no ethics key is installed yet; install a policy with --ethics-key");
        };
        let key = public_key(&home, &self.key)?;
        if key == before {
            bail!("this key is installed already");
        }
        let entry = Entry::EthicsKeyReplaced {
            key_fingerprint: key.fingerprint(),
            previous_fingerprint: before.fingerprint(),
            account: words::account(),
            reason: words::checked("the reason", &self.reason)?,
        };
        let ledger = home.open_ledger(&config)?;
        let mut ledger = ledger.lock().map_err(|_| anyhow::anyhow!("the ledger is in use"))?;
        ledger.append(clock::now(), entry)?;
        files::write_durable(&home.ethics_key(), format!("{key}\n").as_bytes())?;
        let document = serde_json::json!({"key": key.fingerprint(), "previous": before.fingerprint()});
        context.print(&document, || {
            format!(
                "ethics key {} took the place of {}; nothing runs until a policy is installed that it signed",
                key.fingerprint().short(),
                before.fingerprint().short()
            )
        })
    }
}

fn public_key(home: &Home, path: &std::path::Path) -> Result<VerifyingKey> {
    let text = home.read_text(path)?;
    text.trim().parse().context("the ethics key does not parse")
}
