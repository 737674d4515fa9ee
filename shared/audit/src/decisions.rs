//! What a site's policy was asked, asked again: with the policy that was in force, and with what the records hold of the facts.

use std::collections::{BTreeMap, BTreeSet};

use snowball_ledger::{Entry, Record};
use snowball_policy::{Action, Clause, DatasetFacts, Decision, Request, SignedPolicy, Spent};
use snowball_protocol::{RoundNumber, Sha256Digest, SiteName, StudyName, StudyPlan, ids::UnixSeconds, plan::Sent};

use crate::{
    finding::Code,
    outcome::{Area, Audit},
    policies::{Installed, Policies},
    site::{DETAILED, Leaving, Survey},
};

/// A policy is asked while another process may be installing the next one: the one before or after counts within this time.
const CHANGEOVER_SECONDS: UnixSeconds = 60;
/// The clock may have gone on so far between a decision and its record.
const RECORD_SECONDS: UnixSeconds = 2;

const DAY_SECONDS: UnixSeconds = 24 * 60 * 60;

/// What a permit was for: the study, the round if there was one, and the action as the ledger names it.
type Errand = (StudyName, Option<RoundNumber>, String);

struct Permit {
    policy_digest: Sha256Digest,
    clause: String,
}

/// Follows a site's ledger record by record.
pub(crate) struct Judge<'a> {
    site: &'a SiteName,
    policies: &'a Policies,
    plans: &'a BTreeMap<StudyName, StudyPlan>,
    survey: &'a Survey,
    /// How many of the policies were installed so far.
    installed: usize,
    /// Radiographs to train on, by study.
    images: BTreeMap<StudyName, u64>,
    rounds: BTreeSet<(StudyName, RoundNumber)>,
    /// What was approved to leave, each thing once: its bytes, and when it was approved last.
    left: BTreeMap<(StudyName, Option<RoundNumber>, Sha256Digest), (u64, UnixSeconds)>,
    permits: BTreeMap<Errand, Permit>,
    /// Decisions that rest on what no record holds.
    unchecked: u64,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(
        site: &'a SiteName,
        policies: &'a Policies,
        plans: &'a BTreeMap<StudyName, StudyPlan>,
        survey: &'a Survey,
    ) -> Self {
        Self {
            site,
            policies,
            plans,
            survey,
            installed: 0,
            images: BTreeMap::new(),
            rounds: BTreeSet::new(),
            left: BTreeMap::new(),
            permits: BTreeMap::new(),
            unchecked: 0,
        }
    }

    /// Takes in the next record.
    pub(crate) fn see(&mut self, record: &Record, audit: &mut Audit) {
        match &record.entry {
            Entry::PolicyInstalled { .. } => self.installed += 1,
            Entry::DatasetFrozen { study, training, .. } => {
                self.images.insert(study.clone(), *training);
            }
            Entry::DecisionMade { .. } => self.decision(record, audit),
            Entry::StudyJoined {
                study, policy_digest, ..
            } => {
                let errand = (study.clone(), None, "join".to_owned());
                self.use_permit(record, &errand, Some((policy_digest, None)), audit);
            }
            Entry::TrainingFinished { study, round, .. } => {
                let errand = (study.clone(), Some(*round), "train".to_owned());
                self.use_permit(record, &errand, None, audit);
            }
            Entry::MetricsApproved {
                study,
                round,
                digest,
                bytes,
                detailed,
                policy_digest,
                ..
            } => {
                if *detailed == Some(true) {
                    let errand = (study.clone(), *round, DETAILED.to_owned());
                    self.use_permit(record, &errand, Some((policy_digest, None)), audit);
                }
                let errand = (study.clone(), *round, "send metrics".to_owned());
                self.use_permit(record, &errand, Some((policy_digest, None)), audit);
                self.left
                    .insert((study.clone(), *round, *digest), (*bytes, record.time));
            }
            Entry::UpdateApproved {
                study,
                round,
                update_digest,
                bytes,
                clause,
                policy_digest,
                ..
            } => {
                let errand = (study.clone(), Some(*round), "send update".to_owned());
                self.use_permit(record, &errand, Some((policy_digest, Some(clause))), audit);
                self.rounds.insert((study.clone(), *round));
                let thing = (study.clone(), Some(*round), *update_digest);
                self.left.insert(thing, (*bytes, record.time));
            }
            _ => {}
        }
    }

    /// Says what could not be asked again.
    pub(crate) fn finish(self, audit: &mut Audit) {
        if self.unchecked > 0 {
            audit.note(format!(
                "{}: {} decisions rest on counts of patients, on a plan or on a stand of the machine that no ledger holds; that \
                 part of them was not asked again",
                self.site, self.unchecked
            ));
        }
    }

    /// An action must stand on a permit of its own that came before it, under the policy that it names.
    fn use_permit(
        &mut self,
        record: &Record,
        errand: &Errand,
        named: Option<(&Sha256Digest, Option<&String>)>,
        audit: &mut Audit,
    ) {
        let permit = self.permits.remove(errand);
        let place = self.place(record);
        let holds = permit.as_ref().is_some_and(|permit| {
            named.is_none_or(|(policy, clause)| {
                permit.policy_digest == *policy && clause.is_none_or(|clause| permit.clause == *clause)
            })
        });
        audit.expect(holds, Area::Permits, Code::WithoutPermit, &place, || {
            let (study, _, action) = errand;
            let why = if permit.is_some() {
                "the permit before it names another policy or clause"
            } else {
                "no permit for it came before"
            };
            format!("{} of study {study} ({action}): {why}", record.entry.kind())
        });
    }

    fn decision(&mut self, record: &Record, audit: &mut Audit) {
        let Entry::DecisionMade {
            study,
            round,
            action,
            permitted,
            clause,
            policy_digest,
        } = &record.entry
        else {
            return;
        };
        let errand = (study.clone(), *round, action.clone());
        match policy_digest {
            Some(policy_digest) if *permitted => {
                let permit = Permit {
                    policy_digest: *policy_digest,
                    clause: clause.clone(),
                };
                self.permits.insert(errand.clone(), permit);
            }
            _ => drop(self.permits.remove(&errand)),
        }
        let place = self.place(record);
        audit.looked(Area::Decisions);
        let Some(digest) = policy_digest else {
            if *permitted || clause != Clause::Policy.path() {
                let detail = format!("{action} of study {study} was decided by {clause} without a policy");
                audit.find(Area::Decisions, Code::DecisionContradictsPolicy, place, detail);
            }
            return;
        };
        let policy = match self.policies.get(digest) {
            None => {
                let detail = format!("{action} of study {study} was decided under {digest}");
                return audit.find(Area::Decisions, Code::PolicyNeverInstalled, place, detail);
            }
            Some(policy) => policy,
        };
        if !self.is_in_force(digest, record) {
            let detail = format!("{action} of study {study} was decided under {digest}, when another was in force");
            return audit.find(Area::Decisions, Code::PolicyNotInForce, place, detail);
        }
        // A policy that does not verify was told already.
        if let Some(policy) = policy
            && let Err((code, detail)) = self.ask_again(policy, record, &errand, (*permitted, clause))
        {
            audit.find(Area::Decisions, code, place, detail);
        }
    }

    /// The last one that was installed; at a change for a moment the one before or after.
    fn is_in_force(&self, digest: &Sha256Digest, record: &Record) -> bool {
        let (before, after) = self.survey.installed.split_at(self.installed);
        let is_soon = |time: UnixSeconds| (time - record.time).abs() <= CHANGEOVER_SECONDS;
        match before {
            [.., last] if last.digest == *digest => true,
            [.., replaced, last] if replaced.digest == *digest && is_soon(last.time) => true,
            _ => after
                .first()
                .is_some_and(|next: &Installed| next.digest == *digest && is_soon(next.time)),
        }
    }

    fn ask_again(
        &mut self,
        policy: &SignedPolicy,
        record: &Record,
        errand: &Errand,
        (permitted, clause): (bool, &str),
    ) -> Result<(), (Code, String)> {
        let (study, round, action) = errand;
        // Training alone lets nothing out; its plan is nobody else's either.
        let (Some(plan), Some((asked, itself))) = (self.plans.get(study), self.action(record, errand)) else {
            self.unchecked += 1;
            return Ok(());
        };
        let mut request = Request {
            site: self.site,
            plan,
            action: asked,
            dataset: DatasetFacts {
                training_patients: u64::MAX,
                training_images: self.images.get(study).copied().unwrap_or_default(),
                class_cells_min: u64::MAX,
            },
            spent: self.spent(study, *round, itself, record.time),
            // How the kernel held the trainer is no record's; a denial for it is not asked again.
            is_confined: true,
            now: record.time,
        };
        if !permitted && rests_on_no_record(clause) {
            self.unchecked += 1;
            return Ok(());
        }
        let mut first = None;
        for seconds in 0..=RECORD_SECONDS {
            request.now = record.time - seconds;
            let decision = snowball_policy::decide(Ok(policy), &request);
            if decision.is_permitted() == permitted && decision.clause().path() == clause {
                return Ok(());
            }
            first.get_or_insert(decision);
        }
        let said = if permitted { "permitted" } else { "denied" };
        let Some(decision) = first else { return Ok(()) };
        let code = match decision.clause() {
            Clause::ApprovedOn | Clause::ExpiresOn if permitted => Code::PolicyNotInForce,
            _ => Code::DecisionContradictsPolicy,
        };
        let words = match &decision {
            Decision::Permit { .. } => decision.to_string(),
            Decision::Deny { clause, reason, .. } => format!("denied by {clause}: {reason}"),
        };
        Err((
            code,
            format!("{action} of study {study} was recorded as {said} by {clause}; the policy's answer is: {words}"),
        ))
    }

    /// What was asked, and the digest of the thing that it was about.
    fn action(&self, record: &Record, (study, round, action): &Errand) -> Option<(Action, Option<Sha256Digest>)> {
        let place = (study.clone(), *round);
        Some(match action.as_str() {
            "join" => (Action::Join, None),
            "train" => (Action::Train, None),
            "send update" => {
                let thing = about(self.survey.updates.get(&place)?, record.index)?;
                let kind = Sent::Update;
                let bytes = thing.bytes;
                (Action::Send { kind, bytes }, Some(thing.digest))
            }
            // Cells that were hidden afterwards made it smaller, so that a permit stays one. Details go along with the rest.
            "send metrics" | DETAILED => {
                let things = self.survey.metrics.get(&place).map_or(&[][..], Vec::as_slice);
                let thing = about(things, record.index);
                let kind = if action == "send metrics" {
                    Sent::Metrics
                } else {
                    Sent::DetailedMetrics
                };
                let bytes = thing.map_or(0, |thing| thing.bytes);
                (Action::Send { kind, bytes }, thing.map(|thing| thing.digest))
            }
            _ => return None,
        })
    }

    fn spent(
        &self,
        study: &StudyName,
        round: Option<RoundNumber>,
        itself: Option<Sha256Digest>,
        now: UnixSeconds,
    ) -> Spent {
        let is_this = |name: &StudyName, number: RoundNumber| name == study && Some(number) == round;
        let before = || self.rounds.iter().filter(|(name, number)| !is_this(name, *number));
        let count = |rounds: usize| u32::try_from(rounds).unwrap_or(u32::MAX);
        let sum = |counts: &dyn Fn(&StudyName, Option<RoundNumber>, UnixSeconds) -> bool| {
            let others = self.left.iter().filter(|((name, number, digest), (_, time))| {
                let is_itself = name == study && *number == round && Some(*digest) == itself;
                !is_itself && counts(name, *number, *time)
            });
            others.fold(0_u64, |sum, (_, (bytes, _))| sum.saturating_add(*bytes))
        };
        Spent {
            rounds: count(before().filter(|(name, _)| name == study).count()),
            rounds_all_studies: count(before().count()),
            bytes_this_round: sum(&|name, number, _| name == study && number.is_some() && number == round),
            bytes_last_day: sum(&|_, _, time| now.saturating_sub(time) < DAY_SECONDS),
            bytes_this_study: sum(&|name, _, _| name == study),
        }
    }

    fn place(&self, record: &Record) -> String {
        format!("{}, record {}", self.site, record.index)
    }
}

/// What a decision was about: the next thing of this round, else the one before it, which is sent again.
fn about(things: &[Leaving], index: u64) -> Option<Leaving> {
    let next = things.iter().find(|thing| thing.index > index);
    next.or_else(|| things.last()).copied()
}

/// Whether a denial rests on what no ledger holds: counts of patients, how the kernel held the trainer, or the size of
/// measurements before small cells were hidden.
fn rests_on_no_record(clause: &str) -> bool {
    [
        Clause::TrainingPatients,
        Clause::CellMin,
        Clause::Confinement,
        Clause::BytesPerRound,
        Clause::BytesPerDay,
        Clause::BytesPerStudy,
    ]
    .iter()
    .any(|known| known.path() == clause)
}
