//! What left before, read from the ledger: the budget survives everything that the ledger survives.

use std::collections::{BTreeMap, BTreeSet};

use snowball_ledger::{Entry, Record};
use snowball_policy::Spent;
use snowball_protocol::{RoundNumber, Sha256Digest, StudyName, ids::UnixSeconds};

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Rounds that updates have taken at this site, and the bytes of updates and metrics that were permitted to leave.
#[derive(Default, Debug, Clone)]
pub struct Budget {
    rounds: BTreeSet<(StudyName, RoundNumber)>,
    /// Each thing once, however often it was permitted: what was recorded before a crash is sent again, not sent twice.
    left: BTreeMap<(StudyName, Option<RoundNumber>, Sha256Digest), Left>,
}

#[derive(Debug, Clone, Copy)]
struct Left {
    bytes: u64,
    /// When it was permitted last.
    time: UnixSeconds,
}

impl Budget {
    /// Adds up a whole ledger.
    #[must_use]
    pub fn of(records: &[Record]) -> Self {
        let mut budget = Self::default();
        for record in records {
            budget.count(record.time, &record.entry);
        }
        budget
    }

    pub(crate) fn count(&mut self, time: UnixSeconds, entry: &Entry) {
        let (key, bytes) = match entry {
            Entry::UpdateApproved {
                study,
                round,
                update_digest,
                bytes,
                ..
            } => {
                self.rounds.insert((study.clone(), *round));
                ((study.clone(), Some(*round), *update_digest), *bytes)
            }
            Entry::MetricsApproved {
                study,
                round,
                digest,
                bytes,
                ..
            } => ((study.clone(), *round, *digest), *bytes),
            _ => return,
        };
        self.left.insert(key, Left { bytes, time });
    }

    /// What the policy counts before it permits the next thing at `now`: rounds other than `round`, and all bytes but those of
    /// the thing itself, which may have been permitted before a crash.
    #[must_use]
    pub fn spent(
        &self,
        study: &StudyName,
        round: Option<RoundNumber>,
        itself: Option<&Sha256Digest>,
        now: UnixSeconds,
    ) -> Spent {
        let is_this = |name: &StudyName, number: RoundNumber| name == study && Some(number) == round;
        let rounds_before = || self.rounds.iter().filter(|(name, number)| !is_this(name, *number));
        let count = |rounds: usize| u32::try_from(rounds).unwrap_or(u32::MAX);
        let mut spent = Spent {
            rounds: count(rounds_before().filter(|(name, _)| name == study).count()),
            rounds_all_studies: count(rounds_before().count()),
            ..Spent::default()
        };
        for ((name, number, digest), left) in &self.left {
            let is_of_study = name == study;
            if is_of_study && *number == round && Some(digest) == itself {
                continue;
            }
            let add = |sum: &mut u64, counts: bool| {
                if counts {
                    *sum = sum.saturating_add(left.bytes);
                }
            };
            add(
                &mut spent.bytes_this_round,
                is_of_study && round.is_some() && *number == round,
            );
            add(&mut spent.bytes_this_study, is_of_study);
            // A clock that was set back makes nothing older than it is.
            add(&mut spent.bytes_last_day, now.saturating_sub(left.time) < DAY_SECONDS);
        }
        spent
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::Attempt;

    use super::*;

    const NOW: UnixSeconds = 1_780_272_000;

    fn study(name: &str) -> StudyName {
        name.parse().unwrap()
    }

    fn update(name: &str, round: u32, bytes: u64) -> Entry {
        Entry::UpdateApproved {
            study: study(name),
            round: RoundNumber(round),
            attempt: Attempt(1),
            update_digest: Sha256Digest::of(format!("{name} {round} {bytes}").as_bytes()),
            bytes,
            clause: "release.allowed".to_owned(),
            policy_digest: Sha256Digest::of(b""),
        }
    }

    fn metrics(name: &str, round: Option<u32>, bytes: u64) -> Entry {
        Entry::MetricsApproved {
            study: study(name),
            round: round.map(RoundNumber),
            digest: Sha256Digest::of(format!("{name} {round:?} metrics").as_bytes()),
            bytes,
            detailed: None,
            clause: "release.allowed".to_owned(),
            policy_digest: Sha256Digest::of(b""),
        }
    }

    fn budget(entries: &[(UnixSeconds, Entry)]) -> Budget {
        let mut budget = Budget::default();
        entries.iter().for_each(|(time, entry)| budget.count(*time, entry));
        budget
    }

    #[test]
    fn rounds_are_counted_in_this_study_and_in_all_but_never_the_one_under_way() {
        let budget = budget(&[
            (NOW, update("s", 1, 10)),
            (NOW, update("s", 1, 5)),
            (NOW, update("s", 2, 7)),
            (NOW, update("other", 1, 7)),
            (NOW, metrics("third", None, 7)),
        ]);
        let rounds = |name: &str, round: Option<u32>| {
            let spent = budget.spent(&study(name), round.map(RoundNumber), None, NOW);
            (spent.rounds, spent.rounds_all_studies)
        };
        assert_eq!(rounds("s", Some(1)), (1, 2));
        assert_eq!(rounds("s", Some(3)), (2, 3));
        assert_eq!(rounds("s", None), (2, 3));
        assert_eq!(rounds("third", Some(1)), (0, 3), "a measurement takes no round");
    }

    #[test]
    fn bytes_of_updates_and_metrics_are_counted_by_round_study_and_day() {
        let day = 86_400;
        let budget = budget(&[
            (NOW - 2 * day, update("s", 1, 1)),
            (NOW - day, update("s", 2, 10)),
            (NOW - day + 1, metrics("s", Some(2), 100)),
            (NOW, metrics("s", None, 1000)),
            (NOW, update("other", 2, 10_000)),
        ]);
        let spent = budget.spent(&study("s"), Some(RoundNumber(2)), None, NOW);
        assert_eq!(spent.bytes_this_round, 110);
        assert_eq!(spent.bytes_this_study, 1111);
        assert_eq!(spent.bytes_last_day, 11_100, "what is a day old no longer counts");
        let spent = budget.spent(&study("s"), None, None, NOW);
        assert_eq!((spent.bytes_this_round, spent.bytes_this_study), (0, 1111));
        let back = budget.spent(&study("s"), None, None, NOW - 3 * day);
        assert_eq!(back.bytes_last_day, 11_111, "a clock that was set back forgets nothing");
    }

    #[test]
    fn what_is_sent_again_after_a_crash_counts_once() {
        let again = update("s", 1, 40);
        let Entry::UpdateApproved { update_digest, .. } = &again else {
            panic!()
        };
        let budget = budget(&[(NOW, again.clone()), (NOW + 1, again.clone())]);
        let round = Some(RoundNumber(1));
        assert_eq!(budget.spent(&study("s"), round, None, NOW).bytes_this_round, 40);
        assert_eq!(
            budget
                .spent(&study("s"), round, Some(update_digest), NOW)
                .bytes_this_round,
            0
        );
        assert_eq!(
            budget
                .spent(&study("s"), Some(RoundNumber(2)), Some(update_digest), NOW)
                .bytes_this_study,
            40
        );
    }

    #[test]
    fn sums_beyond_every_number_stay_at_the_largest() {
        let budget = budget(&[(NOW, update("s", 1, u64::MAX)), (NOW, metrics("s", Some(1), u64::MAX))]);
        let spent = budget.spent(&study("s"), Some(RoundNumber(1)), None, NOW);
        assert_eq!((spent.bytes_this_round, spent.bytes_last_day), (u64::MAX, u64::MAX));
    }
}
