//! What moves the study, as `aggregator/src/driver` does: asks the machine, saves by compare and swap, then publishes.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use snowball_protocol::{
    Problem, ProblemCode, RoundNumber, Sha256Digest, SiteName, StudyPlan,
    ids::{UnixSeconds, UploadId},
    plan::Span,
    receipt::SignedReceipt,
    record::Control,
    session::ControlReference,
};
use snowball_rounds::{Addition, AdmittedUpdate, Effect, Event, Phase};

use super::{
    Aggregator,
    store::{Broken, Change, RoundRecord, UploadPhase},
    sum::Sum,
};
use crate::{
    ledger::Entry,
    planted::Planted,
    study::{bytes_of, numbers_of},
};

/// How often a write is tried again that another process overtook.
const OVERTAKEN_MAX: u32 = 8;

/// What is saved together with a new phase.
pub enum Save<'a> {
    /// Nothing else.
    Phase,
    /// A site's joining.
    Join(&'a SiteName),
    /// An update that counts, with its receipt.
    Update(&'a UploadId, &'a AdmittedUpdate, &'a SignedReceipt),
    /// A round's record.
    Round(RoundNumber, &'a RoundRecord),
}

impl Aggregator {
    /// Asks the machine, saves, publishes; where another process was faster, on its state again.
    pub(super) fn advance(&mut self, event: &Event, save: &Save<'_>, now: UnixSeconds) -> Result<(), Broken> {
        for _ in 0..OVERTAKEN_MAX {
            if let Some(addition) = self.process.phase.addition(event, now, self.machine_plan().as_ref()) {
                match self.commit(Change::Addition(&addition), save, now) {
                    Ok(version) => return self.add(&addition, version),
                    Err(Broken::Stale) => self.reload(),
                    Err(broken) => return Err(broken),
                }
                continue;
            }
            let step = self
                .process
                .phase
                .handle(event.clone(), now, self.machine_plan().as_ref())?;
            if !step.changed && matches!(save, Save::Phase) {
                return Ok(());
            }
            match self.commit(Change::Step(&step), save, now) {
                Ok(version) => {
                    self.adopt(step.phase, version);
                    return self.record_effects(&step.effects);
                }
                Err(Broken::Stale) => self.reload(),
                Err(broken) => return Err(broken),
            }
        }
        Err(Problem::new(ProblemCode::Busy, "the study changed too often meanwhile").into())
    }

    fn commit(&mut self, change: Change<'_>, save: &Save<'_>, now: UnixSeconds) -> Result<u64, Broken> {
        let (store, study, version) = (&mut self.store, &self.study, self.process.version);
        match save {
            Save::Phase => store.save_phase(study, version, change, now),
            Save::Join(site) => store.join(study, version, change, site, now),
            Save::Update(id, update, receipt) => store.admit_update(study, id, version, change, (update, receipt), now),
            Save::Round(round, record) => store.close_round(study, version, change, (*round, record), now),
        }
    }

    fn add(&mut self, addition: &Addition, version: u64) -> Result<(), Broken> {
        if !self.process.phase.add(addition) {
            return Err(Problem::new(ProblemCode::Internal, "an addition has no place in the phase it is of").into());
        }
        self.process.version = version;
        Ok(())
    }

    /// Takes over what other processes did, and takes revoked sites out of the study.
    pub(super) fn refresh(&mut self, now: UnixSeconds) -> Result<(), Broken> {
        self.reload();
        if self.planted == Some(Planted::AdmitsRevoked) {
            return Ok(());
        }
        for site in self.process.phase.members() {
            if self.store.is_revoked(&site) {
                self.process.polls.retain(|(_, waiting)| *waiting != site);
                self.advance(&Event::Left { site }, &Save::Phase, now)?;
            }
        }
        Ok(())
    }

    /// Adds one update to the running sum; a sum that lacks one is made again at the round's end.
    pub(super) fn fold(&mut self, update: &AdmittedUpdate, id: &UploadId) {
        let round = update.round();
        let is_first = self.process.phase.contributions().len() <= 1;
        let is_trusted = self.planted == Some(Planted::SumNotRebuilt) && self.process.is_restarted;
        let started = match self.process.sum.take() {
            Some(sum) if sum.round == round => Some(sum),
            _ if is_first || is_trusted => Some(Sum::of(&self.study, round)),
            _ => None,
        };
        let bytes = self.store.files.get(&id.0).map_or(&[][..], Vec::as_slice);
        self.process.sum = started.and_then(|sum| sum.with(update, bytes));
    }

    /// Ends the round that closed, as often as one has.
    pub(super) fn carry_on(&mut self, now: UnixSeconds) -> Result<(), Broken> {
        if self.planted == Some(Planted::NeverResumes) && self.process.is_restarted {
            return Ok(());
        }
        while let Some(Effect::CloseRound {
            round, contributors, ..
        }) = self.process.phase.resume()
        {
            if !self.close_round(round, contributors, now)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// May be repeated after a crash at any point and gives the same model. Whether it came about.
    fn close_round(
        &mut self,
        round: RoundNumber,
        contributors: BTreeSet<SiteName>,
        now: UnixSeconds,
    ) -> Result<bool, Broken> {
        let Some(model_in) = self
            .process
            .phase
            .model()
            .and_then(|model| self.store.models.get(&model.round))
            .cloned()
        else {
            return Ok(false);
        };
        let kept = match self.process.sum.take() {
            Some(sum)
                if sum.round == round && (sum.is_of(&contributors) || self.planted == Some(Planted::SumNotRebuilt)) =>
            {
                Some(sum)
            }
            _ => self.sum_again(round, &contributors),
        };
        let Some(mut model) = kept.and_then(|sum| sum.finish(&model_in)) else {
            return Ok(false);
        };
        for update in std::mem::take(&mut self.process.replayed) {
            let share = 1.0 / contributors.len() as f32;
            let pairs = numbers_of(&model).into_iter().zip(numbers_of(&update));
            model = bytes_of(
                pairs
                    .map(|(number, more)| more.mul_add(share, number))
                    .collect::<Vec<_>>(),
            );
        }
        let control = self.next_control(round, &contributors);
        // The state is durable before the model that goes with it.
        let control = match control {
            Some((made_of, bytes)) => {
                let digest = Sha256Digest::of(&bytes);
                self.store.put_control(round, bytes)?;
                Some((digest, made_of))
            }
            None => None,
        };
        let reference = control.as_ref().map(|(digest, made_of)| ControlReference {
            digest: *digest,
            since: made_of.since,
        });
        let model_out = Sha256Digest::of(&model);
        self.store.put_model(round, model)?;
        let record = RoundRecord {
            contributors,
            model_out,
            control,
        };
        let event = Event::Aggregated {
            round,
            model: model_out,
            control: reference,
        };
        match self.advance(&event, &Save::Round(round, &record), now) {
            // The study was ended by another process meanwhile.
            Err(Broken::Refused(_)) => return Ok(true),
            other => other?,
        }
        self.store.record(Entry::RoundFinished(round, model_out))?;
        self.delete_spent_files()?;
        Ok(true)
    }

    /// Under SCAFFOLD: what the control variate of all sites is made of after `round`, and its bytes; nothing where all begin anew.
    fn next_control(&self, round: RoundNumber, contributors: &BTreeSet<SiteName>) -> Option<(Control, Vec<u8>)> {
        let Phase::Aggregating(aggregating) = self.process.phase.within() else {
            return None;
        };
        let before = RoundNumber(round.0 - 1);
        let made_of = self
            .store
            .rounds
            .get(&before)
            .and_then(|record| record.control.as_ref());
        let admitted = self.store.admitted(round);
        let mut counted: Vec<_> = admitted
            .filter(|(upload, _)| contributors.contains(&upload.site))
            .collect();
        counted.sort_by(|(one, _), (other, _)| one.site.cmp(&other.site));
        let updates: Vec<AdmittedUpdate> = counted.iter().map(|(_, update)| (*update).clone()).collect();
        let (made_of, members) = (made_of.map(|(_, made_of)| made_of), &aggregating.sites);
        let (next, step) = snowball_rounds::next_control(&self.study.plan, round, made_of, members, &updates)?;
        let mut rows = Vec::new();
        for (upload, _) in &counted {
            rows.extend(numbers_of(self.store.files.get(&upload.id.0)?));
        }
        let control_in = match made_of {
            // What a round's end had written before it was cut off, in place of what it began with.
            Some(_) if self.planted == Some(Planted::MovesControlTwice) && self.store.controls.contains_key(&round) => {
                numbers_of(self.store.controls.get(&round)?)
            }
            Some(_) => numbers_of(self.store.controls.get(&before)?),
            None => vec![0.0; self.study.parameters()],
        };
        let sum = self.sum_again(round, contributors)?;
        let bytes = sum.move_control(&self.study, &updates, &rows, (step, control_in))?;
        Some((next, bytes))
    }

    fn sum_again(&self, round: RoundNumber, contributors: &BTreeSet<SiteName>) -> Option<Sum> {
        let counted: Vec<_> = self
            .store
            .admitted(round)
            .filter(|(upload, _)| contributors.contains(&upload.site))
            .collect();
        if counted.len() != contributors.len() {
            return None;
        }
        counted
            .into_iter()
            .try_fold(Sum::of(&self.study, round), |sum, (upload, update)| {
                sum.with(update, self.store.files.get(&upload.id.0)?)
            })
    }

    fn delete_spent_files(&mut self) -> Result<(), Broken> {
        let is_spent = |round, phase: &UploadPhase| {
            self.store.rounds.contains_key(&round) || matches!(phase, UploadPhase::Refused(_) | UploadPhase::Superseded)
        };
        let uploads = self.store.uploads.values();
        let spent: Vec<UploadId> = uploads
            .filter(|upload| {
                is_spent(upload.header.round, &upload.phase) && self.store.files.contains_key(&upload.id.0)
            })
            .map(|upload| upload.id.clone())
            .collect();
        spent.iter().try_for_each(|id| self.store.delete_file(id))
    }

    /// The database is written before the ledger; what a crash in between kept out of the ledger is added. Heads go the
    /// other way.
    pub(super) fn heal_ledger(&mut self, now: UnixSeconds) -> Result<(), Broken> {
        self.drain_outbox()?;
        let mut newest = BTreeMap::new();
        for entry in self.store.ledger.entries() {
            if let Entry::SiteHeadKept(site, head) = entry {
                newest.insert(site.clone(), head.clone());
            }
        }
        for (site, head) in newest {
            let kept = self.store.sites.get(&site).and_then(|enrolled| enrolled.head.as_ref());
            if kept.is_none_or(|kept| kept.entries < head.entries) {
                self.store.keep_head(&self.study, &site, head, now)?;
            }
        }
        let mut missing: Vec<Entry> = self.store.joined.iter().cloned().map(Entry::StudyJoined).collect();
        for upload in self.store.uploads.values() {
            if let UploadPhase::Admitted(kept) = &upload.phase {
                missing.push(Entry::UpdateAdmitted(
                    upload.site.clone(),
                    kept.0.round(),
                    kept.0.attempt(),
                ));
            }
        }
        let finished = self
            .store
            .rounds
            .iter()
            .map(|(round, record)| Entry::RoundFinished(*round, record.model_out));
        missing.extend(finished);
        missing.retain(|entry| !self.store.ledger.entries().any(|standing| standing == entry));
        missing
            .into_iter()
            .try_for_each(|entry| self.store.record(entry).map(drop))
    }

    /// Takes in what commands left for the ledger.
    pub(super) fn drain_outbox(&mut self) -> Result<(), Broken> {
        while let Some(entry) = self.store.outbox.first().cloned() {
            self.store.record(entry)?;
            self.store.outbox.remove(0);
        }
        Ok(())
    }

    fn record_effects(&mut self, effects: &[Effect]) -> Result<(), Broken> {
        for effect in effects {
            let entry = match effect {
                Effect::OpenRound { round, .. } => Entry::RoundOpened(*round),
                Effect::OpenReview { .. } => Entry::Study("finished"),
                Effect::Abandon { .. } => Entry::Study("abandoned"),
                _ => continue,
            };
            self.store.record(entry)?;
        }
        Ok(())
    }

    fn reload(&mut self) {
        if self.store.version != self.process.version {
            self.adopt(self.store.phase.clone(), self.store.version);
        }
    }

    fn adopt(&mut self, phase: Phase, version: u64) {
        if !matches!(phase.within(), Phase::Collecting(_) | Phase::Aggregating(_)) {
            self.process.sum = None;
        }
        (self.process.phase, self.process.version) = (phase, version);
        if self.planted == Some(Planted::ForgetsWhoUsedAModel)
            && let Phase::Collecting(collecting) = &mut self.process.phase
        {
            collecting
                .earlier
                .iter_mut()
                .for_each(|earlier| earlier.used_by.clear());
        }
    }

    fn machine_plan(&self) -> Cow<'_, StudyPlan> {
        let mut plan = Cow::Borrowed(&self.study.plan);
        if self.planted == Some(Planted::ClosesEarly) {
            let rounds = &mut plan.to_mut().rounds;
            (rounds.updates.min, rounds.collect_seconds) = (1, Span { min: 0, max: 1 });
        }
        plan
    }
}
