//! `policy install`, `policy replace-key`: a policy comes into force, each step recorded before it is taken and every version kept.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use snowball_crypto::VerifyingKey;
use snowball_ledger::{Entry, Record};
use snowball_policy::{Installed, Language, SignedPolicy, Succession, succeed};
use snowball_service::{clock, files};

use super::{Note, read, refused, signature_of, summary};
use crate::{
    cli::{Context, Refused, words},
    home::Home,
    policy,
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
        let pinned = policy::ethics_key(&home);
        let key = self.key(&home, pinned)?;
        let bytes = read(&self.file)?;
        let signature = home.read_text(&signature_of(&self.file)).ok();
        let signed = snowball_policy::verify(&bytes, signature.as_deref(), &key).map_err(refused)?;
        if signed.policy.site() != &config.site {
            return Err(Refused(format!(
                "the policy is for site {}, this node is {}",
                signed.policy.site(),
                config.site
            ))
            .into());
        }
        let ledger = home.open_ledger(&config)?;
        let before = installed(&snowball_ledger::read(&home.ledger()).context("cannot read the ledger")?);
        let forced_reason = self.forced(before.as_ref(), &signed)?;
        let mut entries = Vec::new();
        if pinned.is_none() {
            entries.push(Entry::EthicsKeyPinned {
                key_fingerprint: key.fingerprint(),
            });
        }
        entries.push(Entry::PolicyInstalled {
            policy_digest: signed.digest,
            version: signed.policy.version(),
            stage: signed.policy.stage().code().to_owned(),
        });
        if let Some(before) = before.filter(|before| before.digest != signed.digest) {
            entries.push(Entry::PolicySuperseded {
                policy_digest: signed.digest,
                superseded_digest: before.digest,
                forced_reason,
            });
        }
        let mut ledger = ledger.lock().map_err(|_| anyhow::anyhow!("the ledger is in use"))?;
        ledger.append_all(clock::now(), entries)?;
        drop(ledger);
        put_in_force(&home, &key, &signed, &bytes, &signature.unwrap_or_default())?;
        let summary = summary(&signed.policy, Note::InForce, Language::English);
        context.print(
            &serde_json::json!({"policy_digest": signed.digest, "summary": summary}),
            || summary.clone(),
        )
    }

    /// The pinned key; the first time the one that is given.
    fn key(&self, home: &Home, pinned: Option<VerifyingKey>) -> Result<VerifyingKey> {
        let given = self
            .ethics_key
            .as_ref()
            .map(|path| public_key(home, path))
            .transpose()?;
        match (pinned, given) {
            (Some(pinned), Some(given)) if pinned != given => Err(Refused(
                "another ethics key is installed; if the board has a new key, run hospital-node policy replace-key first"
                    .to_owned(),
            )
            .into()),
            (Some(pinned), _) => Ok(pinned),
            (None, Some(given)) => Ok(given),
            (None, None) => bail!("no ethics key is installed yet; add --ethics-key ethics.pub"),
        }
    }

    /// The reason for which a policy may take another's place although it does not follow on it.
    fn forced(&self, before: Option<&Installed>, signed: &SignedPolicy) -> Result<Option<String>> {
        match (succeed(before, signed), &self.force_reason) {
            (Ok(Succession::First | Succession::Same | Succession::Next), _) => Ok(None),
            (Err(_), Some(reason)) => Ok(Some(words::checked("the reason", reason)?)),
            (Err(fault), _) => Err(Refused(format!(
                "{}; --force-reason REASON installs it all the same and is recorded",
                fault.words(Language::English)
            ))
            .into()),
        }
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

/// The policy that was installed last. The ledger knows it even where somebody removed the file.
fn installed(records: &[Record]) -> Option<Installed> {
    records.iter().rev().find_map(|record| match record.entry {
        Entry::PolicyInstalled {
            policy_digest, version, ..
        } => Some(Installed {
            digest: policy_digest,
            version,
        }),
        _ => None,
    })
}

fn put_in_force(home: &Home, key: &VerifyingKey, signed: &SignedPolicy, bytes: &[u8], signature: &str) -> Result<()> {
    let public = format!("{key}\n");
    let history = home.policy_history();
    files::create_home(&history).with_context(|| format!("cannot make {}", history.display()))?;
    // For those who check afterwards: the file, its signature, and the key that made it.
    let name = format!("v{}-{}.toml", signed.policy.version(), signed.digest.short());
    files::write_durable(&history.join(&name), bytes)?;
    files::write_durable(&history.join(format!("{name}.sig")), signature.as_bytes())?;
    files::write_durable(&history.join(format!("{name}.pub")), public.as_bytes())?;
    files::write_durable(&home.ethics_key(), public.as_bytes())?;
    // The signature goes first: at no moment does the new text stand with the old signature as if it were whole.
    files::write_durable(&home.policy_signature(), signature.as_bytes())?;
    files::write_durable(&home.policy(), bytes)?;
    Ok(())
}

fn public_key(home: &Home, path: &std::path::Path) -> Result<VerifyingKey> {
    let text = home.read_text(path)?;
    text.trim().parse().context("the ethics key does not parse")
}
