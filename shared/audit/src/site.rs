//! One site's ledger, read twice: first for what is to come, then record by record as it happened.

use std::collections::{BTreeMap, BTreeSet};

use snowball_ledger::{Entry, LedgerError, Record};
use snowball_protocol::{
    Attempt, RoundNumber, Sha256Digest, SiteName, StudyName, StudyPlan, outcome::SignedOutcome, receipt::SignedReceipt,
    session::ControlReference,
};

use crate::{
    decisions::Judge,
    documents::paths,
    finding::Code,
    folder::Folder,
    keys::SiteKeys,
    outcome::{Area, Audit},
    policies::{Installed, Policies},
};

/// To let details of measurements out, as decisions name it.
pub(crate) const DETAILED: &str = "send detailed metrics";

/// One try at one round of one study.
pub(crate) type Try = (StudyName, RoundNumber, Attempt);

/// An update that the site's policy let out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Approval {
    pub index: u64,
    pub hash: Sha256Digest,
    pub digest: Sha256Digest,
    pub bytes: u64,
    pub policy_digest: Sha256Digest,
}

/// Measurements that the site's policy let out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MetricsApproval {
    pub digest: Sha256Digest,
    /// Whether there are details among them; programs of before did not say.
    pub detailed: Option<bool>,
    /// Whether the policy had just permitted details.
    pub may_be_detailed: bool,
}

/// What a training gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Trained {
    pub examples: u64,
    pub model_in: Sha256Digest,
    /// What its steps were corrected by.
    pub control: Option<ControlReference>,
}

/// What the other parties' records are held against.
#[derive(Default)]
pub(crate) struct SiteFacts {
    /// How many records the ledger has.
    pub entries: u64,
    pub approvals: BTreeMap<Try, Vec<Approval>>,
    pub trained: BTreeMap<(StudyName, RoundNumber), Vec<Trained>>,
    pub receipts: Vec<(u64, SignedReceipt)>,
    pub outcomes: Vec<(u64, SignedOutcome)>,
    /// Updates of which the aggregator said that none of this site counts in their round: by the record that says so.
    pub not_had: Vec<(u64, StudyName, RoundNumber, Sha256Digest)>,
    /// What of measurements was let out with each round; `None` for the final model.
    pub metrics: BTreeMap<(StudyName, Option<RoundNumber>), Vec<MetricsApproval>>,
    /// Where a permit for details stands that nothing was let out on yet.
    pub details: BTreeSet<(StudyName, Option<RoundNumber>)>,
    /// Policies under which joining was permitted.
    pub joins: BTreeMap<StudyName, Vec<Sha256Digest>>,
    /// Plans that the site joined or declined.
    pub plans: BTreeMap<StudyName, BTreeSet<Sha256Digest>>,
    pub serials: BTreeSet<String>,
    /// Request bodies that were sent, by kind.
    pub sent: BTreeMap<String, u64>,
}

/// What is known of a ledger before it is read as it happened.
#[derive(Default)]
pub(crate) struct Survey {
    pub installed: Vec<Installed>,
    pub plans: BTreeMap<StudyName, BTreeSet<Sha256Digest>>,
    /// What was approved to leave: updates by their round, measurements also without one. In order.
    pub updates: BTreeMap<(StudyName, Option<RoundNumber>), Vec<Leaving>>,
    /// The same for measurements.
    pub metrics: BTreeMap<(StudyName, Option<RoundNumber>), Vec<Leaving>>,
}

/// Something that was approved to leave.
#[derive(Clone, Copy)]
pub(crate) struct Leaving {
    pub index: u64,
    pub digest: Sha256Digest,
    pub bytes: u64,
}

impl Leaving {
    const fn of(record: &Record, digest: Sha256Digest, bytes: u64) -> Self {
        Self {
            index: record.index,
            digest,
            bytes,
        }
    }
}

/// Checks all that a site's own evidence tells.
pub(crate) fn check(folder: &Folder, site: &SiteName, keys: &SiteKeys, audit: &mut Audit) -> SiteFacts {
    let mut survey = Survey::default();
    each(folder, site, audit, |record, _| survey.see(record));
    let policies = Policies::read(folder, site, keys, &survey.installed, audit);
    let plans = plans(folder, site, &survey, audit);
    let mut judge = Judge::new(site, &policies, &plans, &survey);
    let mut facts = SiteFacts {
        plans: survey.plans.clone(),
        entries: folder.manifest.head.entries,
        ..SiteFacts::default()
    };
    each(folder, site, audit, |record, audit| {
        judge.see(record, audit);
        facts.see(record);
    });
    judge.finish(audit);
    facts
}

/// Every record of a ledger whose chain was checked before.
pub(crate) fn each(
    folder: &Folder,
    owner: &impl std::fmt::Display,
    audit: &mut Audit,
    mut see: impl FnMut(&Record, &mut Audit),
) {
    let Ok(records) = snowball_ledger::records(&folder.path(paths::LEDGER)) else {
        return;
    };
    for record in records {
        match record {
            Ok(record) => see(&record, audit),
            Err(LedgerError::UnknownEntry { index }) => {
                audit.note(format!(
                    "{owner}: record {index} is of a kind that this program does not know; what follows was not checked. Use \
                     a newer program."
                ));
                return;
            }
            Err(_) => return,
        }
    }
}

/// The one plan of each study, where the evidence has it.
fn plans(folder: &Folder, site: &SiteName, survey: &Survey, audit: &mut Audit) -> BTreeMap<StudyName, StudyPlan> {
    let mut plans = BTreeMap::new();
    for (study, digests) in &survey.plans {
        let place = format!("{site}, study {study}");
        audit.expect(digests.len() == 1, Area::Plans, Code::PlanDiffers, &place, || {
            format!("the ledger names {} plans of this study", digests.len())
        });
        for digest in digests {
            if let Some(plan) = plan(folder, &place, study, digest, audit) {
                plans.insert(study.clone(), plan);
            }
        }
    }
    plans
}

/// A plan of the evidence, if it is the one that is named.
pub(crate) fn plan(
    folder: &Folder,
    place: &str,
    study: &StudyName,
    digest: &Sha256Digest,
    audit: &mut Audit,
) -> Option<StudyPlan> {
    audit.looked(Area::Plans);
    let Some(bytes) = folder.read(&paths::plan(digest)) else {
        audit.find(
            Area::Plans,
            Code::PlanMissing,
            place,
            format!("the plan {digest} is not in the evidence"),
        );
        return None;
    };
    let found = Sha256Digest::of(&bytes);
    let plan = serde_json::from_slice::<StudyPlan>(&bytes).ok();
    let plan = plan.filter(|plan| found == *digest && plan.digest() == *digest && plan.study == *study);
    if plan.is_none() {
        let detail = format!("the file of the plan {digest} is {found}, or not a plan of this study");
        audit.find(Area::Plans, Code::PlanAltered, place, detail);
    }
    plan
}

impl Survey {
    fn see(&mut self, record: &Record) {
        match &record.entry {
            Entry::PolicyInstalled {
                policy_digest,
                version,
                stage,
            } => self.installed.push(Installed {
                index: record.index,
                time: record.time,
                digest: *policy_digest,
                version: *version,
                stage: stage.clone(),
            }),
            Entry::StudyJoined { study, plan_digest, .. } | Entry::StudyDeclined { study, plan_digest, .. } => {
                self.plans.entry(study.clone()).or_default().insert(*plan_digest);
            }
            Entry::UpdateApproved {
                study,
                round,
                update_digest,
                bytes,
                ..
            } => {
                let round = self.updates.entry((study.clone(), Some(*round))).or_default();
                round.push(Leaving::of(record, *update_digest, *bytes));
            }
            Entry::MetricsApproved {
                study,
                round,
                digest,
                bytes,
                ..
            } => {
                let round = self.metrics.entry((study.clone(), *round)).or_default();
                round.push(Leaving::of(record, *digest, *bytes));
            }
            _ => {}
        }
    }
}

impl SiteFacts {
    fn see(&mut self, record: &Record) {
        match &record.entry {
            Entry::UpdateApproved {
                study,
                round,
                attempt,
                update_digest,
                bytes,
                policy_digest,
                ..
            } => {
                let key = (study.clone(), *round, *attempt);
                self.approvals.entry(key).or_default().push(Approval {
                    index: record.index,
                    hash: record.hash,
                    digest: *update_digest,
                    bytes: *bytes,
                    policy_digest: *policy_digest,
                });
            }
            Entry::TrainingFinished {
                study,
                round,
                examples,
                model_in,
                control,
                ..
            } => {
                let trained = Trained {
                    examples: *examples,
                    model_in: *model_in,
                    control: *control,
                };
                self.trained.entry((study.clone(), *round)).or_default().push(trained);
            }
            Entry::ReceiptKept { receipt } => self.receipts.push((record.index, receipt.clone())),
            Entry::ReceiptNotHad {
                study,
                round,
                update_digest,
            } => {
                let told = (record.index, study.clone(), *round, *update_digest);
                self.not_had.push(told);
            }
            Entry::RoundOutcomeKept { outcome } => self.outcomes.push((record.index, outcome.clone())),
            Entry::MetricsApproved {
                study,
                round,
                digest,
                detailed,
                ..
            } => {
                let occasion = (study.clone(), *round);
                let approval = MetricsApproval {
                    digest: *digest,
                    detailed: *detailed,
                    may_be_detailed: self.details.remove(&occasion),
                };
                self.metrics.entry(occasion).or_default().push(approval);
            }
            Entry::DecisionMade {
                study,
                round,
                action,
                permitted,
                ..
            } if action == DETAILED => {
                let occasion = (study.clone(), *round);
                if *permitted {
                    self.details.insert(occasion);
                } else {
                    self.details.remove(&occasion);
                }
            }
            Entry::DecisionMade {
                study,
                action,
                permitted: true,
                policy_digest: Some(policy),
                ..
            } if action == "join" => self.joins.entry(study.clone()).or_default().push(*policy),
            Entry::CertificateReceived { certificate_serial } => {
                self.serials.insert(certificate_serial.clone());
            }
            Entry::DisclosureSent { kind, .. } => *self.sent.entry(kind.clone()).or_default() += 1,
            _ => {}
        }
    }
}
