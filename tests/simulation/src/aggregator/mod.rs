//! The aggregator: its process, which dies at any moment, around its store, which does not.
//!
//! It does what `aggregator/src/driver`, `intake` and `api` do, in their order of reading and writing, around the very same
//! machine, intake rules and strategy.

mod api;
mod driver;
mod intake;
pub mod store;
mod sum;

use std::collections::HashMap;

use snowball_protocol::{
    SiteName,
    ids::{UnixSeconds, UploadId},
};
use snowball_rounds::{Inspection, Phase};

use self::{
    store::{Broken, Store},
    sum::Sum,
};
use crate::{
    message::{Answer, Request},
    planted::Planted,
    study::Study,
};

/// One request, by the number that its answer bears.
pub type RequestNumber = u64;

/// The aggregator's machine.
pub struct Aggregator {
    /// What outlives a crash.
    pub store: Store,
    /// Whether its process runs.
    pub is_up: bool,
    /// How far its clock is from the true time, in seconds.
    pub clock_offset_seconds: i64,
    study: Study,
    planted: Option<Planted>,
    process: Process,
    answers: Vec<(RequestNumber, Answer)>,
}

/// What the process holds in memory.
struct Process {
    phase: Phase,
    version: u64,
    sum: Option<Sum>,
    /// Inspections of uploads whose bytes all went by here, with how many those were.
    inspections: HashMap<UploadId, (Inspection, u64)>,
    /// Requests for a task that wait for something to do.
    polls: Vec<(RequestNumber, SiteName)>,
    /// Bytes of updates that were added once more; only a planted fault fills it.
    replayed: Vec<Vec<u8>>,
    /// Whether it began after a crash.
    is_restarted: bool,
}

impl Process {
    fn of(phase: Phase, version: u64, is_restarted: bool) -> Self {
        Self {
            phase,
            version,
            sum: None,
            inspections: HashMap::new(),
            polls: Vec::new(),
            replayed: Vec::new(),
            is_restarted,
        }
    }
}

impl Aggregator {
    /// An aggregator that does not run yet.
    #[must_use]
    pub fn of(study: &Study, planted: Option<Planted>) -> Self {
        Self {
            store: Store::of(study, planted),
            is_up: false,
            clock_offset_seconds: 0,
            study: study.clone(),
            planted,
            process: Process::of(Phase::draft(), 0, false),
            answers: Vec::new(),
        }
    }

    /// Starts the process: heals the ledger, takes the study up where the store says, takes revoked sites out.
    pub fn start(&mut self, now: UnixSeconds) {
        self.store.power.returns();
        self.is_up = true;
        let is_restarted = self.process.version > 0;
        self.process = Process::of(self.store.phase.clone(), self.store.version, is_restarted);
        let outcome = self.heal_ledger(now).and_then(|()| self.refresh(now));
        self.settle(outcome, now);
    }

    /// The process dies, with everything that it holds in memory.
    pub fn crash(&mut self) {
        self.is_up = false;
        self.process.polls.clear();
        self.process.sum = None;
        self.process.inspections.clear();
        self.store.outlive_crash();
    }

    /// Takes in a request of `site`.
    pub fn request(&mut self, number: RequestNumber, site: &SiteName, request: &Request, now: UnixSeconds) {
        match self.answer(number, site, request, now) {
            Ok(Some(answer)) => self.answers.push((number, answer)),
            Ok(None) => {}
            Err(Broken::Refused(problem)) => self.answers.push((number, Answer::Refused(problem))),
            Err(broken) => return self.settle(Err(broken), now),
        }
        self.settle(Ok(()), now);
    }

    /// The wait of a request for a task is over.
    pub fn poll_is_over(&mut self, number: RequestNumber) {
        let over = |(of, _): &mut (RequestNumber, SiteName)| *of == number;
        for (number, site) in self.process.polls.extract_if(.., over).collect::<Vec<_>>() {
            let answer = Answer::Task(self.task(&site).0);
            self.answers.push((number, answer));
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: UnixSeconds) {
        let outcome = self.advance(&snowball_rounds::Event::Tick, &driver::Save::Phase, now);
        self.settle(outcome, now);
    }

    /// Looks at what other processes did.
    pub fn notice(&mut self, now: UnixSeconds) {
        let outcome = self.drain_outbox().and_then(|()| self.refresh(now));
        self.settle(outcome, now);
    }

    /// When time alone may move the study, by its clock.
    #[must_use]
    pub fn next_wake(&self) -> Option<UnixSeconds> {
        self.process.phase.next_wake(&self.study.plan)
    }

    /// The answers that are ready.
    pub fn take_answers(&mut self) -> Vec<(RequestNumber, Answer)> {
        std::mem::take(&mut self.answers)
    }

    /// After everything: ends the round that closed, answers who waits; or dies.
    fn settle(&mut self, outcome: Result<(), Broken>, now: UnixSeconds) {
        let outcome = outcome.and_then(|()| self.carry_on(now));
        if outcome == Err(Broken::Crash) {
            return self.crash();
        }
        let polls = std::mem::take(&mut self.process.polls);
        for (number, site) in polls {
            match self.task(&site) {
                (task, true) => self.answers.push((number, Answer::Task(task))),
                _ => self.process.polls.push((number, site)),
            }
        }
    }
}
