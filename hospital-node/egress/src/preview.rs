//! A dry run: the messages that a site would send for a study, from a candidate that was trained on made-up radiographs.
//!
//! The same filter, record and messages as in earnest. What comes out cannot be sent: no permit is made and no update
//! approved, and the entries go into a ledger that is thrown away.

use snowball_ledger::Ledger;
use snowball_protocol::{Sha256Digest, StudyPlan, evaluation::Evaluation, ids::UnixSeconds, plan::Sent};

use crate::{
    candidate::Candidate,
    error::EgressError,
    filter,
    message::{self, Message},
    record::{self, Shown, Terms},
};

/// On what a policy would let things leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Assumed {
    /// Digest of the policy.
    pub policy_digest: Sha256Digest,
    /// What may be shown of measurements; none: they stay.
    pub metrics: Option<Shown>,
}

/// Every message of a study of one round, in order. `last` is the quality of the final model.
///
/// # Errors
/// When the update would not be fit to leave, or `ledger` cannot be written.
pub fn preview(
    plan: &StudyPlan,
    candidate: Candidate,
    last: Evaluation,
    assumed: &Assumed,
    ledger: &mut Ledger,
    now: UnixSeconds,
) -> Result<Vec<Message>, EgressError> {
    let (dataset, layout) = (candidate.dataset, candidate.layout_digest);
    let encoded = filter::filter(plan, candidate, None)?;
    // As the gate: what the plan does not ask for is not permitted.
    let metrics = assumed.metrics.filter(|_| plan.send.contains(&Sent::Metrics));
    let metrics = metrics.map(|shown| Shown {
        with_details: shown.with_details && plan.send.contains(&Sent::DetailedMetrics),
        ..shown
    });
    let terms = Terms {
        policy_digest: assumed.policy_digest,
        clause: "preview".to_owned(),
        metrics,
    };
    let (evaluation, entries) = record::entries(plan, &encoded, &terms);
    let records = ledger.append_all(now, entries).map_err(EgressError::Ledger)?;
    let recorded = records.last().map(|record| (record.index, record.hash));
    let recorded = recorded.unwrap_or((0, ledger.head().hash));
    let header = message::header(plan, assumed.policy_digest, &encoded, evaluation, recorded);
    let head = ledger.signed_head().map_err(EgressError::Ledger)?;
    let shown = metrics.and_then(|shown| record::visible(Some(last.rounded()), shown));
    // Of the same form as the shared model's, in counts; in a preview there is no other one.
    let mut own = shown.clone().filter(|_| plan.comparison.own_model);
    own.iter_mut().for_each(Evaluation::forget_details);
    Ok(vec![
        message::hello(Some(assumed.policy_digest), now),
        // A preview needs no enrolment, so it knows no real authority.
        message::authorities(vec![Sha256Digest::of(b"a certificate authority of a preview")]),
        message::join(plan, assumed.policy_digest, layout, &dataset),
        message::ledger_head(head.note),
        message::update_header(&header),
        message::chunk("UPLOAD", 0, encoded.bytes.clone()),
        message::evaluation(plan, shown, own),
    ])
}

/// What is sent instead of all else where the policy does not permit the study.
#[must_use]
pub fn decline(plan: &StudyPlan, clause: &str, public_words: &str) -> Message {
    message::decline(plan, clause, public_words)
}

#[cfg(test)]
mod tests {
    use snowball_crypto::SigningKey;
    use snowball_ledger::Entry;
    use snowball_protocol::update::{FinalEvaluation, UpdateHeader};

    use super::*;
    use crate::{
        message::Kind,
        testing::{candidate, plan},
    };

    fn run(plan: &StudyPlan, cell_min: Option<u64>) -> (UpdateHeader, FinalEvaluation, Vec<Message>) {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(folder.path(), "north", SigningKey::generate().unwrap()).unwrap();
        let candidate = candidate(vec![1.0, -2.0]);
        let last = candidate.evaluation.clone().unwrap();
        let assumed = Assumed {
            policy_digest: Sha256Digest::of(b"policy"),
            metrics: cell_min.map(|cell_min| Shown {
                cell_min,
                with_details: true,
            }),
        };
        let messages = preview(plan, candidate, last, &assumed, &mut ledger, 7).unwrap();
        let records = snowball_ledger::read(folder.path()).unwrap();
        let approved = records.last().unwrap();
        assert!(matches!(&approved.entry, Entry::UpdateApproved { bytes: 8, .. }));
        let of = |kind| messages.iter().find(|message| message.kind == kind).unwrap();
        let header: UpdateHeader = serde_json::from_slice(of(Kind::UpdateHeader).body.as_bytes()).unwrap();
        assert_eq!(
            (header.ledger_index, header.ledger_head),
            (approved.index, approved.hash)
        );
        let last = serde_json::from_slice(of(Kind::Evaluation).body.as_bytes()).unwrap();
        (header, last, messages)
    }

    #[test]
    fn measurements_leave_as_the_assumed_policy_says_and_small_cells_stay() {
        let plan = plan();
        let (header, last, messages) = run(&plan, Some(4));
        assert!(header.evaluation.is_some_and(|evaluation| evaluation.heads.len() == 1));
        assert!(last.evaluation.is_some());
        let kinds: Vec<Kind> = messages.iter().map(|message| message.kind).collect();
        let order = [
            Kind::Hello,
            Kind::Authorities,
            Kind::Join,
            Kind::LedgerHead,
            Kind::UpdateHeader,
            Kind::Update,
            Kind::Evaluation,
        ];
        assert_eq!(kinds, order);
        let (header, last, _) = run(&plan, Some(5));
        assert!(header.evaluation.is_some_and(|evaluation| evaluation.heads.is_empty()));
        assert!(last.evaluation.is_some_and(|evaluation| evaluation.heads.is_empty()));
        let (header, last, _) = run(&plan, None);
        assert!(header.evaluation.is_none() && last.evaluation.is_none());
    }

    #[test]
    fn details_leave_only_where_the_plan_asks_for_them_and_not_of_the_sites_own_model() {
        let mut plan = plan();
        plan.comparison.own_model = true;
        let has = |evaluation: &Option<Evaluation>| evaluation.as_ref().is_some_and(Evaluation::has_details);
        let (header, last, _) = run(&plan, Some(4));
        assert!(header.evaluation.is_some() && !has(&header.evaluation) && !has(&last.evaluation));
        plan.send.push(Sent::DetailedMetrics);
        let (header, last, _) = run(&plan, Some(4));
        assert!(has(&header.evaluation) && has(&last.evaluation));
        assert!(last.own.is_some() && !has(&last.own));
    }

    #[test]
    fn what_the_plan_does_not_ask_for_is_in_no_message() {
        let mut plan = plan();
        plan.send = vec![Sent::Update];
        let (header, last, _) = run(&plan, Some(1));
        assert!(header.evaluation.is_none() && last.evaluation.is_none());
    }
}
