//! What left before, read from the ledger: the budget survives everything that the ledger survives.

use std::collections::{BTreeMap, BTreeSet};

use snowball_ledger::{Entry, Record};
use snowball_policy::Spent;
use snowball_protocol::{RoundNumber, StudyName};

/// Rounds and bytes that updates have taken at this site.
#[derive(Default, Debug, Clone)]
pub struct Budget {
    rounds: BTreeSet<(StudyName, RoundNumber)>,
    bytes: BTreeMap<(StudyName, RoundNumber), u64>,
}

impl Budget {
    /// Adds up a whole ledger.
    #[must_use]
    pub fn of(records: &[Record]) -> Self {
        let mut budget = Self::default();
        for record in records {
            budget.count(&record.entry);
        }
        budget
    }

    pub(crate) fn count(&mut self, entry: &Entry) {
        if let Entry::UpdateApproved {
            study, round, bytes, ..
        } = entry
        {
            self.rounds.insert((study.clone(), *round));
            *self.bytes.entry((study.clone(), *round)).or_default() += bytes;
        }
    }

    /// What the policy counts before it permits the next thing: rounds of this study other than `round`, and the bytes
    /// that `round` has taken.
    #[must_use]
    pub fn spent(&self, study: &StudyName, round: Option<RoundNumber>) -> Spent {
        let rounds = self
            .rounds
            .iter()
            .filter(|(name, number)| name == study && Some(*number) != round)
            .count();
        let bytes = round
            .and_then(|round| self.bytes.get(&(study.clone(), round)))
            .copied()
            .unwrap_or_default();
        Spent {
            rounds: u32::try_from(rounds).unwrap_or(u32::MAX),
            bytes_this_round: bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::{Attempt, Sha256Digest};

    use super::*;

    #[test]
    fn rounds_and_bytes_are_counted_from_what_was_approved() {
        let digest = Sha256Digest::of(b"");
        let study: StudyName = "s".parse().unwrap();
        let approved = |round, bytes| Entry::UpdateApproved {
            study: study.clone(),
            round: RoundNumber(round),
            attempt: Attempt(1),
            update_digest: digest,
            bytes,
            clause: "release.allowed".to_owned(),
            policy_digest: digest,
        };
        let mut budget = Budget::default();
        [approved(1, 10), approved(1, 5), approved(2, 7)]
            .iter()
            .for_each(|entry| budget.count(entry));
        let spent = budget.spent(&study, Some(RoundNumber(1)));
        assert_eq!((spent.rounds, spent.bytes_this_round), (1, 15));
        let spent = budget.spent(&study, Some(RoundNumber(3)));
        assert_eq!((spent.rounds, spent.bytes_this_round), (2, 0));
        assert_eq!(budget.spent(&"other".parse().unwrap(), None).rounds, 0);
    }
}
