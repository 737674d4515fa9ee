//! What the ledger tells, summed up for an auditor. Pure: from records to counts.

use std::collections::BTreeMap;

use serde::Serialize;
use snowball_ledger::{Entry, Record};
use snowball_protocol::{
    RoundNumber, Sha256Digest, StudyName, ids::UnixSeconds, intake::IntakeReason, receipt::SignedReceipt,
};

use super::period::{Period, month};

/// Whether a receipt carries the signature of the aggregator of the enrolment.
pub type IsSigned<'a> = dyn Fn(&SignedReceipt) -> bool + 'a;

/// The ledger, summed up. Policies, certificates, programs and how studies were answered are told over the whole ledger,
/// because they hold on; everything else over the period. Counts are as they are; [`told`](History::told) gives those that may be told.
#[derive(Default, Serialize)]
pub struct History<N = u64> {
    /// Records of the whole ledger that could be read.
    pub records: u64,
    /// Of these, in the period.
    pub records_in_period: u64,
    pub policies: Vec<PolicyStep>,
    pub certificates: Vec<CertificateStep>,
    pub programs: Vec<Program>,
    /// Crashes in the middle of a write, each mended when the program started.
    pub unfinished_writes: u64,
    pub studies: BTreeMap<StudyName, Study<N>>,
    /// What left, by month: `2026-11`.
    pub months: BTreeMap<String, Left>,
    /// What left beside updates, by its kind.
    pub requests: BTreeMap<String, Sum>,
    /// Decisions of the policy, by action and clause.
    pub decisions: BTreeMap<String, BTreeMap<String, Answers>>,
    pub intake: Excluded<N>,
    pub deidentify: Excluded<N>,
    pub people: People<N>,
    pub heads: Heads,
    /// The last update that was approved, by study and round, over the whole ledger: what receipts are held against.
    #[serde(skip)]
    pub(super) approved: BTreeMap<(StudyName, RoundNumber), (Sha256Digest, u64)>,
}

/// A policy came into force.
#[derive(Serialize)]
pub struct PolicyStep {
    pub time: UnixSeconds,
    pub digest: Sha256Digest,
    pub version: u32,
    pub stage: String,
}

/// A certificate came.
#[derive(Serialize)]
pub struct CertificateStep {
    pub time: UnixSeconds,
    pub serial: String,
}

/// One version of the program.
#[derive(Serialize)]
pub struct Program {
    pub version: String,
    pub first: UnixSeconds,
    pub last: UnixSeconds,
    /// How often it was set up or started.
    pub starts: u64,
}

/// One study, as this site knows it.
#[derive(Default, Serialize)]
pub struct Study<N = u64> {
    /// When it was joined, with the plan and the policy that permitted it.
    pub joined: Option<Answered>,
    /// The last time that it was declined, and the clause.
    pub declined: Option<(Answered, String)>,
    pub rounds: BTreeMap<RoundNumber, Round<N>>,
    pub left: Left,
    /// The quality of the final model was told.
    pub is_evaluated: bool,
    /// The last entry about it.
    pub last: UnixSeconds,
}

/// An answer to a study.
#[derive(Clone, Serialize)]
pub struct Answered {
    pub time: UnixSeconds,
    pub plan: Sha256Digest,
    /// The policy that decided; of a refusal only the clause is on record.
    pub policy: Option<Sha256Digest>,
}

/// One round of a study.
#[derive(Default, Serialize)]
pub struct Round<N = u64> {
    /// Radiographs trained on.
    pub examples: Option<N>,
    /// The last update that was approved.
    pub update: Option<Sha256Digest>,
    pub update_bytes: u64,
    pub receipt: Option<ReceiptTold>,
    /// The study is over and the aggregator has no receipt of it.
    pub is_not_had: bool,
}

/// A receipt, and whether it holds.
#[derive(Serialize)]
pub struct ReceiptTold {
    pub received: UnixSeconds,
    /// Signed by the aggregator of the enrolment.
    pub is_signed: bool,
    /// For the update that the ledger approved, byte for byte.
    pub is_of_update: bool,
}

/// What left.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Left {
    pub updates: Sum,
    /// Measurements; they travel inside requests, whose bytes hold theirs.
    pub metrics: Sum,
    /// Requests, among them the headers of updates. Not told by study: a request does not name one.
    pub requests: Sum,
}

/// How many, and how many bytes together.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Sum {
    pub count: u64,
    pub bytes: u64,
}

/// How often the policy permitted and denied.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Answers {
    pub permitted: u64,
    pub denied: u64,
}

/// Files on one of the ways in.
#[derive(Default, PartialEq, Eq, Serialize)]
pub struct Excluded<N = u64> {
    pub runs: u64,
    pub accepted: N,
    /// Quarantined and rejected ones.
    pub kept_out: N,
    pub reasons: BTreeMap<IntakeReason, N>,
}

/// Heads of both ledgers, shown to each other.
#[derive(Default, Serialize)]
pub struct Heads {
    pub exchanged: u64,
    pub last: Option<UnixSeconds>,
    /// Heads of the aggregator that contradicted the one kept before.
    pub refused: u64,
}

/// What was done by people, and for patients.
#[derive(Default, PartialEq, Eq, Serialize)]
pub struct People<N = u64> {
    pub reviewed: N,
    pub discarded: N,
    pub pictures_shown: N,
    pub looked_up: N,
    pub linkage_destroyed: Option<UnixSeconds>,
    pub backups: Backups,
    pub withdrawals: N,
    pub withdrawn_radiographs: N,
    /// Studies whose models may have learned from a patient who withdrew.
    pub withdrawn_studies: Vec<StudyName>,
}

/// Copies of the home.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Backups {
    pub made: u64,
    /// Of these, with the private keys.
    pub with_keys: u64,
    /// Of these, with the key that leads from pseudonyms back to patients.
    pub with_vault_key: u64,
}

impl Sum {
    const fn add(&mut self, bytes: u64) {
        self.count = self.count.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

impl Left {
    /// All bytes that left. Measurements are in the requests already.
    pub const fn bytes(&self) -> u64 {
        self.updates.bytes.saturating_add(self.requests.bytes)
    }
}

impl History {
    /// Takes in the next record of the ledger.
    pub fn add(&mut self, record: &Record, period: Period, is_signed: &IsSigned<'_>) {
        self.records += 1;
        let (time, entry) = (record.time, &record.entry);
        self.add_lasting(time, entry);
        if !period.holds(time) {
            return;
        }
        self.records_in_period += 1;
        self.add_round(time, entry, is_signed);
        self.add_left(time, entry);
        self.add_files(entry);
        self.add_people(time, entry);
    }

    fn add_lasting(&mut self, time: UnixSeconds, entry: &Entry) {
        match entry {
            Entry::NodeInitialised { program_version, .. } | Entry::ProgramStarted { program_version } => {
                self.saw_program(time, program_version);
            }
            Entry::UnfinishedWriteRemoved { .. } => self.unfinished_writes += 1,
            Entry::HeadsExchanged { .. } => {
                self.heads.exchanged += 1;
                self.heads.last = Some(time);
            }
            Entry::HeadRefused { .. } => self.heads.refused += 1,
            Entry::CertificateReceived { certificate_serial } => self.certificates.push(CertificateStep {
                time,
                serial: certificate_serial.clone(),
            }),
            Entry::PolicyInstalled {
                policy_digest,
                version,
                stage,
            } => self.policies.push(PolicyStep {
                time,
                digest: *policy_digest,
                version: *version,
                stage: stage.clone(),
            }),
            Entry::UpdateApproved {
                study,
                round,
                update_digest,
                bytes,
                ..
            } => {
                let approved = (*update_digest, *bytes);
                self.approved.insert((study.clone(), *round), approved);
            }
            Entry::StudyJoined {
                study,
                plan_digest,
                policy_digest,
                ..
            } => {
                let told = self.study(study, time);
                told.joined = Some(Answered {
                    time,
                    plan: *plan_digest,
                    policy: Some(*policy_digest),
                });
            }
            Entry::StudyDeclined {
                study,
                plan_digest,
                clause,
                ..
            } => {
                let answered = Answered {
                    time,
                    plan: *plan_digest,
                    policy: None,
                };
                self.study(study, time).declined = Some((answered, clause.clone()));
            }
            _ => {}
        }
    }

    fn saw_program(&mut self, time: UnixSeconds, version: &str) {
        match self.programs.iter_mut().find(|program| program.version == version) {
            Some(program) => {
                program.last = program.last.max(time);
                program.starts += 1;
            }
            None => self.programs.push(Program {
                version: version.to_owned(),
                first: time,
                last: time,
                starts: 1,
            }),
        }
    }

    fn study(&mut self, study: &StudyName, time: UnixSeconds) -> &mut Study {
        let told = self.studies.entry(study.clone()).or_default();
        told.last = told.last.max(time);
        told
    }

    fn add_round(&mut self, time: UnixSeconds, entry: &Entry, is_signed: &IsSigned<'_>) {
        match entry {
            Entry::TrainingFinished {
                study, round, examples, ..
            } => self.study(study, time).rounds.entry(*round).or_default().examples = Some(*examples),
            Entry::UpdateApproved {
                study,
                round,
                update_digest,
                bytes,
                ..
            } => {
                let told = self.study(study, time).rounds.entry(*round).or_default();
                told.update = Some(*update_digest);
                told.update_bytes = *bytes;
            }
            Entry::ReceiptKept { receipt } => {
                let signed = &receipt.receipt;
                let approved = self.approved.get(&(signed.study.clone(), signed.round)).copied();
                let told = self.study(&signed.study, time).rounds.entry(signed.round).or_default();
                if let Some((digest, bytes)) = approved {
                    (told.update, told.update_bytes) = (Some(digest), bytes);
                }
                told.receipt = Some(ReceiptTold {
                    received: signed.received,
                    is_signed: is_signed(receipt),
                    is_of_update: approved == Some((signed.update_digest, signed.update_bytes)),
                });
            }
            Entry::ReceiptNotHad { study, round, .. } => {
                self.study(study, time).rounds.entry(*round).or_default().is_not_had = true;
            }
            Entry::MetricsApproved { study, round: None, .. } => self.study(study, time).is_evaluated = true,
            _ => {}
        }
    }

    fn add_left(&mut self, time: UnixSeconds, entry: &Entry) {
        match entry {
            Entry::UpdateApproved { study, bytes, .. } => {
                self.study(study, time).left.updates.add(*bytes);
                self.month(time).updates.add(*bytes);
            }
            Entry::MetricsApproved { study, bytes, .. } => {
                self.study(study, time).left.metrics.add(*bytes);
                self.month(time).metrics.add(*bytes);
            }
            Entry::DisclosureSent { kind, bytes, .. } => {
                self.requests.entry(kind.clone()).or_default().add(*bytes);
                self.month(time).requests.add(*bytes);
            }
            Entry::DecisionMade {
                action,
                permitted,
                clause,
                ..
            } => {
                let clauses = self.decisions.entry(action.clone()).or_default();
                let answers = clauses.entry(clause.clone()).or_default();
                if *permitted {
                    answers.permitted += 1;
                } else {
                    answers.denied += 1;
                }
            }
            _ => {}
        }
    }

    fn month(&mut self, time: UnixSeconds) -> &mut Left {
        self.months.entry(month(time)).or_default()
    }

    fn add_files(&mut self, entry: &Entry) {
        let (way, accepted, reasons) = match entry {
            Entry::IntakeFinished { accepted, reasons, .. } => (&mut self.intake, accepted, reasons),
            Entry::DeidentifyFinished { written, reasons, .. } => (&mut self.deidentify, written, reasons),
            _ => return,
        };
        way.runs += 1;
        way.accepted += accepted;
        for (reason, count) in reasons {
            *way.reasons.entry(*reason).or_default() += count;
            way.kept_out += count;
        }
    }

    fn add_people(&mut self, time: UnixSeconds, entry: &Entry) {
        let people = &mut self.people;
        match entry {
            Entry::QuarantineReviewed { .. } => people.reviewed += 1,
            Entry::QuarantineDiscarded { .. } => people.discarded += 1,
            Entry::QuarantinePictureShown { .. } => people.pictures_shown += 1,
            Entry::LinkageShown { .. } => people.looked_up += 1,
            Entry::LinkageDestroyed { .. } => people.linkage_destroyed = Some(time),
            Entry::BackupMade { keys, vault_key, .. } => {
                people.backups.made += 1;
                people.backups.with_keys += u64::from(*keys);
                people.backups.with_vault_key += u64::from(*vault_key);
            }
            Entry::PatientWithdrawn {
                radiographs, studies, ..
            } => {
                people.withdrawals += 1;
                people.withdrawn_radiographs += radiographs;
                for study in studies {
                    if !people.withdrawn_studies.contains(study) {
                        people.withdrawn_studies.push(study.clone());
                    }
                }
            }
            _ => {}
        }
    }
}

impl<N> History<N> {
    /// All that left.
    pub fn left(&self) -> Left {
        let mut all = Left::default();
        for month in self.months.values() {
            for (sum, more) in [
                (&mut all.updates, month.updates),
                (&mut all.metrics, month.metrics),
                (&mut all.requests, month.requests),
            ] {
                sum.count += more.count;
                sum.bytes = sum.bytes.saturating_add(more.bytes);
            }
        }
        all
    }

    /// How often the policy said no.
    pub fn denials(&self) -> u64 {
        let answers = self.decisions.values().flat_map(BTreeMap::values);
        answers.map(|answers| answers.denied).sum()
    }

    /// Receipts, and how many of them hold.
    pub fn receipts(&self) -> (u64, u64) {
        let rounds = self.studies.values().flat_map(|study| study.rounds.values());
        let receipts = rounds.filter_map(|round| round.receipt.as_ref());
        receipts.fold((0, 0), |(all, sound), receipt| {
            (all + 1, sound + u64::from(receipt.is_signed && receipt.is_of_update))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auditor::testing::{DAY, history, made_up};

    #[test]
    fn what_left_is_the_sum_of_the_entries_and_measurements_do_not_count_twice() {
        let (records, history) = (made_up(), history(&made_up(), Period::default()));
        let (mut updates, mut requests, mut metrics) = (0, 0, 0);
        for record in &records {
            match &record.entry {
                Entry::UpdateApproved { bytes, .. } => updates += bytes,
                Entry::DisclosureSent { bytes, .. } => requests += bytes,
                Entry::MetricsApproved { bytes, .. } => metrics += bytes,
                _ => {}
            }
        }
        let left = history.left();
        assert_eq!(left.updates.bytes, updates);
        assert_eq!(left.requests.bytes, requests);
        assert_eq!(left.metrics.bytes, metrics);
        assert_eq!(left.bytes(), updates + requests);
        assert!(updates > 0 && requests > 0 && metrics > 0);
        let by_kind: u64 = history.requests.values().map(|sum| sum.bytes).sum();
        assert_eq!(by_kind, requests);
        let by_study: u64 = history.studies.values().map(|study| study.left.updates.bytes).sum();
        assert_eq!(by_study, updates);
    }

    #[test]
    fn outside_the_period_only_what_holds_on_is_told() {
        let records = made_up();
        let first = records[0].time;
        let nothing = Period {
            from: Some(first + 1_000 * DAY),
            to: None,
        };
        let told = history(&records, nothing);
        assert_eq!(told.records_in_period, 0);
        assert_eq!(told.left(), Left::default());
        assert!(told.decisions.is_empty() && told.intake.runs == 0);
        assert_eq!(told.policies.len(), 2);
        assert!(told.studies.values().any(|study| study.joined.is_some()));
        assert!(told.studies.values().all(|study| study.rounds.is_empty()));
    }

    #[test]
    fn a_receipt_that_is_not_signed_or_of_another_update_does_not_hold() {
        let told = history(&made_up(), Period::default());
        assert_eq!(told.receipts(), (3, 1));
        // Its update was approved before the period began.
        let receipt = made_up()
            .into_iter()
            .find(|record| record.kind() == "receipt_kept")
            .unwrap();
        let from_there = Period {
            from: Some(receipt.time),
            to: Some(receipt.time + 1),
        };
        assert_eq!(history(&made_up(), from_there).receipts(), (1, 1));
    }
}
