//! An update that passed every check. Made only by the intake's pipeline, or read back from where it was kept.

use serde::{Deserialize, Serialize};
use snowball_protocol::{Attempt, RoundNumber, Sha256Digest, SiteName};

use super::{Facts, Inspected};
use crate::machine::Event;

/// One update that counts: proof for the strategy that its bytes were inspected.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AdmittedUpdate {
    site: SiteName,
    round: RoundNumber,
    attempt: Attempt,
    digest: Sha256Digest,
    bytes: u64,
    examples: u64,
    local_steps: u32,
    /// The bits of the sum of squares, so that JSON cannot round it.
    square_sum_bits: u64,
    #[serde(default, skip_serializing_if = "crate::machine::is_zero")]
    behind: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    control_from: Option<RoundNumber>,
}

impl AdmittedUpdate {
    pub(super) fn new(facts: &Facts<'_>, inspected: &Inspected, behind: u32) -> Self {
        Self {
            site: facts.site.clone(),
            round: facts.header.round,
            attempt: facts.header.attempt,
            digest: inspected.digest,
            bytes: inspected.bytes,
            examples: facts.header.examples.min(facts.plan.strategy.examples_max),
            local_steps: facts.header.local_steps,
            square_sum_bits: inspected.square_sum().to_bits(),
            behind,
            control_from: facts.header.control_from,
        }
    }

    /// Whose.
    #[must_use]
    pub const fn site(&self) -> &SiteName {
        &self.site
    }

    /// For which round.
    #[must_use]
    pub const fn round(&self) -> RoundNumber {
        self.round
    }

    /// Which try.
    #[must_use]
    pub const fn attempt(&self) -> Attempt {
        self.attempt
    }

    /// SHA-256 of its bytes.
    #[must_use]
    pub const fn digest(&self) -> Sha256Digest {
        self.digest
    }

    /// Their number.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its weight: training examples, at most the plan's `examples_max`.
    #[must_use]
    pub const fn examples(&self) -> u64 {
        self.examples
    }

    /// The optimiser steps behind it.
    #[must_use]
    pub const fn local_steps(&self) -> u32 {
        self.local_steps
    }

    /// Its Euclidean norm.
    #[must_use]
    pub fn norm(&self) -> f64 {
        self.square_sum().sqrt()
    }

    /// By how many rounds the model that it was trained from is older than the round's.
    #[must_use]
    pub const fn behind(&self) -> u32 {
        self.behind
    }

    /// The round whose update the site's control variate is of; none where it began at zero.
    #[must_use]
    pub const fn control_from(&self) -> Option<RoundNumber> {
        self.control_from
    }

    /// What the round machine is told.
    #[must_use]
    pub fn event(&self) -> Event {
        Event::UpdateAdmitted {
            site: self.site.clone(),
            round: self.round,
            examples: self.examples,
            behind: self.behind,
        }
    }

    pub(crate) const fn square_sum(&self) -> f64 {
        f64::from_bits(self.square_sum_bits)
    }
}
