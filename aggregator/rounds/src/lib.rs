//! The rounds of a study, decided without a clock, a file, a socket, a runtime or chance.
//!
//! Everything here is a function of its arguments: the same events at the same times give the same phases, the same
//! updates in any order give the same model, bit for bit. Who calls it keeps the state durable, tells the time and
//! carries out the effects. No decision about a round may be taken anywhere else.
//!
//! Start at [`Phase`] (where a study stands and what moves it), then [`intake`] (what an update must pass before it
//! counts) and [`strategy::RoundEnd`] (how updates become a model).

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod intake;
pub mod machine;
pub mod strategy;
#[cfg(test)]
mod testing;

pub use intake::{AdmittedUpdate, Facts, Inspected, Inspection, admit, announce, check_evaluation};
pub use machine::{
    Abandoned, Addition, Aggregating, Collecting, Draft, Duty, Earlier, Effect, Event, Model, Paused, Phase,
    Recruiting, Released, Reviewing, Step, Weight,
};
pub use strategy::{
    ControlStep, Fold, Gram, Looked, RoundEnd, RunningMean, StrategyFault, initial_state, needs_distances, next_control,
};
