//! The running sum of a round; the one place that names the strategy.

use std::collections::BTreeSet;

use snowball_protocol::{RoundNumber, SiteName};
use snowball_rounds::{AdmittedUpdate, ControlStep, Looked, RoundEnd, RunningMean};

use crate::study::{Study, bytes_of, numbers_of};

/// The sum of the round under way: lost with its process, made again from the kept updates.
pub struct Sum {
    /// Of which round.
    pub round: RoundNumber,
    inner: RunningMean,
}

impl Sum {
    /// An empty sum.
    #[must_use]
    pub fn of(study: &Study, round: RoundNumber) -> Self {
        Self {
            round,
            inner: RunningMean::new(&study.plan, study.parameters()),
        }
    }

    /// Adds one update; on any fault the sum is given up.
    #[must_use]
    pub fn with(mut self, update: &AdmittedUpdate, bytes: &[u8]) -> Option<Self> {
        let mut fold = self.inner.fold(update);
        let outcome = fold.bytes(bytes).and_then(|()| fold.commit());
        outcome.is_ok().then_some(self)
    }

    /// Whether it is made of exactly these updates.
    #[must_use]
    pub fn is_of(&self, contributors: &BTreeSet<SiteName>) -> bool {
        self.inner.is_of(contributors)
    }

    /// The control variate of all sites after the round, from the one before; `rows` are the updates in the order of their sites' names.
    #[must_use]
    pub fn move_control(
        self,
        study: &Study,
        updates: &[AdmittedUpdate],
        rows: &[f32],
        (step, control_in): (ControlStep, Vec<f32>),
    ) -> Option<Vec<u8>> {
        let end = RoundEnd::new(&study.plan, updates, Looked::Running(self.inner)).ok()?;
        let (mut model, mut state) = (vec![0.0; study.parameters()], vec![control_in]);
        end.with_control(Some(step)).block(rows, &mut model, &mut state).ok()?;
        state.pop().map(bytes_of)
    }

    /// The model after the round, from the one before.
    #[must_use]
    pub fn finish(&self, model_in: &[u8]) -> Option<Vec<u8>> {
        self.inner.finish(&numbers_of(model_in)).ok().map(bytes_of)
    }
}
