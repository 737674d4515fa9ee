//! A policy comes into force, from the command line or from the dashboard: each step is recorded before it is taken, and every version
//! is kept.

use anyhow::{Context as _, Result, bail};
use snowball_crypto::VerifyingKey;
use snowball_ledger::{Entry, Record};
use snowball_policy::{Installed, Language, PolicyFault, SignedPolicy, Succession, succeed};
use snowball_service::{clock, files};

use super::ethics_key;
use crate::{cli::Refused, config::NodeConfig, home::Home};

/// A policy that the ethics board signed for this site and that may take the place of the one before. Nothing has changed yet.
pub struct Offered {
    signed: SignedPolicy,
    bytes: Vec<u8>,
    signature: String,
    key: VerifyingKey,
    is_first_key: bool,
    before: Option<Installed>,
    forced_reason: Option<String>,
}

impl Offered {
    /// Looks at `bytes` with their signature. `given` is the board's key where it is named: needed the first time, and then kept.
    /// `forced_reason` lets it take the place of one that it does not follow on.
    ///
    /// # Errors
    /// When the board did not sign it, it is for another site, or it does not follow on the one before.
    pub fn look(
        home: &Home,
        config: &NodeConfig,
        bytes: Vec<u8>,
        signature: Option<String>,
        given: Option<VerifyingKey>,
        forced_reason: Option<String>,
    ) -> Result<Self> {
        let pinned = ethics_key(home);
        let key = key(pinned, given)?;
        let signed = snowball_policy::verify(&bytes, signature.as_deref(), &key).map_err(refused)?;
        if signed.policy.site() != &config.site {
            return Err(Refused(format!(
                "the policy is for site {}, this node is {}",
                signed.policy.site(),
                config.site
            ))
            .into());
        }
        let before = installed(&snowball_ledger::read(&home.ledger()).context("cannot read the ledger")?);
        let forced_reason = match (succeed(before.as_ref(), &signed), forced_reason) {
            (Ok(Succession::First | Succession::Same | Succession::Next), _) => None,
            (Err(_), Some(reason)) => Some(reason),
            (Err(fault), None) => {
                return Err(Refused(format!(
                    "{}; hospital-node policy install --force-reason REASON installs it all the same and is recorded",
                    fault.words(Language::English)
                ))
                .into());
            }
        };
        Ok(Self {
            signed,
            bytes,
            signature: signature.unwrap_or_default(),
            key,
            is_first_key: pinned.is_none(),
            before,
            forced_reason,
        })
    }

    /// The policy.
    pub const fn signed(&self) -> &SignedPolicy {
        &self.signed
    }

    /// Puts it in force: recorded first, then done.
    ///
    /// # Errors
    /// When the ledger or the disk refuses.
    pub fn put_in_force(self, home: &Home, config: &NodeConfig) -> Result<SignedPolicy> {
        let ledger = home.open_ledger(config)?;
        let mut entries = Vec::new();
        if self.is_first_key {
            entries.push(Entry::EthicsKeyPinned {
                key_fingerprint: self.key.fingerprint(),
            });
        }
        entries.push(Entry::PolicyInstalled {
            policy_digest: self.signed.digest,
            version: self.signed.policy.version(),
            stage: self.signed.policy.stage().code().to_owned(),
        });
        if let Some(before) = self
            .before
            .as_ref()
            .filter(|before| before.digest != self.signed.digest)
        {
            entries.push(Entry::PolicySuperseded {
                policy_digest: self.signed.digest,
                superseded_digest: before.digest,
                forced_reason: self.forced_reason.clone(),
            });
        }
        ledger
            .lock()
            .map_err(|_| anyhow::anyhow!("the ledger is in use"))?
            .append_all(clock::now(), entries)?;
        self.write(home)?;
        Ok(self.signed)
    }

    fn write(&self, home: &Home) -> Result<()> {
        let public = format!("{}\n", self.key);
        let history = home.policy_history();
        files::create_home(&history).with_context(|| format!("cannot make {}", history.display()))?;
        // For those who check afterwards: the file, its signature, and the key that made it.
        let name = format!("v{}-{}.toml", self.signed.policy.version(), self.signed.digest.short());
        files::write_durable(&history.join(&name), &self.bytes)?;
        files::write_durable(&history.join(format!("{name}.sig")), self.signature.as_bytes())?;
        files::write_durable(&history.join(format!("{name}.pub")), public.as_bytes())?;
        files::write_durable(&home.ethics_key(), public.as_bytes())?;
        // The signature goes first: at no moment does the new text stand with the old signature as if it were whole.
        files::write_durable(&home.policy_signature(), self.signature.as_bytes())?;
        files::write_durable(&home.policy(), &self.bytes)?;
        Ok(())
    }
}

/// The pinned key; the first time the one that is given.
fn key(pinned: Option<VerifyingKey>, given: Option<VerifyingKey>) -> Result<VerifyingKey> {
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

fn refused(fault: PolicyFault) -> anyhow::Error {
    Refused(fault.to_string()).into()
}
