//! `policy`: read, sign, install what the ethics board decided.

mod corpus;
mod install;
mod stored;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use snowball_crypto::SigningKey;
use snowball_policy::{Language, PolicyFault};
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
    Install(install::Install),
    ReplaceKey(install::ReplaceKey),
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
#[command(after_help = "Example: hospital-node policy check policies/collaboration.toml --language fr")]
pub struct Check {
    /// The file; absent: the installed policy with its signature.
    file: Option<PathBuf>,
    /// The language of the answer.
    #[arg(long, value_enum, default_value_t)]
    language: table::Language,
}

/// Say in plain English or French what a policy permits.
#[derive(Args)]
#[command(after_help = "Example: hospital-node policy explain policies/collaboration.toml --language fr")]
pub struct Explain {
    /// The file; absent: the installed policy.
    file: Option<PathBuf>,
    /// Print instead what becomes of each attribute in de-identified DICOM, and by which rule.
    #[arg(long)]
    table: bool,
    /// The image class of the table, by its UID; absent: a class that is not known.
    #[arg(long, requires = "table")]
    sop_class: Option<String>,
    /// The language.
    #[arg(long, value_enum, default_value_t)]
    language: table::Language,
}

/// Say in plain English or French what changes from one policy to another, and count what would change over the site's own files.
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
    /// The language.
    #[arg(long, value_enum, default_value_t)]
    language: table::Language,
    /// Threads for --corpus; 0: as many as cores.
    #[arg(long, default_value_t = 0, requires = "corpus")]
    threads: usize,
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
            Self::ReplaceKey(verb) => verb.run(context),
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
        parse(&bytes, Language::English)?;
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
        let language = self.language.into();
        let (digest, policy, note) = match &self.file {
            Some(file) => {
                let bytes = read(file)?;
                (
                    snowball_policy::digest(&bytes),
                    parse(&bytes, language)?,
                    Note::Unsigned,
                )
            }
            None => {
                let signed = policy::in_force(&context.home()?).map_err(|fault| refused(&fault, language))?;
                let is_over = signed.policy.expires() <= clock::now();
                let note = if is_over { Note::Expired } else { Note::InForce };
                (signed.digest, signed.policy, note)
            }
        };
        let summary = summary(&policy, note, language);
        context.print(
            &serde_json::json!({"policy_digest": digest, "summary": summary}),
            || format!("{summary}\n{digest}"),
        )
    }
}

impl Explain {
    fn run(self, context: &Context) -> Result<()> {
        let language = self.language.into();
        let policy = match &self.file {
            Some(file) => parse(&read(file)?, language)?,
            None => {
                let signed = policy::in_force(&context.home()?).map_err(|fault| refused(&fault, language))?;
                signed.policy
            }
        };
        if self.table {
            let uid = self.sop_class.as_deref().unwrap_or_default();
            return table::print(&policy, uid, self.language, context);
        }
        let text = policy.explain_in(language);
        context.print(&serde_json::json!({"explanation": text}), || text.clone())
    }
}

impl Diff {
    fn run(self, context: &Context) -> Result<()> {
        let language = self.language.into();
        let (old, new) = (parse(&read(&self.old)?, language)?, parse(&read(&self.new)?, language)?);
        let changes = snowball_policy::diff_in(&old, &new, language);
        let mut lines = changes.clone();
        if lines.is_empty() {
            let nothing = match language {
                Language::English => "no difference",
                Language::French => "aucune différence",
            };
            lines.push(nothing.to_owned());
        }
        if self.corpus.is_none() && !self.store {
            return context.print(&changes, || lines.join("\n"));
        }
        let mut document = serde_json::json!({ "changes": changes });
        if let Some(folder) = &self.corpus {
            let diff = corpus::compare(&old, &new, folder, self.threads)?;
            document["corpus"] = serde_json::to_value(&diff)?;
            lines.extend([String::new()].into_iter().chain(diff.lines(language)));
        }
        if self.store {
            let census = stored::census(&context.home()?)?;
            let (labels, radiographs) = (stored::compare(&old, &new, &census), stored::radiographs(&census));
            document["store"] = serde_json::json!({ "radiographs": radiographs, "labels": labels });
            lines.extend(
                [String::new()]
                    .into_iter()
                    .chain(stored::lines(&labels, radiographs, language)),
            );
        }
        context.print(&document, || lines.join("\n"))
    }
}

/// How a policy stands.
#[derive(Clone, Copy)]
enum Note {
    Unsigned,
    InForce,
    Expired,
}

fn summary(policy: &snowball_policy::Policy, note: Note, language: Language) -> String {
    let (version, site) = (policy.version(), policy.site());
    let stages: Vec<_> = policy.stages().iter().map(|stage| stage.code()).collect();
    let stages = stages.join(", ");
    match language {
        Language::English => {
            let note = match note {
                Note::Unsigned => "it parses; a signature was not looked for",
                Note::InForce => "signed and in force",
                Note::Expired => "signed, but expired",
            };
            format!("policy version {version} for site {site}, approved stages: {stages}: {note}")
        }
        Language::French => {
            let note = match note {
                Note::Unsigned => "elle se lit ; aucune signature n'a été cherchée",
                Note::InForce => "signée et en vigueur",
                Note::Expired => "signée, mais expirée",
            };
            format!("politique version {version} du site {site}, stades approuvés : {stages} : {note}")
        }
    }
}

/// The policy in `bytes`. What is wrong with it is told in the language that was asked for.
fn parse(bytes: &[u8], language: Language) -> Result<snowball_policy::Policy> {
    let text = std::str::from_utf8(bytes).map_err(|fault| {
        let before = &bytes[..fault.valid_up_to()];
        PolicyFault::NotText {
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
        }
    });
    text.and_then(snowball_policy::parse)
        .map_err(|fault| refused(&fault, language))
}

fn read(file: &Path) -> Result<Vec<u8>> {
    files::read_bounded(file, POLICY_BYTES_MAX).with_context(|| format!("cannot read {}", file.display()))
}

fn refused(fault: &PolicyFault, language: Language) -> anyhow::Error {
    let (reason, remedy) = (fault.reason_in(language), fault.remedy_in(language));
    Refused(format!("{reason} ({remedy})")).into()
}

fn signature_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_policy_is_told_in_the_language_asked_for() {
        for (bytes, english, french) in [
            (
                &b"format = 1\n\xff"[..],
                "not UTF-8 text (line 2)",
                "pas un texte UTF-8 (ligne 2)",
            ),
            (
                b"format = 1\nstage = 2\n",
                "malformed at line 2",
                "mal formé à la ligne 2",
            ),
            (b"# nothing\n", "is empty", "est vide"),
        ] {
            for (language, words) in [(Language::English, english), (Language::French, french)] {
                let fault = parse(bytes, language).unwrap_err();
                assert!(fault.is::<Refused>(), "it ends with exit code 3");
                assert!(fault.to_string().contains(words), "{fault}");
            }
        }
    }
}
