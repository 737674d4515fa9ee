//! What became of files, added up from the ledger and the store, and as much of it as a board may read.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use snowball_ledger::Entry;
use snowball_protocol::{
    intake::{Disposition, IntakeReason},
    small::Balance,
};

use super::Folder;
use crate::count::{self, Count};

/// What became of files on one of the ways, over the whole ledger.
#[derive(Default, Serialize)]
pub struct Flow<N = u64> {
    pub runs: u64,
    /// Taken in, or written.
    pub accepted: N,
    pub quarantined: N,
    pub rejected: N,
    pub reasons: BTreeMap<IntakeReason, N>,
}

/// Files that wait or waited for a person.
#[derive(Default, Serialize)]
pub struct Quarantine<N = u64> {
    /// Waiting now, by reason.
    pub waiting: BTreeMap<IntakeReason, N>,
    /// Reviewed and taken in.
    pub released: N,
    /// Reviewed, and kept back all the same.
    pub kept_back: N,
    pub discarded: N,
    pub pictures_shown: N,
}

/// Everything that is counted in files. A file stands for a patient here: nobody opens what waits in the quarantine to see whose it
/// is. So a count that is told may be of fewer patients; one that is hidden never is of more.
#[derive(Default, Serialize)]
pub struct Counted<N = u64> {
    pub intake: Flow<N>,
    pub deidentify: Flow<N>,
    pub folders: Vec<Folder<N>>,
    /// Files that a second look found wanting, over all folders.
    pub remains: N,
    pub quarantine: Quarantine<N>,
    /// Patients who withdrew.
    pub withdrawals: N,
}

impl Flow {
    fn add(&mut self, accepted: u64, quarantined: u64, rejected: u64, reasons: &BTreeMap<IntakeReason, u64>) {
        self.runs += 1;
        self.accepted += accepted;
        self.quarantined += quarantined;
        self.rejected += rejected;
        for (reason, count) in reasons {
            *self.reasons.entry(*reason).or_default() += count;
        }
    }
}

impl Counted {
    /// Adds what one entry of the ledger says.
    pub fn count(&mut self, entry: &Entry) {
        match entry {
            Entry::IntakeFinished {
                accepted,
                quarantined,
                rejected,
                reasons,
            } => self.intake.add(*accepted, *quarantined, *rejected, reasons),
            Entry::DeidentifyFinished {
                written,
                quarantined,
                rejected,
                reasons,
                ..
            } => self.deidentify.add(*written, *quarantined, *rejected, reasons),
            Entry::QuarantineReviewed { disposition, .. } if *disposition == Disposition::Accepted => {
                self.quarantine.released += 1;
            }
            Entry::QuarantineReviewed { .. } => self.quarantine.kept_back += 1,
            Entry::QuarantineDiscarded { .. } => self.quarantine.discarded += 1,
            Entry::QuarantinePictureShown { .. } => self.quarantine.pictures_shown += 1,
            Entry::PatientWithdrawn { .. } => self.withdrawals += 1,
            _ => {}
        }
    }

    /// As it may be told: counts of fewer than `least` hidden, and what gives them away.
    pub fn told(mut self, least: u64) -> Counted<Count> {
        let remains = |folder: &Folder| folder.reasons.get(&IntakeReason::IdentifierRemains).copied();
        self.remains = self.folders.iter().filter_map(remains).sum();
        let mut list = List::default();
        let numbered = self.map(&mut |count| list.put(count));
        let balances = numbered.balances();
        let told = count::told(&list.0, &balances, least);
        // Every place was given out by this very list.
        numbered.map(&mut |place| told[place])
    }
}

/// Counts in the order in which they were met.
#[derive(Default)]
struct List(Vec<u64>);

impl List {
    fn put(&mut self, count: u64) -> usize {
        self.0.push(count);
        self.0.len() - 1
    }
}

impl<N> Counted<N> {
    fn map<M>(self, change: &mut dyn FnMut(N) -> M) -> Counted<M> {
        let reasons = |reasons: BTreeMap<IntakeReason, N>, change: &mut dyn FnMut(N) -> M| {
            let each = reasons.into_iter().map(|(reason, count)| (reason, change(count)));
            each.collect::<BTreeMap<_, _>>()
        };
        let flow = |flow: Flow<N>, change: &mut dyn FnMut(N) -> M| Flow {
            runs: flow.runs,
            accepted: change(flow.accepted),
            quarantined: change(flow.quarantined),
            rejected: change(flow.rejected),
            reasons: reasons(flow.reasons, change),
        };
        Counted {
            intake: flow(self.intake, change),
            deidentify: flow(self.deidentify, change),
            folders: self
                .folders
                .into_iter()
                .map(|folder| Folder {
                    reasons: reasons(folder.reasons, change),
                    records: folder.records,
                    policy: folder.policy,
                    edition: folder.edition,
                    written: folder.written,
                    decisions: folder.decisions,
                })
                .collect(),
            remains: change(self.remains),
            quarantine: Quarantine {
                waiting: reasons(self.quarantine.waiting, change),
                released: change(self.quarantine.released),
                kept_back: change(self.quarantine.kept_back),
                discarded: change(self.quarantine.discarded),
                pictures_shown: change(self.quarantine.pictures_shown),
            },
            withdrawals: change(self.withdrawals),
        }
    }
}

impl Counted<usize> {
    /// Which counts add up to which. Where somebody withdrew, or a file was made again, the page's sums are a little off;
    /// they are treated as exact all the same, which hides rather too much.
    fn balances(&self) -> Vec<Balance> {
        let mut balances = Vec::new();
        for flow in [&self.intake, &self.deidentify] {
            for (disposition, total) in [
                (Disposition::Quarantined, flow.quarantined),
                (Disposition::Rejected, flow.rejected),
            ] {
                let of = |(reason, _): &(&IntakeReason, &usize)| reason.disposition() == disposition;
                balances.push(Balance {
                    left: vec![total],
                    right: flow.reasons.iter().filter(of).map(|(_, place)| *place).collect(),
                });
            }
        }
        let flows = [&self.intake, &self.deidentify];
        let folders = |reason: &IntakeReason| -> Vec<usize> {
            let places = self.folders.iter().filter_map(|folder| folder.reasons.get(reason));
            places.copied().collect()
        };
        for (reason, place) in &self.deidentify.reasons {
            balances.push(Balance {
                left: vec![*place],
                right: folders(reason),
            });
        }
        balances.push(Balance {
            left: vec![self.remains],
            right: folders(&IntakeReason::IdentifierRemains),
        });
        // What came in of a kind still waits, or was looked at and let go.
        let reasons: BTreeSet<&IntakeReason> = self.quarantine.waiting.keys().collect();
        for reason in reasons {
            let came = flows.iter().filter_map(|flow| flow.reasons.get(reason)).copied();
            balances.push(Balance {
                left: came.collect(),
                right: vec![self.quarantine.waiting[reason]],
            });
        }
        let waiting = self.quarantine.waiting.values().copied();
        balances.push(Balance {
            left: vec![self.intake.quarantined, self.deidentify.quarantined],
            right: waiting
                .chain([self.quarantine.released, self.quarantine.discarded])
                .collect(),
        });
        balances
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(counts: &[(IntakeReason, u64)]) -> BTreeMap<IntakeReason, u64> {
        counts.iter().copied().collect()
    }

    #[test]
    fn a_small_reason_is_hidden_with_a_second_one_wherever_it_stands() {
        use IntakeReason::{BurnedInText, DecodeError, Document, TransferSyntax, UidConflict};
        let mut counted = Counted::default();
        counted.count(&Entry::IntakeFinished {
            accepted: 200,
            quarantined: 47,
            rejected: 9,
            reasons: reasons(&[
                (BurnedInText, 30),
                (DecodeError, 2),
                (TransferSyntax, 15),
                (Document, 9),
            ]),
        });
        counted.quarantine.waiting = reasons(&[(BurnedInText, 30), (DecodeError, 2), (TransferSyntax, 15)]);
        let told = counted.told(5);
        assert_eq!(told.intake.quarantined, Count::Told(47));
        for table in [&told.intake.reasons, &told.quarantine.waiting] {
            assert_eq!(table[&BurnedInText], Count::Told(30));
            assert_eq!(table[&DecodeError], Count::FewerThan(5));
            assert_eq!(table[&TransferSyntax], Count::Hidden);
        }
        assert_eq!(told.intake.reasons[&Document], Count::Told(9));
        assert_eq!(told.withdrawals, Count::Told(0));

        // Of one reason alone, the total of its kind is as telling as the count itself.
        let mut counted = Counted::default();
        counted.count(&Entry::IntakeFinished {
            accepted: 200,
            quarantined: 1,
            rejected: 0,
            reasons: reasons(&[(UidConflict, 1)]),
        });
        counted.withdrawals = 2;
        let told = counted.told(5);
        assert_eq!(told.intake.quarantined, Count::FewerThan(5));
        assert_eq!(told.withdrawals, Count::FewerThan(5));
        assert_eq!(told.intake.accepted, Count::Told(200));
    }

    #[test]
    fn folders_do_not_give_away_what_their_sum_hides() {
        use IntakeReason::{BurnedInText, IdentifierRemains};
        let folder = |counts: &[(IntakeReason, u64)]| Folder {
            records: String::new(),
            policy: snowball_protocol::Sha256Digest::of(b"policy"),
            edition: String::new(),
            written: 100,
            reasons: reasons(counts),
            decisions: 0,
        };
        let mut counted = Counted {
            folders: vec![
                folder(&[(BurnedInText, 3)]),
                folder(&[(BurnedInText, 40), (IdentifierRemains, 9)]),
            ],
            ..Counted::default()
        };
        counted
            .deidentify
            .add(200, 52, 0, &reasons(&[(BurnedInText, 43), (IdentifierRemains, 9)]));
        let told = counted.told(5);
        assert_eq!(told.folders[0].reasons[&BurnedInText], Count::FewerThan(5));
        assert_eq!(
            told.folders[1].reasons[&BurnedInText],
            Count::Hidden,
            "43 less 40 would be 3"
        );
        assert_eq!(told.deidentify.reasons[&BurnedInText], Count::Told(43));
        assert_eq!(told.remains, Count::Told(9));
    }
}
