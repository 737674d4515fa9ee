//! What the aggregator keeps: a model of its registry, one method a transaction, and of its files.
//!
//! Each method is atomic, as the transaction that it models; the power may go before each. Before each, another process (the
//! coordinator's command line) may have been faster.

mod rows;
mod uploads;

use std::collections::{BTreeMap, BTreeSet};

use snowball_ledger::Head;
use snowball_protocol::{
    Attempt, Problem, ProblemCode, RoundNumber, SiteName,
    ids::{UnixSeconds, UploadId},
};
use snowball_rounds::{Addition, AdmittedUpdate, Phase, Step};

pub use self::rows::{Broken, Enrolled, RoundRecord, Upload, UploadPhase};
use crate::{
    coordinator::Command,
    fact::Fact,
    ledger::{Entry, Ledger},
    planted::Planted,
    power::Power,
    study::Study,
};

/// What happened to the phase.
#[derive(Clone, Copy)]
pub enum Change<'a> {
    /// It is another one, or the same.
    Step(&'a Step),
    /// A site added something to it.
    Addition(&'a Addition),
}

/// Database, files and ledger of the aggregator.
pub struct Store {
    /// Where the study stands.
    pub phase: Phase,
    /// Grows with each change of it.
    pub version: u64,
    /// The sites.
    pub sites: BTreeMap<SiteName, Enrolled>,
    /// Who has ever joined.
    pub joined: BTreeSet<SiteName>,
    /// Updates by round, site and try.
    pub uploads: BTreeMap<(RoundNumber, SiteName, Attempt), Upload>,
    /// The record of each round that ended.
    pub rounds: BTreeMap<RoundNumber, RoundRecord>,
    /// Bytes of updates, by upload.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Bytes of models.
    pub models: BTreeMap<RoundNumber, Vec<u8>>,
    /// Bytes of the control variate of all sites after each round that left one.
    pub controls: BTreeMap<RoundNumber, Vec<u8>>,
    /// The ledger.
    pub ledger: Ledger,
    /// Entries that commands left for the ledger's writer.
    pub outbox: Vec<Entry>,
    /// Power of the machine.
    pub power: Power,
    /// A command that will be faster than a write that is soon to come, and how many are faster than it.
    pub interloper: Option<(u32, Command)>,
    /// Everything that happened, for the invariants; the aggregator never reads it.
    pub facts: Vec<Fact>,
    /// How often it was written.
    pub writes: u64,
    planted: Option<Planted>,
    /// Phase and update before the newest admission, for the fault that forgets it.
    forgotten: Option<Box<(Phase, u64, Upload)>>,
}

impl Store {
    /// The store of a study that waits for its coordinator.
    #[must_use]
    pub fn of(study: &Study, planted: Option<Planted>) -> Self {
        Self {
            phase: Phase::draft(),
            version: 1,
            sites: study
                .sites
                .iter()
                .map(|site| (site.clone(), Enrolled::default()))
                .collect(),
            joined: BTreeSet::new(),
            uploads: BTreeMap::new(),
            rounds: BTreeMap::new(),
            files: BTreeMap::new(),
            models: BTreeMap::new(),
            controls: BTreeMap::new(),
            ledger: Ledger::of(snowball_ledger::AGGREGATOR),
            outbox: Vec::new(),
            power: Power::default(),
            interloper: None,
            facts: Vec::new(),
            writes: 0,
            planted,
            forgotten: None,
        }
    }

    /// Whether `site` is shut out.
    #[must_use]
    pub fn is_revoked(&self, site: &SiteName) -> bool {
        self.sites.get(site).is_none_or(|site| site.is_revoked)
    }

    /// Keeps the phase that `step` led to.
    ///
    /// # Errors
    /// When the study is no longer at `version`, or the power goes.
    pub fn save_phase(
        &mut self,
        study: &Study,
        version: u64,
        change: Change<'_>,
        now: UnixSeconds,
    ) -> Result<u64, Broken> {
        self.begin(study, now)?;
        self.expect_version(version)?;
        Ok(self.advance(change, now))
    }

    /// Keeps a site's joining together with the phase.
    ///
    /// # Errors
    /// As [`save_phase`](Self::save_phase), and when the site is revoked.
    pub fn join(
        &mut self,
        study: &Study,
        version: u64,
        change: Change<'_>,
        site: &SiteName,
        now: UnixSeconds,
    ) -> Result<u64, Broken> {
        self.begin(study, now)?;
        self.expect_good_standing(site)?;
        self.expect_version(version)?;
        self.joined.insert(site.clone());
        Ok(self.advance(change, now))
    }

    /// Makes a model's file durable; the same again is fine.
    ///
    /// # Errors
    /// When the power goes.
    pub fn put_model(&mut self, round: RoundNumber, bytes: Vec<u8>) -> Result<(), Broken> {
        self.power.write()?;
        self.models.insert(round, bytes);
        Ok(())
    }

    /// The same for a control variate.
    ///
    /// # Errors
    /// When the power goes.
    pub fn put_control(&mut self, round: RoundNumber, bytes: Vec<u8>) -> Result<(), Broken> {
        self.power.write()?;
        self.controls.insert(round, bytes);
        Ok(())
    }

    /// Keeps what came of a round, together with the phase.
    ///
    /// # Errors
    /// As [`save_phase`](Self::save_phase).
    pub fn close_round(
        &mut self,
        study: &Study,
        version: u64,
        change: Change<'_>,
        (round, record): (RoundNumber, &RoundRecord),
        now: UnixSeconds,
    ) -> Result<u64, Broken> {
        self.begin(study, now)?;
        self.expect_version(version)?;
        self.rounds.insert(round, record.clone());
        self.facts.push(Fact::ModelMade { round });
        Ok(self.advance(change, now))
    }

    /// Deletes the file of an upload that nobody needs any more.
    ///
    /// # Errors
    /// When the power goes.
    pub fn delete_file(&mut self, id: &UploadId) -> Result<(), Broken> {
        self.power.write()?;
        self.files.remove(&id.0);
        Ok(())
    }

    /// Keeps the newest head of a site's ledger; a refusal since is forgotten.
    ///
    /// # Errors
    /// When the power goes.
    pub fn keep_head(&mut self, study: &Study, site: &SiteName, head: Head, now: UnixSeconds) -> Result<(), Broken> {
        self.begin(study, now)?;
        if let Some(enrolled) = self.sites.get_mut(site) {
            (enrolled.head, enrolled.head_refused) = (Some(head), None);
        }
        Ok(())
    }

    /// Notes that a head was refused.
    ///
    /// # Errors
    /// When the power goes.
    pub fn refuse_head(&mut self, study: &Study, site: &SiteName, head: &Head, now: UnixSeconds) -> Result<(), Broken> {
        self.begin(study, now)?;
        if let Some(enrolled) = self.sites.get_mut(site) {
            enrolled.head_refused = Some(head.hash);
        }
        Ok(())
    }

    /// Appends to the ledger.
    ///
    /// # Errors
    /// When the power goes.
    pub fn record(&mut self, entry: Entry) -> Result<Head, Broken> {
        self.power.write()?;
        self.writes += 1;
        Ok(self.ledger.append(entry))
    }

    /// The upload `id`, if there is one.
    #[must_use]
    pub fn upload(&self, id: &UploadId) -> Option<&Upload> {
        self.uploads.values().find(|upload| upload.id == *id)
    }

    /// The updates that count in a round, by site.
    pub fn admitted(&self, round: RoundNumber) -> impl Iterator<Item = (&Upload, &AdmittedUpdate)> {
        self.uploads.values().filter_map(move |upload| match &upload.phase {
            UploadPhase::Admitted(kept) if upload.header.round == round => Some((upload, &kept.0)),
            _ => None,
        })
    }

    /// What the machine's death does to what was written: nothing, unless a fault is planted.
    pub fn outlive_crash(&mut self) {
        match (self.planted, self.forgotten.take()) {
            (Some(Planted::ForgetsAdmitted), Some(before)) => {
                let (phase, version, upload) = *before;
                let key = (upload.header.round, upload.site.clone(), upload.header.attempt);
                (self.phase, self.version) = (phase, version);
                self.uploads.insert(key, upload);
                self.writes += 1;
            }
            (Some(Planted::CutsLedger), _) => {
                self.ledger.cut(2);
                self.writes += 1;
            }
            _ => {}
        }
    }

    fn begin(&mut self, study: &Study, now: UnixSeconds) -> Result<(), Broken> {
        match self.interloper.take() {
            Some((0, command)) => command.perform(self, study, now),
            Some((writes, command)) => self.interloper = Some((writes - 1, command)),
            None => {}
        }
        self.power.write()?;
        self.writes += 1;
        Ok(())
    }

    fn expect_version(&self, version: u64) -> Result<(), Broken> {
        if self.version == version {
            Ok(())
        } else {
            Err(Broken::Stale)
        }
    }

    fn expect_good_standing(&self, site: &SiteName) -> Result<(), Broken> {
        if self.is_revoked(site) && self.planted != Some(Planted::AdmitsRevoked) {
            return Err(Problem::new(ProblemCode::CertificateRevoked, format!("{site} is revoked")).into());
        }
        Ok(())
    }

    /// Within a transaction: the phase, and what a round's end does to uploads that are not whole.
    fn advance(&mut self, change: Change<'_>, now: UnixSeconds) -> u64 {
        self.forgotten = None;
        let step = match change {
            Change::Step(step) if !step.changed => return self.version,
            Change::Step(step) => step,
            Change::Addition(addition) => {
                // The version is that of the phase for which it was found.
                assert!(self.phase.add(addition), "an addition without a place: {addition:?}");
                self.version += 1;
                return self.version;
            }
        };
        if let (Phase::Collecting(_), Phase::Aggregating(closed)) = (self.phase.within(), step.phase.within()) {
            let problem = Problem::new(
                ProblemCode::RoundClosed,
                "the round closed before this update was whole",
            );
            for upload in self.uploads.values_mut() {
                if upload.header.round == closed.round && upload.phase == UploadPhase::Uploading {
                    upload.phase = UploadPhase::Refused(problem.clone());
                }
            }
        }
        if self.phase.name() != step.phase.name() {
            self.facts.push(Fact::Moved {
                before: Box::new(self.phase.clone()),
                after: Box::new(step.phase.clone()),
                now,
            });
        }
        self.phase = step.phase.clone();
        self.version += 1;
        self.version
    }

    /// What a command of the coordinator does to the phase.
    pub(crate) fn advance_by_command(&mut self, step: &Step, now: UnixSeconds) {
        self.advance(Change::Step(step), now);
        self.writes += 1;
    }
}
