//! The wire language of a Snowball consortium: what a hospital's node and the aggregator say to each other.
//!
//! Everything here is data. This crate never opens a file, a socket or a clock, and links nothing but serde and its
//! schema generator, so that both sides, the tools and the tests can depend on it without cost.
//!
//! Start at [`plan::StudyPlan`] (what a study is), then [`session`] (how a node comes to hold a task) and
//! [`update`] (what it sends back). [`limits`] bounds every field that comes from outside.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod authorities;
pub mod digest;
pub mod enrolment;
pub mod evaluation;
pub mod gain;
pub mod heads;
pub mod ids;
pub mod intake;
pub mod labels;
pub mod limits;
pub mod outcome;
pub mod plan;
pub mod problem;
pub mod receipt;
pub mod record;
pub mod request;
pub mod session;
pub mod site_label;
pub mod small;
pub mod update;

pub use digest::Sha256Digest;
pub use ids::{Attempt, RoundNumber, SiteName, StudyName};
pub use plan::StudyPlan;
pub use problem::{Problem, ProblemCode};
pub use request::RequestId;

/// The protocol version that this build speaks.
pub const PROTOCOL_VERSION: u16 = 2;
/// The oldest protocol version that this build still understands.
pub const PROTOCOL_VERSION_MIN: u16 = 1;
