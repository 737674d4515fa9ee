//! SCAFFOLD at a node, as `hospital-node/src/scaffold.rs` and `driver/contribute.rs` do it: what a training is corrected by, and what becomes
//! of the site's own control variate.

use snowball_protocol::{RoundNumber, session::ControlReference};

use super::Node;
use crate::study::numbers_of;

/// What each step of a round is corrected by.
pub struct Correction {
    /// That of all sites less the site's own.
    values: Vec<f32>,
    /// The round whose update the site's own is of; none where it begins at zero.
    pub from: Option<RoundNumber>,
}

impl Correction {
    /// The site's own after a round that changed its parameters by `delta`.
    #[must_use]
    pub fn next_own(self, delta: &[f32], rate_sum: f64) -> Vec<f32> {
        let pairs = self.values.iter().zip(delta);
        pairs
            .map(|(value, moved)| (-f64::from(*value) - f64::from(*moved) / rate_sum) as f32)
            .collect()
    }
}

impl Node {
    /// Holds what the training of `round` is corrected by. The site's own counts only where that of all sites was made with it.
    pub(super) fn correct(&mut self, round: RoundNumber, all: Option<(ControlReference, &[u8])>) {
        if !self.study.plan.is_scaffold() {
            self.correction = None;
            return;
        }
        let since = all.map_or(round, |(control, _)| control.since);
        let mut values = all.map_or_else(|| vec![0.0; self.study.parameters()], |(_, bytes)| numbers_of(bytes));
        let own = &self.disk.settled;
        let from = own.rounds.last().copied().filter(|of| *of >= since);
        if from.is_some() {
            values
                .iter_mut()
                .zip(&own.control)
                .for_each(|(value, own)| *value -= own);
        }
        self.correction = Some(Correction { values, from });
    }
}
