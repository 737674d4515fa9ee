//! Whether one way of learning is better than another with few labels: arms, judged on the same patients, with intervals and in words.
//!
//! Everything here is decided from runs that are done: nothing trains, nothing reads a file. The node's `compare` trains the arms and
//! hands what they said to [`Replicates`]; [`findings`] puts into words what the data show and what they do not.
//!
//! Start at [`Replicates::of`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod measure;
mod replicates;
mod runs;
#[cfg(test)]
mod tests;

pub use measure::Measure;
pub use replicates::{Interval, Reach, Replicates, RunFault};
pub use runs::{Judged, Outputs, Run, Truths};
