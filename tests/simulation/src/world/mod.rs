//! The whole federation on one virtual clock: what happens next, until the study is over.

mod operations;
mod traffic;
mod weather;

use std::collections::{BTreeMap, VecDeque};

use anyhow::Result;
use snowball_protocol::ids::{RoundNumber, UnixSeconds};
use snowball_rounds::Phase;

pub use self::weather::{Operation, Weather};
use crate::{
    aggregator::{Aggregator, RequestNumber},
    chance::Chance,
    coordinator::Command,
    invariants::{self, Memory, THE_STUDY_MOVES, Violation},
    message::{Answer, Request},
    node::{Doing, Millis, Node},
    planted::Planted,
    study::Study,
    trace::Trace,
};

/// When every run begins: 2026-01-01T00:00:00Z.
const BEGIN: UnixSeconds = 1_767_225_600;
/// A run with more steps than this does not end by itself.
const STEPS_MAX: u64 = 200_000;
/// How long nodes may take to learn that the study is over, in milliseconds.
const PARTING_MAX: Millis = 2_000_000;

/// What happens at a moment.
#[derive(Debug)]
enum Event {
    /// A request comes to the aggregator.
    Arrives(usize, RequestNumber, Request),
    /// An answer, or a broken line, comes to a node.
    Returns(usize, RequestNumber, Option<Answer>),
    /// A node has waited long enough.
    Timer(usize, RequestNumber),
    /// A node's program starts.
    NodeStarts(usize),
    /// The wait of a request for a task is over.
    PollIsOver(RequestNumber),
    /// Time may move the study.
    Wake,
    /// The aggregator looks at what commands did.
    Notice,
    /// The aggregator's program starts.
    AggregatorStarts,
    /// The coordinator gives a command.
    Command(Command),
    /// Something goes wrong.
    Operation,
    /// Nothing goes wrong any more.
    Clears,
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// With a release.
    Released,
    /// Without one.
    Abandoned,
    /// With an open round that lacks sites.
    LacksSites,
}

/// The federation.
pub struct World {
    now: Millis,
    chance: Chance,
    study: Study,
    aggregator: Aggregator,
    nodes: Vec<Node>,
    /// What each node waits for: the number of its request or timer.
    waits: Vec<RequestNumber>,
    weather: Weather,
    is_clear: bool,
    queue: BTreeMap<(Millis, u64), Event>,
    number: u64,
    askers: BTreeMap<RequestNumber, usize>,
    recent: VecDeque<(usize, RequestNumber, Request)>,
    wake_at: Option<Millis>,
    releases: bool,
    over_since: Option<Millis>,
    memory: Memory,
    /// What happened, for people.
    pub trace: Trace,
    /// How many steps were made.
    pub steps: u64,
}

impl World {
    /// The federation that `seed` gives.
    ///
    /// # Errors
    /// When the plan of the simulation breaks a rule.
    pub fn of(seed: u64, planted: Option<Planted>, trace: Trace) -> Result<Self> {
        let mut chance = Chance::of(seed);
        let study = Study::drawn(&mut chance)?;
        let weather = Weather::drawn(&mut chance, study.sites.len());
        let nodes: Vec<Node> = study
            .sites
            .iter()
            .enumerate()
            .map(|(place, site)| Node::of(&study, place, site.clone(), planted))
            .collect();
        let mut world = Self {
            now: 0,
            aggregator: Aggregator::of(&study, planted),
            waits: vec![0; nodes.len()],
            nodes,
            is_clear: false,
            queue: BTreeMap::new(),
            number: 0,
            askers: BTreeMap::new(),
            recent: VecDeque::new(),
            wake_at: None,
            releases: false,
            over_since: None,
            memory: Memory::default(),
            trace,
            steps: 0,
            chance,
            study,
            weather,
        };
        world.begin();
        Ok(world)
    }

    /// Runs to the end, and looks at every invariant after every step.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn run(&mut self) -> Result<Ending, Violation> {
        loop {
            if let Some(ending) = self.ending()? {
                invariants::check_ledgers_whole(&self.aggregator.store, &self.nodes)?;
                return Ok(ending);
            }
            let Some(((at, _), event)) = self.queue.pop_first() else {
                return Err(self.stuck("nothing will ever happen"));
            };
            self.now = self.now.max(at);
            self.steps += 1;
            self.step(event);
            invariants::check(&self.study, &self.aggregator.store, &self.nodes, &mut self.memory)?;
        }
    }

    /// The virtual time that has passed, in seconds.
    #[must_use]
    pub const fn seconds(&self) -> i64 {
        self.now / 1_000
    }

    /// Updates that counted although they were late for their own round.
    #[must_use]
    pub fn late(&self) -> u64 {
        let rounds = 1..=self.study.plan.rounds.count;
        let admitted = rounds.flat_map(|round| self.aggregator.store.admitted(RoundNumber(round)));
        admitted.filter(|(_, update)| update.behind() > 0).count() as u64
    }

    fn begin(&mut self) {
        let rounds = self.study.plan.rounds.clone();
        let (sites, weather) = (self.study.sites.len(), &self.weather);
        self.trace.say(0, || format!("{sites} sites, {rounds:?}; {weather:?}"));
        self.after(0, Event::AggregatorStarts);
        self.after(1_000, Event::Command(Command::Start));
        for node in 0..self.nodes.len() {
            let delay = self.chance.between(0, 30_000);
            self.nodes[node].training = self.chance.between(500, 40_000);
            self.after(delay, Event::NodeStarts(node));
        }
        self.after(2_000, Event::Operation);
        self.after(self.weather.ends, Event::Clears);
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Arrives(node, number, request) => self.arrives(node, number, &request),
            Event::Returns(node, number, answer) => self.returns(node, number, answer),
            Event::Timer(node, number) if self.waits[node] == number => {
                let clock = self.clock(self.nodes[node].clock_offset_seconds);
                let next = self.nodes[node].wake(clock);
                self.goes_on(node, next);
            }
            Event::Timer(..) => {}
            Event::NodeStarts(node) => self.node_starts(node),
            Event::PollIsOver(number) if self.aggregator.is_up => {
                self.aggregator.poll_is_over(number);
                self.aggregator_went_on();
            }
            Event::PollIsOver(_) => {}
            Event::Wake if self.aggregator.is_up && self.wake_at == Some(self.now) => {
                self.wake_at = None;
                let clock = self.aggregators_clock();
                self.aggregator.tick(clock);
                self.aggregator_went_on();
            }
            Event::Wake => {}
            Event::Notice if self.aggregator.is_up => {
                let clock = self.aggregators_clock();
                self.aggregator.notice(clock);
                self.aggregator_went_on();
            }
            Event::Notice => {}
            Event::AggregatorStarts => self.aggregator_starts(),
            Event::Command(command) => self.commands(&command),
            Event::Operation => self.operates(),
            Event::Clears => self.clears(),
        }
    }

    /// How it ended, if it has.
    fn ending(&mut self) -> Result<Option<Ending>, Violation> {
        let ending = match &self.aggregator.store.phase {
            Phase::Released(_) => Some(Ending::Released),
            Phase::Abandoned(_) => Some(Ending::Abandoned),
            Phase::Reviewing(review) if review.is_ready() && !self.releases => {
                self.releases = true;
                self.after(2_000, Event::Command(Command::Release));
                None
            }
            _ => None,
        };
        if let Some(ending) = ending {
            let since = *self.over_since.get_or_insert(self.now);
            if self.is_clear && self.nodes.iter().all(has_parted) {
                return Ok(Some(ending));
            }
            if self.now > since.max(self.weather.ends) + PARTING_MAX {
                return Err(self.stuck("a node does not learn that the study is over"));
            }
            return Ok(None);
        }
        if self.steps > STEPS_MAX {
            return Err(self.stuck("it goes on and on"));
        }
        if self.now > self.weather.ends + self.study.seconds_max() * 1_000 {
            if self.lacks_sites() {
                return Ok(Some(Ending::LacksSites));
            }
            return Err(self.stuck("its time is over"));
        }
        Ok(None)
    }

    /// Whether the sites that are left cannot give a round its least number of updates.
    fn lacks_sites(&self) -> bool {
        let (store, phase) = (&self.aggregator.store, &self.aggregator.store.phase);
        let can_contribute = |site| !store.is_revoked(site) || phase.has_contributed(site);
        let sites = self.study.sites.iter().filter(|site| can_contribute(site)).count();
        matches!(phase.within(), Phase::Collecting(_)) && sites < self.study.plan.rounds.updates.min as usize
    }

    fn stuck(&self, why: &str) -> Violation {
        let phase = &self.aggregator.store.phase;
        let doing: Vec<_> = self
            .nodes
            .iter()
            .map(|node| format!("{} {:?}", node.site, node.doing))
            .collect();
        let reason = format!(
            "{why}, {} s after everything went well again: {:?}, round {}; {}",
            (self.now - self.weather.ends) / 1_000,
            phase.name(),
            phase.round(),
            doing.join("; ")
        );
        Violation {
            invariant: THE_STUDY_MOVES,
            reason,
        }
    }

    fn after(&mut self, delay: Millis, event: Event) {
        self.number += 1;
        self.queue.insert((self.now + delay.max(0), self.number), event);
    }

    const fn clock(&self, offset_seconds: i64) -> UnixSeconds {
        BEGIN + self.now / 1_000 + offset_seconds
    }

    const fn aggregators_clock(&self) -> UnixSeconds {
        self.clock(self.aggregator.clock_offset_seconds)
    }
}

/// Whether a node has nothing more to do in a study that is over.
const fn has_parted(node: &Node) -> bool {
    matches!(node.doing, Doing::Left | Doing::Off | Doing::Listing)
}
