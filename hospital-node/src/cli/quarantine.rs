//! `quarantine`: files that a person should look at.

use std::{collections::BTreeMap, io::Cursor, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use image::{GrayImage, ImageFormat};
use snowball_imaging::{Outcome, Waiver, remedy};
use snowball_ledger::Entry;
use snowball_protocol::{
    Sha256Digest,
    ids::UnixSeconds,
    intake::{Disposition, IntakeReason},
};
use snowball_service::{clock, files};
use snowball_store::{Added, HeldFile, HeldState, Review, Store};

use super::{Context, Refused, words};
use crate::{config::NodeConfig, home::Home};

/// Files that were kept aside for a person. They lie sealed; no command but `picture` shows anything of what is in them.
#[derive(Subcommand)]
pub enum Quarantine {
    /// List them, counted by reason and age. Example: hospital-node quarantine list
    List,
    /// Say why one waits, how large it is, since when, and who looked. Example: hospital-node quarantine show sha256:...
    Show {
        /// The file's digest, as `list` gives it.
        digest: Sha256Digest,
    },
    /// Write its picture for a reviewer's eyes. It may show who the patient is: delete it afterwards.
    /// Example: hospital-node quarantine picture sha256:... --out look.png
    Picture {
        /// The file's digest.
        digest: Sha256Digest,
        /// The PNG file to write, readable by its owner alone.
        #[arg(long)]
        out: PathBuf,
    },
    /// A person looked: take it in again with the reason that it waits for set aside. Few reasons can be.
    /// Example: hospital-node quarantine release sha256:... --reviewer Curie --reason side-marker-only
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
    /// Let it go: the copy is removed, the hospital's own file is untouched. Example: hospital-node quarantine discard sha256:...
    Discard {
        /// The file's digest.
        digest: Sha256Digest,
    },
}

impl Quarantine {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let config = home.config()?;
        let store = home.open_store(&config)?;
        match self {
            Self::List => list(context, &store, clock::now()),
            Self::Show { digest } => show(context, &store, &digest),
            Self::Picture { digest, out } => {
                let picture = home
                    .reader(&config)?
                    .picture(&store.held_content(&digest)?)
                    .map_err(|reason| Refused(format!("there is no picture to see: {}", reason.code())))?;
                let image = GrayImage::from_raw(picture.columns, picture.rows, picture.grey)
                    .context("the picture has no pixels")?;
                let mut png = Cursor::new(Vec::new());
                image.write_to(&mut png, ImageFormat::Png)?;
                // Who looked is on record before there is anything to see.
                record(
                    &home,
                    &config,
                    Entry::QuarantinePictureShown {
                        file_digest: digest,
                        account: words::account(),
                    },
                )?;
                files::write_private(&out, png.get_ref()).with_context(|| format!("cannot write {}", out.display()))?;
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
                release(context, &home, &config, &store, &digest, reviewer, reason)
            }
            Self::Discard { digest } => {
                // One that waits no more leaves no entry: there is nothing to let go.
                let waits = store
                    .held_file(&digest)?
                    .iter()
                    .any(|file| file.state == HeldState::Held);
                if waits {
                    record(
                        &home,
                        &config,
                        Entry::QuarantineDiscarded {
                            file_digest: digest,
                            account: words::account(),
                        },
                    )?;
                }
                store.discard(&digest)?;
                context.print(&serde_json::json!({"discarded": digest}), || {
                    format!("let go: {digest}")
                })
            }
        }
    }
}

/// Writes an entry down, durably.
fn record(home: &Home, config: &NodeConfig, entry: Entry) -> Result<()> {
    let ledger = home.open_ledger(config)?;
    let mut ledger = ledger.lock().map_err(|_| anyhow::anyhow!("the ledger is in use"))?;
    ledger.append(clock::now(), entry)?;
    Ok(())
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

/// How many wait for one reason, and how long.
#[derive(serde::Serialize, PartialEq, Eq, Debug)]
struct ReasonCount {
    reason: IntakeReason,
    files: u64,
    /// Up to seven days.
    week: u64,
    /// Up to thirty days.
    month: u64,
    older: u64,
}

fn counts(held: &[HeldFile], now: UnixSeconds) -> Vec<ReasonCount> {
    let mut reasons: Vec<IntakeReason> = held.iter().map(|file| file.reason).collect();
    reasons.sort();
    reasons.dedup();
    let count = |reason: IntakeReason| {
        let ages: Vec<i64> = held
            .iter()
            .filter(|file| file.reason == reason)
            .map(|file| age_days(file, now))
            .collect();
        let between = |from: i64, to: i64| ages.iter().filter(|age| (from..=to).contains(*age)).count() as u64;
        ReasonCount {
            reason,
            files: ages.len() as u64,
            week: between(i64::MIN, 7),
            month: between(8, 30),
            older: between(31, i64::MAX),
        }
    };
    reasons.into_iter().map(count).collect()
}

fn age_days(file: &HeldFile, now: UnixSeconds) -> i64 {
    (now - file.first_seen) / 86_400
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
                "{state}: {code}, {} bytes, met {} times since {seen}; {kept}",
                file.bytes, file.times
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

fn release(
    context: &Context,
    home: &Home,
    config: &NodeConfig,
    store: &Store,
    digest: &Sha256Digest,
    reviewer: String,
    reason: String,
) -> Result<()> {
    let held = store.held_file(digest)?;
    let waits = held.iter().find(|file| file.state == HeldState::Held);
    let waived = waits.context("no such file waits in the quarantine")?.reason;
    let waiver = Waiver::of(waived).map_err(|why| Refused(format!("{} can never be waived: {why}", waived.code())))?;
    let (intake, vault) = home.intake(config)?;
    let excluded = match intake.take_reviewed(&store.held_content(digest)?, waiver) {
        Outcome::Excluded(excluded) => Some(excluded.reason),
        Outcome::Accepted(radiograph) => {
            if let (Some(vault), Some(link)) = (&vault, radiograph.linkage())
                && !store.is_withdrawn(radiograph.patient())?
            {
                vault.keep(link)?;
            }
            match store.add(&radiograph)? {
                Added::New | Added::Duplicate => None,
                added @ (Added::Conflict | Added::Unsound | Added::ShowsText) => added.reason(),
                Added::Withdrawn => {
                    store.discard(digest)?;
                    return Err(Refused("the patient has withdrawn; the file was let go".to_owned()).into());
                }
            }
        }
    };
    let disposition = excluded.map_or(Disposition::Accepted, |_| Disposition::Quarantined);
    let entry = Entry::QuarantineReviewed {
        file_digest: *digest,
        waived,
        reviewer: reviewer.clone(),
        reason: reason.clone(),
        disposition,
    };
    let ledger = home.open_ledger(config)?;
    let mut ledger = ledger.lock().map_err(|_| anyhow::anyhow!("the ledger is in use"))?;
    ledger.append(clock::now(), entry)?;
    let review = Review {
        reviewer,
        reason,
        waived,
        when: clock::now(),
        excluded,
    };
    store.review(digest, &review)?;
    if let Some(reason) = excluded {
        let code = reason.code();
        return Err(Refused(format!("it did not pass all the same: {code}; it waits for that now")).into());
    }
    context.print(&serde_json::json!({"released": digest, "waived": waived}), || {
        format!("taken in: {digest}, {} waived", waived.code())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted_by_reason_and_age() {
        let file = |reason, days: i64| HeldFile {
            digest: Sha256Digest::of(b""),
            reason,
            state: HeldState::Held,
            first_seen: 1_000_000_000 - days * 86_400,
            times: 1,
            bytes: 1,
            kept: true,
        };
        let held = [
            file(IntakeReason::BurnedInText, 0),
            file(IntakeReason::BurnedInText, 8),
            file(IntakeReason::BurnedInText, 31),
            file(IntakeReason::DecodeError, 7),
        ];
        let counts = counts(&held, 1_000_000_000);
        let told: Vec<_> = counts
            .iter()
            .map(|count| (count.reason, count.files, count.week, count.month, count.older))
            .collect();
        assert!(told.contains(&(IntakeReason::BurnedInText, 3, 1, 1, 1)));
        assert!(told.contains(&(IntakeReason::DecodeError, 1, 1, 0, 0)));
    }
}
