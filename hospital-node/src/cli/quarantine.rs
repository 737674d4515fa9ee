//! `quarantine`: files that a person should look at.

use anyhow::{Context as _, Result};
use clap::Subcommand;
use snowball_protocol::Sha256Digest;
use snowball_store::HeldState;

use super::Context;

/// Files that were kept aside for a person.
#[derive(Subcommand)]
pub enum Quarantine {
    /// List them. Example: hospital-node quarantine list
    List,
    /// Say why one waits, how large it is and since when; never what is in it. Example: hospital-node quarantine show sha256:...
    Show {
        /// The file's digest, as `list` gives it.
        digest: Sha256Digest,
    },
    /// Let it go: the copy is removed, the hospital's own file is untouched. Example: hospital-node quarantine discard sha256:...
    Discard {
        /// The file's digest.
        digest: Sha256Digest,
    },
}

impl Quarantine {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let store = home.open_store(&home.config()?)?;
        match self {
            Self::List => {
                let held: Vec<_> = store
                    .held()?
                    .into_iter()
                    .filter(|file| file.state == HeldState::Held)
                    .collect();
                let document: Vec<_> = held
                    .iter()
                    .map(|file| serde_json::json!({"digest": file.digest, "reason": file.reason, "bytes": file.bytes, "first_seen": file.first_seen}))
                    .collect();
                context.print(&document, || {
                    if held.is_empty() {
                        return "nothing waits".to_owned();
                    }
                    let lines = held
                        .iter()
                        .map(|file| format!("{}  {:<16} {} bytes", file.digest, file.reason.code(), file.bytes));
                    lines.collect::<Vec<_>>().join("\n")
                })
            }
            Self::Show { digest } => {
                let file = store
                    .held_file(&digest)?
                    .into_iter()
                    .next()
                    .context("no such file in the quarantine")?;
                let document = serde_json::json!({"digest": file.digest, "reason": file.reason, "bytes": file.bytes, "first_seen": file.first_seen, "times": file.times});
                context.print(&document, || {
                    let kept = if file.kept {
                        "a sealed copy is kept"
                    } else {
                        "no copy is kept"
                    };
                    format!(
                        "{}: {}, {} bytes, met {} times; {kept}",
                        file.digest,
                        file.reason.code(),
                        file.bytes,
                        file.times
                    )
                })
            }
            Self::Discard { digest } => {
                store.discard(&digest)?;
                context.print(&serde_json::json!({"discarded": digest}), || {
                    format!("let go: {digest}")
                })
            }
        }
    }
}
