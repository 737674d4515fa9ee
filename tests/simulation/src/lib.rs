//! The whole federation from a seed: nodes, aggregator, network and clock in one process, with everything that goes wrong in
//! hospitals, and invariants that are looked at after every step.
//!
//! Decided by the real code: the round machine, the intake's rules and inspection, the strategy (`snowball-rounds`), what a
//! node does next (`snowball-participation`), every document of the protocol, how heads of ledgers stand to each other.
//! Modelled after the real code, one file each: the registry's transactions ([`aggregator::store`]), the aggregator's driver,
//! intake and routes, the node's driver, outbox and sending. Left out: TLS, signatures, policies, training.
//!
//! Site i contributes the unit vector i with weight 1: in what a round adds to the model a 2 is a double count, a 0 a lost
//! update. The power of each machine may go before any durable write; requests and answers are lost, late, repeated and out of
//! order; lines are cut, clocks set, disks full; the coordinator revokes and aborts, also between what the aggregator has read
//! and what it writes. Then all of that stops, and the study must come to its end.
//!
//! ```text
//! cargo run --bin snowball-simulation -- --seeds 10000        # until one fails, or none
//! cargo run --bin snowball-simulation -- --seed 42 --trace    # one seed again, step by step
//! ```
//!
//! It must never read a clock, a file or any chance but its seed: a seed that fails, fails again. Start at [`run`], then
//! [`invariants`] (what must hold), [`world`] (what happens), [`planted`] (faults that show that it finds faults).
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod aggregator;
pub mod chance;
pub mod controls;
pub mod coordinator;
pub mod fact;
pub mod invariants;
pub mod ledger;
pub mod message;
pub mod node;
pub mod planted;
pub mod power;
pub mod study;
pub mod trace;
pub mod world;

use anyhow::Result;

use crate::{
    invariants::Violation,
    planted::Planted,
    trace::Trace,
    world::{Ending, World},
};

/// What came of one seed.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct Outcome {
    /// Which seed.
    pub seed: u64,
    /// How the study ended, unless an invariant did not hold.
    pub ending: Option<Ending>,
    /// The invariant that did not hold.
    pub violation: Option<Violation>,
    /// Steps that were made, each followed by a look at every invariant.
    pub steps: u64,
    /// Updates that counted although they were late for their own round.
    pub late: u64,
    /// Virtual seconds that passed.
    pub seconds: i64,
    /// What happened, line by line, where it was kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<String>,
}

/// Runs one seed to its end.
///
/// # Errors
/// When the plan of the simulation itself breaks a rule.
pub fn run(seed: u64, planted: Option<Planted>, trace: Trace) -> Result<Outcome> {
    let mut world = World::of(seed, planted, trace)?;
    let outcome = world.run();
    Ok(Outcome {
        seed,
        ending: outcome.as_ref().ok().copied(),
        violation: outcome.err(),
        steps: world.steps,
        late: world.late(),
        seconds: world.seconds(),
        trace: world.trace.lines().to_vec(),
    })
}
