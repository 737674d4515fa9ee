//! What the node would like to send.

use snowball_policy::DatasetFacts;
use snowball_protocol::{Attempt, RoundNumber, Sha256Digest, evaluation::Evaluation};

/// A trained change that nobody has looked at yet.
pub struct Candidate {
    /// For which round.
    pub round: RoundNumber,
    /// Which try.
    pub attempt: Attempt,
    /// The model that training started from.
    pub model_in: Sha256Digest,
    /// The order and shapes of the numbers.
    pub layout_digest: Sha256Digest,
    /// Local parameters minus the round's, in the layout's order.
    pub delta: Vec<f32>,
    /// Training examples behind it.
    pub examples: u64,
    /// Optimiser steps behind it.
    pub local_steps: u32,
    /// Under SCAFFOLD: the round whose update the site's control variate is of; none where it began at zero.
    pub control_from: Option<RoundNumber>,
    /// Mean loss at the end of local training.
    pub training_loss: f64,
    /// Quality of `model_in` on the site's validation patients.
    pub evaluation: Option<Evaluation>,
    /// What the policy wants to know of the dataset.
    pub dataset: DatasetFacts,
}
