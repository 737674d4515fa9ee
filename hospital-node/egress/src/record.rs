//! Record: into the outbox and the ledger, durable, before the first byte leaves.

use bytes::Bytes;
use snowball_ledger::Entry;
use snowball_protocol::{RoundNumber, Sha256Digest, StudyPlan, evaluation::Evaluation, update::UpdateHeader};

use crate::{
    door::Door, error::EgressError, filter::Encoded, gate::EgressPermit, message, outbox::Outbox, residuals::Residuals,
};

/// On which terms an update leaves.
pub(crate) struct Terms {
    pub(crate) policy_digest: Sha256Digest,
    pub(crate) clause: String,
    /// What of the evaluation may go along; none: nothing.
    pub(crate) metrics: Option<Shown>,
}

/// What may be shown of an evaluation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shown {
    /// From which size a cell.
    pub cell_min: u64,
    /// Whether more of a class than its counts.
    pub with_details: bool,
}

/// An update that the ledger holds: the only thing that can be sent.
pub struct ApprovedUpdate {
    pub(crate) header: UpdateHeader,
    pub(crate) bytes: Bytes,
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
    (outbox, residuals): (&Outbox, &Residuals),
    encoded: Encoded,
    permit: &EgressPermit,
) -> Result<ApprovedUpdate, EgressError> {
    if permit.update_digest != encoded.digest {
        return Err(EgressError::Unfit {
            reason: "the permit is for another update".to_owned(),
            remedy: "report this: it must never happen",
        });
    }
    let (evaluation, entries) = entries(&permit.plan, &encoded, &permit.terms);
    // The bytes are on disk before the entry that names them, so that after a crash an entry always has its bytes.
    outbox.keep(&permit.plan.study, encoded.round, &encoded.bytes)?;
    if let Some(residual) = &encoded.residual {
        residuals.propose(&permit.plan, encoded.round, encoded.digest, residual)?;
    }
    let recorded = door
        .record_all(entries)?
        .pop()
        .map(|record| (record.index, record.hash))
        .ok_or(EgressError::Unfit {
            reason: "there is no entry for it".to_owned(),
            remedy: "report this: it must never happen",
        })?;
    let policy_digest = permit.terms.policy_digest;
    let header = message::header(&permit.plan, policy_digest, &encoded, evaluation, recorded);
    outbox.keep_header(&header, &encoded.dataset)?;
    Ok(ApprovedUpdate {
        header,
        bytes: encoded.bytes,
    })
}

/// What may be seen of the evaluation, and what the ledger must hold before anything leaves; the update's entry is the last.
pub(crate) fn entries(plan: &StudyPlan, encoded: &Encoded, terms: &Terms) -> (Option<Evaluation>, Vec<Entry>) {
    let evaluation = terms
        .metrics
        .and_then(|shown| visible(encoded.evaluation.clone(), shown));
    let mut entries = Vec::new();
    if let Some(evaluation) = &evaluation {
        let (round, clause) = (Some(encoded.round), terms.clause.clone());
        entries.push(metrics_entry(plan, round, evaluation, clause, terms.policy_digest));
    }
    entries.push(Entry::UpdateApproved {
        study: plan.study.clone(),
        round: encoded.round,
        attempt: encoded.attempt,
        update_digest: encoded.digest,
        bytes: encoded.bytes.len() as u64,
        clause: terms.clause.clone(),
        policy_digest: terms.policy_digest,
    });
    (evaluation, entries)
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
        detailed: Some(evaluation.has_details()),
        clause,
        policy_digest,
    }
}

/// What may be shown of an evaluation: nothing in small cells.
pub(crate) fn visible(evaluation: Option<Evaluation>, shown: Shown) -> Option<Evaluation> {
    evaluation.map(|mut evaluation| {
        if !shown.with_details {
            evaluation.forget_details();
        }
        evaluation.hide_small_cells(shown.cell_min);
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
        let shown = |cell_min, with_details| {
            let shown = Shown { cell_min, with_details };
            visible(evaluation.clone(), shown)
        };
        assert_eq!(shown(4, true), evaluation);
        assert!(shown(5, true).is_some_and(|evaluation| evaluation.heads.is_empty()));
        assert!(evaluation.as_ref().is_some_and(Evaluation::has_details));
        assert!(shown(4, false).is_some_and(|shown| !shown.has_details() && shown.heads.len() == 1));
    }
}
