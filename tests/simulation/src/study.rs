//! The study of a run: its plan, and what both sides must agree on about its network.

use anyhow::{Context as _, Result};
use snowball_protocol::{
    RoundNumber, Sha256Digest, SiteName, StudyPlan,
    plan::{Drift, Late, Span},
};

use crate::chance::Chance;

/// A study and everything that is derived from its plan once.
#[derive(Clone, Debug)]
pub struct Study {
    /// What is declared.
    pub plan: StudyPlan,
    /// Its digest.
    pub plan_digest: Sha256Digest,
    /// Digest of the network's layout.
    pub layout_digest: Sha256Digest,
    /// The sites, by place; site i contributes the unit vector i.
    pub sites: Vec<SiteName>,
}

impl Study {
    /// A study whose counts and times come from `chance`.
    ///
    /// # Errors
    /// When the plan beside this file breaks a rule.
    pub fn drawn(chance: &mut Chance) -> Result<Self> {
        let mut plan: StudyPlan = toml::from_str(include_str!("plan.toml")).context("the plan does not parse")?;
        let sites = chance.count(2, 5);
        let rounds = &mut plan.rounds;
        rounds.count = chance.count(1, 4);
        rounds.sites = span(chance, 1, sites, sites);
        rounds.recruit_seconds = span(chance, 0, 20, 600);
        rounds.recruit_seconds.max += 300;
        rounds.updates = span(chance, 1, rounds.sites.max, sites);
        rounds.collect_seconds = span(chance, 1, 30, 120);
        rounds.collect_seconds.max += 10;
        rounds.review_seconds_max = chance.count(0, 120);
        if chance.happens(500) {
            rounds.late = Late::Fold {
                rounds: chance.count(1, 3),
            };
        }
        // A coin that takes nothing from the chance of all that follows.
        if plan.rounds.late == Late::Drop && plan.digest().as_bytes()[0] & 1 == 0 {
            plan.local.drift = Some(Drift::Scaffold);
        }
        anyhow::ensure!(plan.faults().is_empty(), "the plan breaks a rule: {:?}", plan.faults());
        let names = (0..sites).map(|number| format!("site-{number}").parse());
        Ok(Self {
            plan_digest: plan.digest(),
            layout_digest: Sha256Digest::of(b"layout"),
            sites: names.collect::<Result<_, _>>()?,
            plan,
        })
    }

    /// How many numbers a model has: one for each site.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.sites.len()
    }

    /// How many bytes that is.
    #[must_use]
    pub fn model_bytes(&self) -> u64 {
        self.parameters() as u64 * 4
    }

    /// The unit vector of a site.
    #[must_use]
    pub fn update_of(&self, place: usize) -> Vec<u8> {
        let numbers = (0..self.parameters()).map(|number| if number == place { 1.0 } else { 0.0_f32 });
        bytes_of(numbers)
    }

    /// How long the study may take at most once nothing goes wrong any more, in seconds: each round may be extended once
    /// because of what went wrong before, nodes may be waiting to look again, and messages take their time.
    #[must_use]
    pub fn seconds_max(&self) -> i64 {
        let rounds = &self.plan.rounds;
        let a_round = 2 * i64::from(rounds.collect_seconds.max) + PATIENCE_SECONDS;
        let RoundNumber(count) = RoundNumber(rounds.count);
        i64::from(rounds.recruit_seconds.max)
            + i64::from(count) * a_round
            + i64::from(rounds.review_seconds_max)
            + 2 * PATIENCE_SECONDS
    }
}

/// Longer than any pause that a node makes by itself: it looks again at a study that it could not follow after 600 s.
const PATIENCE_SECONDS: i64 = 900;

fn span(chance: &mut Chance, low: u32, middle: u32, high: u32) -> Span {
    let min = chance.count(low, middle);
    Span {
        min,
        max: chance.count(min.max(1), high.max(min)),
    }
}

/// Little-endian bytes of `numbers`.
pub fn bytes_of(numbers: impl IntoIterator<Item = f32>) -> Vec<u8> {
    numbers.into_iter().flat_map(f32::to_le_bytes).collect()
}

/// The numbers that `bytes` are.
#[must_use]
pub fn numbers_of(bytes: &[u8]) -> Vec<f32> {
    let words = bytes.chunks_exact(4);
    words
        .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]))
        .collect()
}
