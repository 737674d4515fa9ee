//! Filter: from a candidate to the exact bytes that could leave. Pure.

use snowball_policy::DatasetFacts;
use snowball_protocol::{
    Attempt, RoundNumber, Sha256Digest, StudyPlan, evaluation::Evaluation, plan::Sent, update::Encoding,
};

use crate::{candidate::Candidate, error::EgressError};

/// An update as bytes, checked and measured; the policy has not been asked yet.
pub struct Encoded {
    pub(crate) round: RoundNumber,
    pub(crate) attempt: Attempt,
    pub(crate) model_in: Sha256Digest,
    pub(crate) layout_digest: Sha256Digest,
    pub(crate) encoding: Encoding,
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: Sha256Digest,
    pub(crate) examples: u64,
    pub(crate) local_steps: u32,
    pub(crate) training_loss: f64,
    pub(crate) evaluation: Option<Evaluation>,
    pub(crate) dataset: DatasetFacts,
}

/// Refuses what the aggregator would have to refuse, takes out what the plan does not ask for, and writes the bytes.
pub(crate) fn filter(plan: &StudyPlan, candidate: Candidate) -> Result<Encoded, EgressError> {
    if !candidate.delta.iter().all(|value| value.is_finite()) || !candidate.training_loss.is_finite() {
        return Err(EgressError::Unfit {
            reason: "training ended in numbers that are not finite".to_owned(),
            remedy: "lower the plan's learning rate or set optimiser.gradient_norm_max",
        });
    }
    let update_norm_max = plan.strategy.update_norm_max;
    let norm = candidate
        .delta
        .iter()
        .map(|value| f64::from(*value).powi(2))
        .sum::<f64>()
        .sqrt();
    if norm > update_norm_max {
        return Err(EgressError::Unfit {
            reason: format!("its norm {norm:.3} is above the plan's bound {update_norm_max}"),
            remedy: "lower the plan's learning rate or local steps",
        });
    }
    let bytes: Vec<u8> = candidate.delta.iter().flat_map(|value| value.to_le_bytes()).collect();
    Ok(Encoded {
        round: candidate.round,
        attempt: candidate.attempt,
        model_in: candidate.model_in,
        layout_digest: candidate.layout_digest,
        encoding: Encoding::DeltaF32,
        digest: Sha256Digest::of(&bytes),
        bytes,
        examples: candidate.examples.min(plan.strategy.examples_max),
        local_steps: candidate.local_steps,
        training_loss: candidate.training_loss,
        evaluation: candidate.evaluation.filter(|_| plan.send.contains(&Sent::Metrics)),
        dataset: candidate.dataset,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{candidate, plan};

    #[test]
    fn numbers_that_are_not_finite_and_norms_beyond_the_bound_do_not_leave() {
        for delta in [vec![f32::NAN], vec![f32::INFINITY, 1.0], vec![8.0, 8.0]] {
            assert!(matches!(
                filter(&plan(), candidate(delta)),
                Err(EgressError::Unfit { .. })
            ));
        }
    }

    #[test]
    fn what_leaves_is_little_endian_capped_and_nothing_that_the_plan_does_not_ask_for() {
        let mut plan = plan();
        let encoded = filter(&plan, candidate(vec![1.0, -2.0])).unwrap();
        assert_eq!(encoded.bytes, [0, 0, 128, 63, 0, 0, 0, 192]);
        assert_eq!(
            (encoded.examples, encoded.digest),
            (100, Sha256Digest::of(&encoded.bytes))
        );
        assert_eq!(encoded.evaluation.is_some(), plan.send.contains(&Sent::Metrics));
        plan.send = vec![Sent::Update];
        assert!(filter(&plan, candidate(vec![1.0])).unwrap().evaluation.is_none());
    }
}
