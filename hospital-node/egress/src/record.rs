//! Record: into the outbox and the ledger, durable, before the first byte leaves.

use snowball_ledger::Entry;
use snowball_protocol::{RoundNumber, Sha256Digest, StudyPlan, evaluation::Evaluation, update::UpdateHeader};

use crate::{door::Door, error::EgressError, filter::Encoded, gate::EgressPermit, outbox::Outbox};

/// An update that the ledger holds: the only thing that can be sent.
pub struct ApprovedUpdate {
    pub(crate) header: UpdateHeader,
    pub(crate) bytes: Vec<u8>,
}

impl ApprovedUpdate {
    /// An update whose record was made before a crash: `header` names the ledger entry.
    pub(crate) fn recorded_before(encoded: Encoded, header: UpdateHeader) -> Self {
        Self {
            header,
            bytes: encoded.bytes,
        }
    }
}

pub(crate) fn record(
    door: &Door,
    outbox: &Outbox,
    encoded: Encoded,
    permit: &EgressPermit,
) -> Result<ApprovedUpdate, EgressError> {
    if permit.update_digest != encoded.digest {
        return Err(EgressError::Unfit {
            reason: "the permit is for another update".to_owned(),
            remedy: "report this: it must never happen",
        });
    }
    let evaluation = permit
        .metrics_cell_min
        .and_then(|cell_min| visible(encoded.evaluation.clone(), cell_min));
    // The bytes are on disk before the entry that names them, so that after a crash an entry always has its bytes.
    outbox.keep(&permit.plan.study, encoded.round, &encoded.bytes)?;
    if let Some(evaluation) = &evaluation {
        let (round, clause) = (Some(encoded.round), permit.clause.clone());
        door.record(metrics_entry(
            &permit.plan,
            round,
            evaluation,
            clause,
            permit.policy_digest,
        ))?;
    }
    let record = door.record(Entry::UpdateApproved {
        study: permit.plan.study.clone(),
        round: encoded.round,
        attempt: encoded.attempt,
        update_digest: encoded.digest,
        bytes: encoded.bytes.len() as u64,
        clause: permit.clause.clone(),
        policy_digest: permit.policy_digest,
    })?;
    let header = UpdateHeader {
        study: permit.plan.study.clone(),
        round: encoded.round,
        attempt: encoded.attempt,
        plan_digest: permit.plan.digest(),
        policy_digest: permit.policy_digest,
        model_in: encoded.model_in,
        layout_digest: encoded.layout_digest,
        encoding: encoded.encoding,
        bytes: encoded.bytes.len() as u64,
        digest: encoded.digest,
        examples: encoded.examples,
        training_loss: encoded.training_loss,
        evaluation,
        ledger_index: record.index,
        ledger_head: record.hash,
    };
    outbox.keep_header(&header, &encoded.dataset)?;
    Ok(ApprovedUpdate {
        header,
        bytes: encoded.bytes,
    })
}

/// The entry for numbers about quality that leave.
pub(crate) fn metrics_entry(
    plan: &StudyPlan,
    round: Option<RoundNumber>,
    evaluation: &Evaluation,
    clause: String,
    policy_digest: Sha256Digest,
) -> Entry {
    let bytes = snowball_protocol::plan::canonical_json(evaluation);
    let (digest, bytes) = (Sha256Digest::of(&bytes), bytes.len() as u64);
    Entry::MetricsApproved {
        study: plan.study.clone(),
        round,
        digest,
        bytes,
        clause,
        policy_digest,
    }
}

/// What may be shown of an evaluation: nothing in small cells.
pub(crate) fn visible(evaluation: Option<Evaluation>, cell_min: u64) -> Option<Evaluation> {
    evaluation.map(|mut evaluation| {
        evaluation.hide_small_cells(cell_min);
        evaluation
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::candidate;

    #[test]
    fn small_cells_are_not_shown() {
        let evaluation = candidate(vec![1.0]).evaluation;
        assert_eq!(visible(evaluation.clone(), 4), evaluation);
        assert!(visible(evaluation, 5).is_some_and(|evaluation| evaluation.heads.is_empty()));
    }
}
