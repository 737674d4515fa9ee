//! What the node would like to send.

use snowball_encoding::Coding;
use snowball_policy::DatasetFacts;
use snowball_protocol::{
    Attempt, RoundNumber, Sha256Digest, StudyPlan, digest::RunningDigest, evaluation::Evaluation, update::Encoding,
};

use crate::filter::{self, Written};

/// Numbers that are hashed at a time.
const BLOCK: usize = 8192;

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
    /// Local parameters minus the round's, in the layout's order; none once they are written.
    pub delta: Vec<f32>,
    /// The same as bytes that could leave, once they are written.
    pub written: Option<Written>,
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

impl Candidate {
    /// SHA-256 of the trained change, as little-endian numbers. Where these are what would leave, they are written and hashed in one pass
    /// here, and neither is done again.
    pub fn write(&mut self, plan: &StudyPlan) -> Sha256Digest {
        if let Some(written) = &self.written {
            return written.digest();
        }
        if Coding::of(plan, self.delta.len()).of_header() == Encoding::DeltaF32 {
            let delta = std::mem::take(&mut self.delta);
            return self.written.insert(filter::write(plan, &delta)).digest();
        }
        let mut digest = RunningDigest::default();
        for block in self.delta.chunks(BLOCK) {
            digest.update(&snowball_layout::to_le_bytes(block));
        }
        digest.finish()
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::plan::UpdateEncoding;

    use super::*;
    use crate::testing::{candidate, plan};

    /// Larger than a block, and no multiple of one.
    fn delta() -> Vec<f32> {
        (0..20_011).map(|place| (place as f32 * 0.37).sin() * 1e-3).collect()
    }

    #[test]
    fn what_was_written_once_is_what_leaves_and_has_the_digest_of_the_numbers() {
        let (plan, numbers) = (plan(), delta());
        let expected = Sha256Digest::of(&snowball_layout::to_le_bytes(&numbers));
        let mut written = candidate(numbers.clone());
        assert_eq!(written.write(&plan), expected);
        assert_eq!(written.write(&plan), expected, "a second time nothing changes");
        assert!(written.delta.is_empty(), "the numbers are not held twice");
        let at_once = filter::filter(&plan, candidate(numbers), None).unwrap();
        let after = filter::filter(&plan, written, None).unwrap();
        assert_eq!((after.digest, &after.bytes), (expected, &at_once.bytes));
        assert_eq!(at_once.digest, expected);
    }

    #[test]
    fn what_leaves_in_another_encoding_is_written_by_the_filter() {
        let mut plan = plan();
        plan.transfer.encoding = UpdateEncoding::Bf16;
        let numbers = delta();
        let mut kept = candidate(numbers.clone());
        let digest = kept.write(&plan);
        assert_eq!(digest, Sha256Digest::of(&snowball_layout::to_le_bytes(&numbers)));
        assert_eq!(kept.delta, numbers);
        assert_ne!(filter::filter(&plan, kept, None).unwrap().digest, digest);
    }

    #[test]
    fn what_was_written_of_numbers_that_may_not_leave_does_not_leave() {
        for numbers in [vec![f32::NAN], vec![8.0, 8.0]] {
            let mut unfit = candidate(numbers);
            unfit.write(&plan());
            assert!(filter::filter(&plan(), unfit, None).is_err());
        }
    }
}
