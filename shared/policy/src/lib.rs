//! A site's policy: what its ethics board permits, as a signed TOML file, and the one function that applies it.
//!
//! Everything here is pure and total. The crate opens no file, asks no clock and never panics, whatever bytes it is
//! given; the caller reads the file and passes the time. Whatever is not permitted in so many words is denied: a
//! missing, empty, unsigned, altered, malformed or expired policy permits nothing.
//!
//! It must never permit by default, never read a policy before its signature was checked (except for [`parse`], which
//! tools use to look at drafts and which [`decide()`] does not accept), and never hold a patient value.
//!
//! Start at [`verify`] (bytes to [`SignedPolicy`]) and [`decide()`] (policy and request to [`Decision`]). For auditors:
//! [`Policy::explain`] and [`diff()`]. The format and its reasons are in `policies/README.md`.
//!
//! Cases (`policies/cases`), unit tests and properties are themselves tested: `cargo mutants --package snowball-policy`
//! (<https://mutants.rs>) changes the crate in some four hundred places, one at a time. Whatever no test hears is words
//! for people, denies more, or is caught by a second check behind it; none permits more. It must stay so.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod clause;
mod date;
mod decide;
mod diff;
mod document;
mod explain;
mod fault;
mod hours;
mod policy;
mod profile;
mod read;
mod request;
mod retention;
mod rules;
mod signature;
mod succession;
#[cfg(test)]
mod testing;
mod why;
mod words;
mod zone;

pub use clause::Clause;
pub use decide::{decide, decide_in};
pub use diff::{diff, diff_in};
pub use document::{DeidentificationOption, DeidentificationProfile, Demand, PrivacyMechanism, Stage};
pub use fault::{FaultKind, PolicyFault};
pub use hours::Window;
pub use policy::Policy;
pub use read::parse;
pub use request::{Action, DatasetFacts, Decision, Request, Spent};
pub use retention::Keepsake;
pub use signature::{SignedPolicy, digest, sign, verify};
pub use snowball_confidentiality::Language;
pub use succession::{Installed, Succession, SuccessionFault, succeed};
pub use zone::Zone;
