//! `policy`: read, sign, install what the ethics board decided.

mod corpus;
mod stored;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use snowball_crypto::{SigningKey, VerifyingKey};
use snowball_ledger::Entry;
use snowball_policy::PolicyFault;
use snowball_protocol::limits::POLICY_BYTES_MAX;
use snowball_service::{clock, files};

use super::{Context, Refused};
use crate::policy;

/// What the ethics board decided: read it, sign it, install it.
#[derive(Subcommand)]
pub enum Policy {
    Key(Key),
    Sign(Sign),
    Check(Check),
    Explain(Explain),
    Diff(Diff),
    Install(Install),
}

/// Make the ethics board's key pair. The private half stays with the board, never on the node.
#[derive(Args)]
#[command(after_help = "Example: hospital-node policy key --out ethics.pem   (writes ethics.pem and ethics.pub)")]
pub struct Key {
    /// Where the private key goes; the public one lies beside it with the ending .pub.
    #[arg(long)]
    out: PathBuf,
}

/// Sign a policy as the ethics board; the signature lies beside it with the ending .sig.
#[derive(Args)]
#[command(after_help = "Example: hospital-node policy sign --key ethics.pem policy.toml")]
pub struct Sign {
    /// The board's private key.
    #[arg(long)]
    key: PathBuf,
    /// The policy.
    file: PathBuf,
}

/// Check a policy file, or the one that is installed.
#[derive(Args)]
#[command(after_help = "Example: hospital-node policy check policies/collaboration.toml")]
pub struct Check {
    /// The file; absent: the installed policy with its signature.
    file: Option<PathBuf>,
}

/// Say in plain English what a policy permits.
#[derive(Args)]
#[command(after_help = "Example: hospital-node policy explain policies/collaboration.toml --table")]
pub struct Explain {
    /// The file; absent: the installed policy.
    file: Option<PathBuf>,
    /// Print instead what becomes of each attribute in de-identified DICOM, and by which rule.
    #[arg(long)]
    table: bool,
    /// The image class of the table, by its UID; absent: a class that is not known.
    #[arg(long, requires = "table")]
    sop_class: Option<String>,
    /// The language of the table.
    #[arg(long, requires = "table", value_enum, default_value_t)]
    language: table::Language,
}

/// Say in plain English what changes from one policy to another, and count what would change over the site's own files.
#[derive(Args)]
#[command(after_help = "Example: hospital-node policy diff old.toml new.toml --corpus /mnt/radiographs/2026 --store")]
pub struct Diff {
    /// The one that is in force.
    old: PathBuf,
    /// The one that is proposed.
    new: PathBuf,
    /// Carry out both over a folder of DICOM files, in memory, and count what would come out otherwise. No value is shown.
    /// Text in pixels is not searched for: every policy treats it alike.
    #[arg(long, value_name = "FOLDER")]
    corpus: Option<PathBuf>,
    /// Count also, over what this node has stored, how many radiographs may be learned from under each.
    #[arg(long)]
    store: bool,
    /// Threads for --corpus; 0: as many as cores.
    #[arg(long, default_value_t = 0, requires = "corpus")]
    threads: usize,
}

/// Put a signed policy in force.
#[derive(Args)]
#[command(after_help = "Example: hospital-node policy install policy.toml --ethics-key ethics.pub")]
pub struct Install {
    /// The policy; its signature lies beside it with the ending .sig.
    file: PathBuf,
    /// The board's public key: needed the first time, and then kept.
    #[arg(long)]
    ethics_key: Option<PathBuf>,
    /// Let --ethics-key take the place of the key that was installed before.
    #[arg(long, requires = "ethics_key")]
    replace_ethics_key: bool,
}

impl Policy {
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Key(verb) => verb.run(context),
            Self::Sign(verb) => verb.run(context),
            Self::Check(verb) => verb.run(context),
            Self::Explain(verb) => verb.run(context),
            Self::Diff(verb) => verb.run(context),
            Self::Install(verb) => verb.run(context),
        }
    }
}

impl Key {
    fn run(self, context: &Context) -> Result<()> {
        if self.out.exists() {
            bail!("{} exists; a key is never overwritten", self.out.display());
        }
        let key = SigningKey::generate().context("no randomness")?;
        let public = self.out.with_extension("pub");
        files::write_private(&self.out, key.to_pem().as_bytes())
            .with_context(|| format!("cannot write {}", self.out.display()))?;
        files::write_durable(&public, format!("{}\n", key.verifying_key()).as_bytes())
            .with_context(|| format!("cannot write {}", public.display()))?;
        let document =
            serde_json::json!({"private": self.out, "public": public, "key": key.verifying_key().to_string()});
        context.print(&document, || {
            format!(
                "private key: {} (keep it with the board)\npublic key:  {} (install it with the first policy)",
                self.out.display(),
                public.display()
            )
        })
    }
}

impl Sign {
    fn run(self, context: &Context) -> Result<()> {
        let bytes = read(&self.file)?;
        let text = String::from_utf8(bytes.clone()).context("the policy is not UTF-8 text")?;
        snowball_policy::parse(&text).map_err(refused)?;
        let pem =
            files::read_bounded(&self.key, 4096).with_context(|| format!("cannot read {}", self.key.display()))?;
        let key = SigningKey::from_pem(&String::from_utf8_lossy(&pem)).context("the key cannot be used")?;
        let path = signature_of(&self.file);
        files::write_durable(&path, snowball_policy::sign(&bytes, &key).as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
        let document = serde_json::json!({"signature": path, "policy_digest": snowball_policy::digest(&bytes)});
        context.print(&document, || format!("signed: {}", path.display()))
    }
}

impl Check {
    fn run(self, context: &Context) -> Result<()> {
        let (digest, summary) = match &self.file {
            Some(file) => {
                let policy = parse(file)?;
                (
                    snowball_policy::digest(&read(file)?),
                    summary(&policy, "it parses; a signature was not looked for"),
                )
            }
            None => {
                let signed = policy::in_force(&context.home()?).map_err(refused)?;
                let note = if signed.policy.expires() < clock::now() {
                    "signed, but expired"
                } else {
                    "signed and in force"
                };
                (signed.digest, summary(&signed.policy, note))
            }
        };
        context.print(
            &serde_json::json!({"policy_digest": digest, "summary": summary}),
            || format!("{summary}\n{digest}"),
        )
    }
}

impl Explain {
    fn run(self, context: &Context) -> Result<()> {
        let policy = match &self.file {
            Some(file) => parse(file)?,
            None => policy::in_force(&context.home()?).map_err(refused)?.policy,
        };
        if self.table {
            let uid = self.sop_class.as_deref().unwrap_or_default();
            return table::print(&policy, uid, self.language, context);
        }
        let text = policy.explain();
        context.print(&serde_json::json!({"explanation": text}), || text.clone())
    }
}

impl Diff {
    fn run(self, context: &Context) -> Result<()> {
        let (old, new) = (parse(&self.old)?, parse(&self.new)?);
        let changes = snowball_policy::diff(&old, &new);
        let mut lines = changes.clone();
        if lines.is_empty() {
            lines.push("no difference".to_owned());
        }
        if self.corpus.is_none() && !self.store {
            return context.print(&changes, || lines.join("\n"));
        }
        let mut document = serde_json::json!({ "changes": changes });
        if let Some(folder) = &self.corpus {
            let diff = corpus::compare(&old, &new, folder, self.threads)?;
            document["corpus"] = serde_json::to_value(&diff)?;
            lines.extend([String::new()].into_iter().chain(diff.lines()));
        }
        if self.store {
            let census = stored::census(&context.home()?)?;
            let (labels, radiographs) = (stored::compare(&old, &new, &census), stored::radiographs(&census));
            document["store"] = serde_json::json!({ "radiographs": radiographs, "labels": labels });
            lines.extend([String::new()].into_iter().chain(stored::lines(&labels, radiographs)));
        }
        context.print(&document, || lines.join("\n"))
    }
}

impl Install {
    fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let config = home.config()?;
        let key = self.key(&home)?;
        let bytes = read(&self.file)?;
        let path = signature_of(&self.file);
        let signature = home.read_text(&path).ok();
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
        // For those who check afterwards: every policy that ever was in force, with its signature.
        files::create_home(&home.policy_history())?;
        let kept = home.policy_history().join(format!("{}.toml", signed.digest.short()));
        files::write_durable(&signature_of(&kept), signature.clone().unwrap_or_default().as_bytes())?;
        files::write_durable(&kept, &bytes)?;
        // The signature goes first: at no moment does the new text stand with the old signature as if it were whole.
        files::write_durable(&home.ethics_key(), format!("{key}\n").as_bytes())?;
        files::write_durable(&home.policy_signature(), signature.unwrap_or_default().as_bytes())?;
        files::write_durable(&home.policy(), &bytes)?;
        let entry = Entry::PolicyInstalled {
            policy_digest: signed.digest,
            version: signed.policy.version(),
            stage: stage(&signed.policy),
        };
        ledger
            .lock()
            .map_err(|_| anyhow::anyhow!("the ledger is in use"))?
            .append(clock::now(), entry)?;
        let summary = summary(&signed.policy, "in force");
        context.print(
            &serde_json::json!({"policy_digest": signed.digest, "summary": summary}),
            || summary.clone(),
        )
    }

    fn key(&self, home: &crate::home::Home) -> Result<VerifyingKey> {
        let installed = policy::ethics_key(home);
        let given = match &self.ethics_key {
            Some(path) => Some(
                home.read_text(path)?
                    .trim()
                    .parse::<VerifyingKey>()
                    .context("the ethics key does not parse")?,
            ),
            None => None,
        };
        match (installed, given) {
            (Some(installed), Some(given)) if installed != given && !self.replace_ethics_key => Err(Refused(
                "another ethics key is installed; if the board has a new key, add --replace-ethics-key".to_owned(),
            )
            .into()),
            (_, Some(given)) => Ok(given),
            (Some(installed), None) => Ok(installed),
            (None, None) => bail!("no ethics key is installed yet; add --ethics-key ethics.pub"),
        }
    }
}

fn summary(policy: &snowball_policy::Policy, note: &str) -> String {
    format!(
        "policy version {} for site {}, stage {}: {note}",
        policy.version(),
        policy.site(),
        stage(policy)
    )
}

fn stage(policy: &snowball_policy::Policy) -> String {
    serde_json::to_value(policy.stage())
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn parse(file: &Path) -> Result<snowball_policy::Policy> {
    let text = String::from_utf8(read(file)?).context("the policy is not UTF-8 text")?;
    snowball_policy::parse(&text).map_err(refused)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    files::read_bounded(file, POLICY_BYTES_MAX).with_context(|| format!("cannot read {}", file.display()))
}

fn refused(fault: PolicyFault) -> anyhow::Error {
    Refused(fault.to_string()).into()
}

fn signature_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}
