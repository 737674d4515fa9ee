//! Why something did not leave.

use std::path::PathBuf;

use snowball_ledger::LedgerError;
use snowball_policy::Clause;
use snowball_protocol::Problem;

/// Why something did not leave the hospital, or no answer came.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The update itself is not fit to leave.
    #[error("the update does not leave: {reason}; {remedy}")]
    Unfit {
        /// What is wrong with it.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The site's policy does not permit it.
    #[error("the policy denies it by {clause}: {reason}; {remedy}")]
    Denied {
        /// The clause that decided.
        clause: Clause,
        /// Why.
        reason: String,
        /// What to do.
        remedy: String,
        /// The same without any count: what others may be told.
        public_words: String,
    },
    /// It could not be recorded, so it did not leave.
    #[error("the ledger could not record it, so nothing was sent")]
    Ledger(#[source] LedgerError),
    /// The outbox could not be used.
    #[error("cannot use {path} in the outbox")]
    Outbox {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The aggregator refused it.
    #[error("the aggregator refused: {0}")]
    Refused(Problem),
    /// The aggregator could not be reached.
    #[error("the aggregator cannot be reached: {reason}")]
    Unreachable {
        /// What failed, innermost first.
        reason: String,
    },
    /// The two sides do not take each other's certificates. It may be mended over there, so the node tries on.
    #[error("the aggregator cannot be reached: {0}")]
    Handshake(Trouble),
    /// Somebody else answered, and waiting will not change it.
    #[error("{reason}; {remedy}")]
    Stranger {
        /// Who, as far as it can be told.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The aggregator answered something that does not fit the protocol or its signature.
    #[error("the aggregator's answer cannot be used: {reason}")]
    Answer {
        /// What is wrong.
        reason: String,
    },
    /// The aggregator's ledger is not the one it was, so nothing is sent to it.
    #[error(
        "the aggregator showed a head of its ledger that contradicts the one kept before: {reason}; no update is sent to it. Keep this site's ledger, which holds both heads, and ask the coordinator"
    )]
    HeadRefused {
        /// What does not fit.
        reason: String,
    },
    /// The client could not be set up.
    #[error("the connection cannot be set up: {reason}")]
    Setup {
        /// What is wrong.
        reason: String,
    },
}

/// Why the two sides do not take each other's certificates.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason} ({code}); {remedy}")]
pub struct Trouble {
    /// For programs.
    pub code: &'static str,
    /// What is wrong.
    pub reason: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

impl EgressError {
    /// Whether the same may succeed later without anybody doing anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Handshake(_) => true,
            Self::Refused(problem) => problem.code.is_transient(),
            _ => false,
        }
    }
}
