//! Filter: from a candidate to the exact bytes that could leave. Pure.

use bytes::Bytes;
use snowball_encoding::{Coding, keep_back};
use snowball_layout::Layout;
use snowball_policy::DatasetFacts;
use snowball_protocol::{
    Attempt, RoundNumber, Sha256Digest, StudyPlan, digest::RunningDigest, evaluation::Evaluation, plan::Sent,
    update::Encoding,
};

use crate::{candidate::Candidate, error::EgressError, pages::Pages};

/// Numbers that are written and hashed at a time, and sums of squares that are kept beside each other.
const BLOCK: usize = 8192;
const LANES: usize = 8;
const WIDTH: usize = size_of::<f32>();

/// An update as bytes, checked and measured; the policy has not been asked yet.
pub struct Encoded {
    pub(crate) round: RoundNumber,
    pub(crate) attempt: Attempt,
    pub(crate) model_in: Sha256Digest,
    pub(crate) layout_digest: Sha256Digest,
    pub(crate) encoding: Encoding,
    pub(crate) bytes: Bytes,
    /// What stays at the site for the next update if this one counts, where the plan's encoding says so.
    pub(crate) residual: Option<Vec<f32>>,
    pub(crate) digest: Sha256Digest,
    pub(crate) examples: u64,
    pub(crate) local_steps: u32,
    pub(crate) control_from: Option<RoundNumber>,
    pub(crate) training_loss: f64,
    pub(crate) evaluation: Option<Evaluation>,
    pub(crate) dataset: DatasetFacts,
}

/// Refuses what the aggregator would have to refuse, takes out what the plan does not ask for, and writes the bytes. `carried` is what the
/// updates before left over.
pub(crate) fn filter(
    plan: &StudyPlan,
    mut candidate: Candidate,
    carried: Option<&[f32]>,
) -> Result<Encoded, EgressError> {
    let delta = std::mem::take(&mut candidate.delta);
    let written = candidate.written.take();
    let numbers = written
        .as_ref()
        .map_or(delta.len(), |written| written.bytes.len() / WIDTH);
    let coding = Coding::of(plan, numbers);
    let written = match (written, coding.of_header()) {
        (None, Encoding::DeltaF32) => Some(write(plan, &delta)),
        (Some(_), encoding) if encoding != Encoding::DeltaF32 => {
            return Err(EgressError::Unfit {
                reason: "it was written for a plan with another encoding".to_owned(),
                remedy: "report this: it must never happen",
            });
        }
        (written, _) => written,
    };
    let is_kept_out = written
        .as_ref()
        .map_or_else(|| is_kept_out(plan, &delta), |written| written.is_kept_out);
    if !is_kept_out {
        return Err(EgressError::Unfit {
            reason: "it changes parameters that the plan keeps at this site".to_owned(),
            remedy: "report this: it must never happen",
        });
    }
    let (bytes, passed, residual) = match written {
        Some(Written { bytes, passed, .. }) => (bytes.into_bytes(), passed, None),
        None => encode(&coding, delta, carried)?,
    };
    if !passed.is_finite || !candidate.training_loss.is_finite() {
        return Err(EgressError::Unfit {
            reason: "training ended in numbers that are not finite".to_owned(),
            remedy: "lower the plan's learning rate or set optimiser.gradient_norm_max",
        });
    }
    let update_norm_max = plan.strategy.update_norm_max;
    let norm = passed.norm;
    if norm > update_norm_max {
        return Err(EgressError::Unfit {
            reason: format!("its norm {norm:.3} is above the plan's bound {update_norm_max}"),
            remedy: "lower the plan's learning rate or local steps",
        });
    }
    Ok(Encoded {
        round: candidate.round,
        attempt: candidate.attempt,
        model_in: candidate.model_in,
        layout_digest: candidate.layout_digest,
        encoding: coding.of_header(),
        digest: passed.digest,
        bytes,
        residual,
        examples: candidate.examples.min(plan.strategy.examples_max),
        local_steps: candidate.local_steps,
        control_from: candidate.control_from,
        training_loss: candidate.training_loss,
        // One spelling for each number: what the ledger names by digest, anybody can compute again from what came.
        evaluation: candidate
            .evaluation
            .filter(|_| plan.send.contains(&Sent::Metrics))
            .map(Evaluation::rounded),
        dataset: candidate.dataset,
    })
}

/// What one pass over the numbers found.
struct Passed {
    is_finite: bool,
    /// Euclidean; of use only where all are finite.
    norm: f64,
    digest: Sha256Digest,
}

/// The bytes, what was seen of them, and what they leave over.
type Coded = (Bytes, Passed, Option<Vec<f32>>);

/// The numbers as they travel, together with what was carried over; what will be read out of them is looked at, and what is left over of
/// them is kept.
fn encode(coding: &Coding, mut delta: Vec<f32>, carried: Option<&[f32]>) -> Result<Coded, EgressError> {
    for (wanted, carried) in delta.iter_mut().zip(carried.unwrap_or_default()) {
        *wanted += carried;
    }
    let is_finite = delta.iter().fold(true, |all, value| all & value.is_finite());
    let bytes = coding.encode(&delta);
    let kept = keep_back(coding, &bytes, &mut delta).map_err(|fault| EgressError::Unfit {
        reason: format!("it could not be encoded: {fault}"),
        remedy: "report this: it must never happen",
    });
    let passed = match kept {
        Ok(kept) => Passed {
            is_finite: is_finite && kept.is_finite,
            norm: kept.norm,
            digest: Sha256Digest::of(&bytes),
        },
        // What is not finite has no encoding.
        Err(_) if !is_finite => Passed {
            is_finite,
            norm: f64::NAN,
            digest: Sha256Digest::of(&bytes),
        },
        Err(fault) => return Err(fault),
    };
    Ok((bytes.into(), passed, coding.feeds_back().then_some(delta)))
}

/// An update as plain numbers that could leave, with what was seen of them; made in one pass.
pub struct Written {
    bytes: Pages,
    passed: Passed,
    /// Whether what the plan keeps at the site does not change by it.
    is_kept_out: bool,
}

impl Written {
    pub(crate) const fn digest(&self) -> Sha256Digest {
        self.passed.digest
    }
}

/// Whether the numbers that the plan keeps at the site are zero.
fn is_kept_out(plan: &StudyPlan, delta: &[f32]) -> bool {
    Layout::of(plan).kept(plan).are_zero(delta)
}

/// The numbers as they travel, little-endian, looked at and hashed while they are in the processor's cache.
pub(crate) fn write(plan: &StudyPlan, delta: &[f32]) -> Written {
    let mut bytes = Pages::of(size_of_val(delta));
    let (mut is_finite, mut digest, mut squares) = (true, RunningDigest::default(), [0.0; LANES]);
    for (values, block) in delta.chunks(BLOCK).zip(bytes.chunks_mut(BLOCK * WIDTH)) {
        is_finite &= values.iter().fold(true, |all, value| all & value.is_finite());
        for values in values.chunks(LANES) {
            for (square, value) in squares.iter_mut().zip(values) {
                *square += f64::from(*value) * f64::from(*value);
            }
        }
        for (word, value) in block.as_chunks_mut().0.iter_mut().zip(values) {
            *word = value.to_le_bytes();
        }
        digest.update(block);
    }
    let passed = Passed {
        is_finite,
        norm: squares.iter().sum::<f64>().sqrt(),
        digest: digest.finish(),
    };
    Written {
        bytes,
        passed,
        is_kept_out: is_kept_out(plan, delta),
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::plan::{KeptRole, UpdateEncoding};

    use super::*;
    use crate::testing::{candidate, plan};

    #[test]
    fn numbers_that_are_not_finite_and_norms_beyond_the_bound_do_not_leave() {
        for delta in [vec![f32::NAN], vec![f32::INFINITY, 1.0], vec![8.0, 8.0]] {
            assert!(matches!(
                filter(&plan(), candidate(delta), None),
                Err(EgressError::Unfit { .. })
            ));
        }
    }

    #[test]
    fn what_the_plan_keeps_here_does_not_leave() {
        let mut plan = plan();
        plan.local.keep = vec![KeptRole::Normalisation];
        let layout = Layout::of(&plan);
        let mut delta = vec![1e-3; layout.parameters()];
        assert!(matches!(
            filter(&plan, candidate(delta.clone()), None),
            Err(EgressError::Unfit { .. })
        ));
        layout.kept(&plan).clear(&mut delta);
        assert!(filter(&plan, candidate(delta), None).is_ok());
    }

    #[test]
    fn the_bound_and_the_digest_are_of_what_leaves_and_what_was_carried_over_goes_along() {
        let mut plan = plan();
        plan.transfer.encoding = UpdateEncoding::TopK { share: 0.25 };
        let delta = || candidate(vec![9.0, 0.5, -9.5, 0.0]);
        let first = filter(&plan, delta(), None).unwrap();
        assert_eq!(
            first.bytes[..],
            [2, 0x18, 0xc1],
            "its norm would be too large if all of it left"
        );
        assert_eq!(first.digest, Sha256Digest::of(&first.bytes));
        let left_over = first.residual.unwrap();
        assert_eq!(left_over, [9.0, 0.5, 0.0, 0.0]);
        let second = filter(&plan, candidate(vec![-1.0, 0.0, 0.5, 0.25]), Some(&left_over)).unwrap();
        assert_eq!(second.bytes[..], [0, 0x00, 0x41]);
        assert_eq!(second.residual.unwrap(), [0.0, 0.5, 0.5, 0.25]);
        let beyond = filter(&plan, delta(), Some(&left_over));
        assert!(matches!(beyond, Err(EgressError::Unfit { .. })), "18 leaves");

        plan.transfer.encoding = UpdateEncoding::Bf16;
        let rounded = filter(&plan, candidate(vec![1.001]), Some(&[1.0])).unwrap();
        assert!(rounded.residual.is_none());
        for encoding in [
            UpdateEncoding::Bf16,
            UpdateEncoding::Int8,
            UpdateEncoding::TopK { share: 0.25 },
        ] {
            plan.transfer.encoding = encoding;
            for value in [f32::NAN, f32::INFINITY, f32::MAX] {
                let outcome = filter(&plan, candidate(vec![0.0, value, 1.0]), None);
                assert!(
                    matches!(outcome, Err(EgressError::Unfit { .. })),
                    "{encoding:?} {value}"
                );
            }
        }
    }

    #[test]
    fn what_leaves_is_little_endian_capped_and_nothing_that_the_plan_does_not_ask_for() {
        let mut plan = plan();
        let encoded = filter(&plan, candidate(vec![1.0, -2.0]), None).unwrap();
        assert_eq!(encoded.bytes[..], [0, 0, 128, 63, 0, 0, 0, 192]);
        assert_eq!(
            (encoded.examples, encoded.digest),
            (100, Sha256Digest::of(&encoded.bytes))
        );
        assert_eq!(encoded.evaluation.is_some(), plan.send.contains(&Sent::Metrics));
        plan.send = vec![Sent::Update];
        assert!(filter(&plan, candidate(vec![1.0]), None).unwrap().evaluation.is_none());
    }
}
