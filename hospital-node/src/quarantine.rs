//! What a person decides about a file in the quarantine, from the command line or from the dashboard: one function each, the same
//! for both, and each look and each decision is in the ledger. What is in a file is decoded aside ([`crate::aside`]).

use anyhow::{Context as _, Result};
use serde::Serialize;
use snowball_imaging::Waiver;
use snowball_ledger::Entry;
use snowball_protocol::{
    Sha256Digest,
    ids::UnixSeconds,
    intake::{Disposition, IntakeReason},
};
use snowball_service::clock;
use snowball_store::{HeldFile, HeldState, Review, Store};

use crate::{
    aside::{self, Looked, Taken},
    cli::Refused,
    config::NodeConfig,
    home::Home,
};

/// Who lets a file go, and why. The command line may leave both out.
#[derive(Default)]
pub struct Words {
    pub reviewer: Option<String>,
    pub reason: Option<String>,
}

/// The picture of a file that waits. Who looked is in the ledger before there is anything to see.
pub fn picture(
    home: &Home,
    config: &NodeConfig,
    store: &Store,
    digest: &Sha256Digest,
    account: String,
) -> Result<Looked> {
    let looked = aside::picture(home, &store.held_content(digest)?)?;
    let looked = looked.map_err(|reason| Refused(format!("there is no picture to see: {}", reason.code())))?;
    record(
        home,
        config,
        Entry::QuarantinePictureShown {
            file_digest: *digest,
            account,
        },
    )?;
    Ok(looked)
}

/// Lets a file go: the copy is removed, the hospital's own file is untouched.
pub fn discard(
    home: &Home,
    config: &NodeConfig,
    store: &Store,
    digest: &Sha256Digest,
    account: String,
    words: Words,
) -> Result<()> {
    // One that waits no more leaves no entry: there is nothing to let go.
    let is_waiting = waits(&store.held_file(digest)?).is_some();
    if is_waiting {
        let entry = Entry::QuarantineDiscarded {
            file_digest: *digest,
            account,
            reviewer: words.reviewer,
            reason: words.reason,
        };
        record(home, config, entry)?;
    }
    Ok(store.discard(digest)?)
}

/// Takes a file in again with the reason that it waits for set aside, and gives that reason. Few reasons can be.
pub fn release(
    home: &Home,
    config: &NodeConfig,
    store: &Store,
    digest: &Sha256Digest,
    account: String,
    (reviewer, reason): (String, String),
) -> Result<IntakeReason> {
    let held = store.held_file(digest)?;
    let waived = waits(&held).context("no such file waits in the quarantine")?.reason;
    Waiver::of(waived).map_err(|why| Refused(format!("{} can never be waived: {why}", waived.code())))?;
    let excluded = match aside::take_in(home, config, &store.held_content(digest)?, waived)? {
        Taken::In => None,
        Taken::Excluded(reason) => Some(reason),
        Taken::Withdrawn => {
            store.discard(digest)?;
            return Err(Refused("the patient has withdrawn; the file was let go".to_owned()).into());
        }
    };
    let disposition = excluded.map_or(Disposition::Accepted, |_| Disposition::Quarantined);
    let entry = Entry::QuarantineReviewed {
        file_digest: *digest,
        waived,
        reviewer: reviewer.clone(),
        reason: reason.clone(),
        disposition,
        account: Some(account),
    };
    record(home, config, entry)?;
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
    Ok(waived)
}

/// The one of a file's rows that still waits for a person.
pub fn waits(held: &[HeldFile]) -> Option<&HeldFile> {
    held.iter().find(|file| file.state == HeldState::Held)
}

/// Writes an entry down, durably.
fn record(home: &Home, config: &NodeConfig, entry: Entry) -> Result<()> {
    let ledger = home.open_ledger(config)?;
    let mut ledger = ledger.lock().map_err(|_| anyhow::anyhow!("the ledger is in use"))?;
    ledger.append(clock::now(), entry)?;
    Ok(())
}

/// How many wait for one reason, and how long.
#[derive(Serialize, PartialEq, Eq, Debug)]
pub struct ReasonCount {
    pub reason: IntakeReason,
    pub files: u64,
    /// Up to seven days.
    pub week: u64,
    /// Up to thirty days.
    pub month: u64,
    pub older: u64,
}

/// The files of `held`, by reason and age.
pub fn counts(held: &[HeldFile], now: UnixSeconds) -> Vec<ReasonCount> {
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

/// Whole days since a file was set aside first.
pub const fn age_days(file: &HeldFile, now: UnixSeconds) -> i64 {
    (now - file.first_seen) / 86_400
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
