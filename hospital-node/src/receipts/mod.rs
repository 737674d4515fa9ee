//! Receipts: what the aggregator signed about this site's updates, beside what the site itself knows of them.
//!
//! A receipt says which update of which model was taken in, under which plan and policy; the outcome of its round says which
//! model came of it. Both are signed by the aggregator and verify offline with its public key alone. How many radiographs
//! were excluded, and why, is the site's own business: it stands in the site's ledger and is never exported.

mod proof;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Serialize;
use snowball_ledger::{Entry, Record};
use snowball_protocol::{
    RoundNumber, Sha256Digest, StudyName, intake::IntakeReason, outcome::SignedOutcome, receipt::SignedReceipt,
};

use crate::home::Home;

pub use proof::{PROOF_BYTES_MAX, Proof};

/// One receipt, with everything that belongs to it.
#[derive(Clone, Serialize)]
pub struct Kept {
    pub receipt: SignedReceipt,
    /// What came of the round, once the aggregator said so.
    pub outcome: Option<SignedOutcome>,
    /// What the site alone knows.
    pub own: Own,
}

/// The site's own numbers about a round, out of its ledger.
#[derive(Clone, Default, Serialize)]
pub struct Own {
    /// The entry of the ledger that let the update leave.
    pub approved_at: Option<u64>,
    /// Whether that entry is the one that the receipt names.
    pub is_the_named_entry: bool,
    /// The clause of the policy that permitted it.
    pub clause: Option<String>,
    pub dataset_digest: Option<Sha256Digest>,
    /// Radiographs of the dataset to train on, to validate on and to test on.
    pub training: u64,
    pub validation: u64,
    pub testing: u64,
    /// Radiographs that were trained on.
    pub trained_on: Option<u64>,
    /// Bytes of measurements that went along.
    pub metrics_bytes: u64,
    /// Of all files that came in until then.
    pub accepted: u64,
    /// Files that were not used, by reason.
    pub excluded: BTreeMap<IntakeReason, u64>,
    /// Of the excluded ones, those that a person released.
    pub released: u64,
    /// Radiographs of patients who withdrew.
    pub withdrawn: u64,
}

/// Every receipt in a ledger, in order.
pub fn of(records: &[Record]) -> Vec<Kept> {
    let mut told = Told::default();
    let mut kept: Vec<Kept> = Vec::new();
    for record in records {
        match &record.entry {
            Entry::ReceiptKept { receipt } => kept.push(Kept {
                own: told.own(receipt),
                receipt: receipt.clone(),
                outcome: None,
            }),
            Entry::RoundOutcomeKept { outcome } => {
                let (study, round) = (&outcome.outcome.study, outcome.outcome.round);
                for one in kept.iter_mut().filter(|one| one.is_of(study, round)) {
                    one.outcome = Some(outcome.clone());
                }
            }
            _ => told.count(record),
        }
    }
    kept
}

/// The rounds of a study whose receipts a node's ledger holds.
#[derive(Default)]
pub struct Held {
    /// All of them.
    pub rounds: BTreeSet<RoundNumber>,
    /// Those that have no outcome yet.
    pub without_outcome: BTreeSet<RoundNumber>,
}

/// The rounds of `study` whose receipts this node's ledger holds.
pub fn held(home: &Home, study: &StudyName) -> Result<Held> {
    let records = snowball_ledger::read(&home.ledger()).context("cannot read the ledger")?;
    let mut held = Held::default();
    for kept in of(&records) {
        let receipt = &kept.receipt.receipt;
        if receipt.study != *study {
            continue;
        }
        held.rounds.insert(receipt.round);
        if kept.outcome.is_none() {
            held.without_outcome.insert(receipt.round);
        }
    }
    Ok(held)
}

/// Whether the ledger has the receipt of the update that was trained from this model, in whatever round it counted.
pub fn has(home: &Home, study: &StudyName, model_in: &Sha256Digest) -> Result<bool> {
    let records = snowball_ledger::read(&home.ledger()).context("cannot read the ledger")?;
    Ok(records.iter().any(|record| match &record.entry {
        Entry::ReceiptKept { receipt } => {
            let receipt = &receipt.receipt;
            receipt.study == *study && receipt.model_in == *model_in
        }
        _ => false,
    }))
}

/// What the aggregator signed about a round of `study`, as this node's ledger has it.
pub fn outcome_of(home: &Home, study: &StudyName, round: RoundNumber) -> Result<Option<SignedOutcome>> {
    let records = snowball_ledger::read(&home.ledger()).context("cannot read the ledger")?;
    Ok(records.into_iter().rev().find_map(|record| match record.entry {
        Entry::RoundOutcomeKept { outcome } if outcome.outcome.study == *study && outcome.outcome.round == round => {
            Some(outcome)
        }
        _ => None,
    }))
}

impl Kept {
    pub fn is_of(&self, study: &StudyName, round: RoundNumber) -> bool {
        self.receipt.receipt.study == *study && self.receipt.receipt.round == round
    }

    /// What a stranger can verify: nothing of the site's own numbers.
    pub fn proof(&self) -> Proof {
        Proof::of(self.receipt.clone(), self.outcome.clone())
    }
}

type Place = (StudyName, RoundNumber);

/// What the ledger told so far.
#[derive(Default)]
struct Told {
    intake: Own,
    datasets: BTreeMap<StudyName, (Sha256Digest, [u64; 3])>,
    /// By the model that it started from.
    trained: BTreeMap<(StudyName, Sha256Digest), u64>,
    metrics: BTreeMap<Place, u64>,
    /// By the update's digest: index, hash and clause of the entry that approved it.
    approved: BTreeMap<Sha256Digest, (u64, Sha256Digest, String)>,
}

impl Told {
    fn count(&mut self, record: &Record) {
        match &record.entry {
            Entry::IntakeFinished { accepted, reasons, .. } => {
                self.intake.accepted += accepted;
                for (reason, count) in reasons {
                    *self.intake.excluded.entry(*reason).or_default() += count;
                }
            }
            Entry::QuarantineReviewed { disposition, .. } => {
                let is_accepted = *disposition == snowball_protocol::intake::Disposition::Accepted;
                self.intake.released += u64::from(is_accepted);
            }
            Entry::PatientWithdrawn { radiographs, .. } => self.intake.withdrawn += radiographs,
            Entry::DatasetFrozen {
                study,
                dataset_digest,
                training,
                validation,
                testing,
            } => {
                let parts = [*training, *validation, *testing];
                self.datasets.insert(study.clone(), (*dataset_digest, parts));
            }
            Entry::TrainingFinished {
                study,
                examples,
                model_in,
                ..
            } => {
                self.trained.insert((study.clone(), *model_in), *examples);
            }
            Entry::MetricsApproved {
                study,
                round: Some(round),
                bytes,
                ..
            } => {
                self.metrics.insert((study.clone(), *round), *bytes);
            }
            Entry::UpdateApproved {
                update_digest, clause, ..
            } => {
                let entry = (record.index, record.hash, clause.clone());
                self.approved.insert(*update_digest, entry);
            }
            _ => {}
        }
    }

    fn own(&self, signed: &SignedReceipt) -> Own {
        let receipt = &signed.receipt;
        let place = (receipt.study.clone(), receipt.round);
        let approved = self.approved.get(&receipt.update_digest);
        let dataset = self.datasets.get(&receipt.study);
        let [training, validation, testing] = dataset.map_or([0; 3], |(_, parts)| *parts);
        Own {
            approved_at: approved.map(|(index, ..)| *index),
            is_the_named_entry: approved.is_some_and(|(_, hash, _)| *hash == receipt.ledger_head),
            clause: approved.map(|(.., clause)| clause.clone()),
            dataset_digest: dataset.map(|(digest, _)| *digest),
            training,
            validation,
            testing,
            trained_on: self.trained.get(&(receipt.study.clone(), receipt.model_in)).copied(),
            metrics_bytes: self.metrics.get(&place).copied().unwrap_or_default(),
            ..self.intake.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use snowball_crypto::SigningKey;
    use snowball_ledger::Ledger;
    use snowball_protocol::Attempt;

    use super::*;

    #[test]
    fn a_receipt_stands_beside_what_the_site_knew_when_it_came() {
        let (signed, outcome) = proof::tests::signed(&SigningKey::generate().unwrap());
        let (study, round) = (signed.receipt.study.clone(), signed.receipt.round);
        let digest = signed.receipt.update_digest;
        let intake = |accepted, duplicates| Entry::IntakeFinished {
            accepted,
            quarantined: 0,
            rejected: duplicates,
            reasons: BTreeMap::from([(IntakeReason::Duplicate, duplicates)]),
        };
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(folder.path(), "north", SigningKey::generate().unwrap()).unwrap();
        let before = vec![
            intake(90, 3),
            intake(10, 2),
            Entry::DatasetFrozen {
                study: study.clone(),
                dataset_digest: digest,
                training: 70,
                validation: 20,
                testing: 10,
            },
            // What the model was asked about meanwhile is not what the round had.
            Entry::DatasetPrepared {
                study: study.clone(),
                dataset_digest: Sha256Digest::of(b"all radiographs"),
                radiographs: 400,
            },
            Entry::TrainingFinished {
                study: study.clone(),
                round,
                examples: 65,
                model_in: signed.receipt.model_in,
                control: None,
                update_digest: digest,
            },
            Entry::UpdateApproved {
                study: study.clone(),
                round,
                attempt: Attempt(1),
                update_digest: digest,
                bytes: 12,
                clause: "release.allowed".to_owned(),
                policy_digest: digest,
            },
            Entry::ReceiptKept {
                receipt: signed.clone(),
            },
            intake(1000, 500),
        ];
        ledger.append_all(1, before).unwrap();
        let kept = of(&snowball_ledger::read(folder.path()).unwrap());
        assert_eq!(kept.len(), 1);
        let own = &kept[0].own;
        assert_eq!((own.accepted, own.excluded[&IntakeReason::Duplicate]), (100, 5));
        assert_eq!((own.trained_on, own.training, own.approved_at), (Some(65), 70, Some(5)));
        assert_eq!(own.dataset_digest, Some(digest));
        // The receipt of this test names another head than this ledger has.
        assert!(!own.is_the_named_entry && kept[0].outcome.is_none());
        ledger.append(2, Entry::RoundOutcomeKept { outcome }).unwrap();
        let kept = of(&snowball_ledger::read(folder.path()).unwrap());
        assert!(kept[0].outcome.is_some());
    }
}
