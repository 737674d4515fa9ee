//! `quarantine`: files that a person should look at.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use snowball_imaging::remedy;
use snowball_protocol::{Sha256Digest, ids::UnixSeconds, intake::IntakeReason};
use snowball_service::{clock, files};
use snowball_store::{HeldFile, HeldState, Store};

use super::{Context, words};
use crate::{
    aside,
    quarantine::{self, Words, age_days, counts},
};

/// Files that were kept aside for a person. They lie sealed; no command but `picture` shows anything of what is in them.
#[derive(Subcommand)]
pub enum Quarantine {
    /// List them, counted by reason and age.
    #[command(after_help = "Example: hospital-node quarantine list")]
    List,
    /// Say why one waits, how large it is, since when, and who looked.
    #[command(after_help = "Example: hospital-node quarantine show sha256:...")]
    Show {
        /// The file's digest, as `list` gives it.
        digest: Sha256Digest,
    },
    /// Write its picture for a reviewer's eyes. It may show who the patient is: delete it afterwards.
    #[command(after_help = "Example: hospital-node quarantine picture sha256:... --out look.png")]
    Picture {
        /// The file's digest.
        digest: Sha256Digest,
        /// The PNG file to write, readable by its owner alone.
        #[arg(long)]
        out: PathBuf,
    },
    /// A person looked: take it in again with the reason that it waits for set aside. Few reasons can be.
    #[command(
        after_help = "Example: hospital-node quarantine release sha256:... --reviewer Curie --reason side-marker-only"
    )]
    Release {
        /// The file's digest.
        digest: Sha256Digest,
        /// Who looked; it stays in the ledger.
        #[arg(long)]
        reviewer: String,
        /// What they saw, in one line; never a patient's name, it stays in the ledger.
        #[arg(long)]
        reason: String,
    },
    /// The process that decodes one file for `picture`, `release` and the dashboard, which start it and speak to it by pipes.
    #[command(hide = true, after_help = "Example: hospital-node quarantine decode")]
    Decode,
    /// Let it go: the copy is removed, the hospital's own file is untouched.
    #[command(after_help = "Example: hospital-node quarantine discard sha256:...")]
    Discard {
        /// The file's digest.
        digest: Sha256Digest,
        /// Who decided; it stays in the ledger.
        #[arg(long)]
        reviewer: Option<String>,
        /// Why, in one line; never a patient's name, it stays in the ledger.
        #[arg(long)]
        reason: Option<String>,
    },
}

impl Quarantine {
    pub fn run(self, context: &Context) -> Result<()> {
        if matches!(self, Self::Decode) {
            return aside::answer(&context.root);
        }
        let home = context.home()?;
        let config = home.config()?;
        let store = home.open_store(&config)?;
        match self {
            // Answered above: it opens less than the others.
            Self::Decode => Ok(()),
            Self::List => list(context, &store, clock::now()),
            Self::Show { digest } => show(context, &store, &digest),
            Self::Picture { digest, out } => {
                let looked = quarantine::picture(&home, &config, &store, &digest, words::account())?;
                files::write_private(&out, &looked.png).with_context(|| format!("cannot write {}", out.display()))?;
                let document = serde_json::json!({"digest": digest, "file": out, "identifiable": true});
                context.print(&document, || {
                    format!(
                        "{}: it may show who the patient is; keep it on site and delete it after the review",
                        out.display()
                    )
                })
            }
            Self::Release {
                digest,
                reviewer,
                reason,
            } => {
                let reviewer = words::checked("the reviewer", &reviewer)?;
                let reason = words::checked("the reason", &reason)?;
                let waived =
                    quarantine::release(&home, &config, &store, &digest, words::account(), (reviewer, reason))?;
                context.print(&serde_json::json!({"released": digest, "waived": waived}), || {
                    format!("taken in: {digest}, {} waived", waived.code())
                })
            }
            Self::Discard {
                digest,
                reviewer,
                reason,
            } => {
                let given = |what, words: Option<String>| words.map(|words| words::checked(what, &words)).transpose();
                let words = Words {
                    reviewer: given("the reviewer", reviewer)?,
                    reason: given("the reason", reason)?,
                };
                quarantine::discard(&home, &config, &store, &digest, words::account(), words)?;
                context.print(&serde_json::json!({"discarded": digest}), || {
                    format!("let go: {digest}")
                })
            }
        }
    }
}

fn list(context: &Context, store: &Store, now: UnixSeconds) -> Result<()> {
    let held: Vec<HeldFile> = store
        .held()?
        .into_iter()
        .filter(|file| file.state == HeldState::Held)
        .collect();
    let files: Vec<_> = held
        .iter()
        .map(|file| {
            serde_json::json!({"digest": file.digest, "reason": file.reason, "bytes": file.bytes,
                "first_seen": file.first_seen, "age_days": age_days(file, now), "kept": file.kept})
        })
        .collect();
    let counts = counts(&held, now);
    context.print(&serde_json::json!({"files": files, "counts": counts}), || {
        if held.is_empty() {
            return "nothing waits".to_owned();
        }
        let each = held.iter().map(|file| {
            let (digest, code) = (file.digest, file.reason.code());
            format!(
                "{digest}  {code:<16} {:>10} bytes  {:>4} days",
                file.bytes,
                age_days(file, now)
            )
        });
        let sums = counts.iter().map(|count| {
            format!(
                "{:>6}  {} (this week {}, this month {}, older {})\n{:>6}  what to do: {}",
                count.files,
                count.reason.code(),
                count.week,
                count.month,
                count.older,
                "",
                remedy(count.reason)
            )
        });
        each.chain(std::iter::once(String::new()))
            .chain(sums)
            .collect::<Vec<_>>()
            .join("\n")
    })
}

fn show(context: &Context, store: &Store, digest: &Sha256Digest) -> Result<()> {
    let held = store.held_file(digest)?;
    if held.is_empty() {
        bail!("no such file in the quarantine");
    }
    let reviews = store.reviews(digest)?;
    let remedies: BTreeMap<IntakeReason, &str> = held.iter().map(|file| (file.reason, remedy(file.reason))).collect();
    let document = serde_json::json!({"files": held, "reviews": reviews, "remedies": remedies});
    context.print(&document, || {
        let files = held.iter().map(|file| {
            let state = format!("{:?}", file.state).to_lowercase();
            let kept = if file.kept {
                "a sealed copy is kept"
            } else {
                "no copy is kept"
            };
            let seen =
                jiff::Timestamp::from_second(file.first_seen).map_or_else(|_| String::new(), |time| time.to_string());
            let code = file.reason.code();
            let told = format!(
                "{state}: {code}, {} bytes, met {} since {seen}; {kept}",
                file.bytes,
                if file.times == 1 {
                    "once".to_owned()
                } else {
                    format!("{} times", file.times)
                }
            );
            match file.state {
                HeldState::Held => format!("{told}\nwhat to do: {}", remedy(file.reason)),
                _ => told,
            }
        });
        let reviews = reviews.iter().map(|review| {
            let end = review.excluded.map_or("taken in".to_owned(), IntakeReason::code);
            format!(
                "{} waived {}: {}; {end}",
                review.reviewer,
                review.waived.code(),
                review.reason
            )
        });
        files.chain(reviews).collect::<Vec<_>>().join("\n")
    })
}
