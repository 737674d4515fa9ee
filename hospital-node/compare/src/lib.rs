//! Whether one way of learning is better than another with few labels: arms, judged on the same patients, with intervals and in words.
//!
//! Everything here is decided from runs that are done: nothing trains, nothing reads a file. The node's `compare` trains the arms of a
//! [`Comparison`] and hands what they said to [`Replicates`]; [`findings`] puts into words what the data show and what they do not, and
//! [`page()`] makes a page of it.
//!
//! Start at [`Comparison`], then [`Replicates::of`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod document;
pub mod findings;
mod measure;
mod page;
mod replicates;
mod runs;
#[cfg(test)]
mod tests;

pub use document::{Arm, Claim, Comparison, JudgedOn, Pretraining};
pub use measure::Measure;
pub use page::{Told, page};
pub use replicates::{Interval, Reach, Replicates, RunFault};
pub use runs::{Judged, Outputs, Run, Truths};
