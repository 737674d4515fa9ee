//! Decide: the policy in force at this moment, asked once more before anything leaves.

use snowball_ledger::Entry;
use snowball_policy::{Action, Clause, DatasetFacts, Decision, Request, Spent};
use snowball_protocol::{
    RoundNumber, Sha256Digest, StudyPlan,
    evaluation::Evaluation,
    plan::{Sent, canonical_json},
};

use crate::{
    door::Door,
    error::EgressError,
    filter::Encoded,
    record::{Shown, Terms},
};

/// What the policy permitted, for one update and no other.
pub struct EgressPermit {
    pub(crate) update_digest: Sha256Digest,
    pub(crate) plan: StudyPlan,
    pub(crate) terms: Terms,
}

pub(crate) fn decide(door: &Door, plan: &StudyPlan, encoded: &Encoded) -> Result<EgressPermit, EgressError> {
    let (round, dataset) = (Some(encoded.round), &encoded.dataset);
    let update = Thing {
        kind: Sent::Update,
        bytes: encoded.bytes.len() as u64,
        digest: encoded.digest,
    };
    let update = ask_to_send(door, plan, round, update, dataset)?;
    let (mut metrics, mut with_details) = (None, false);
    if let Some(evaluation) = &encoded.evaluation {
        let mut evaluation = evaluation.clone();
        with_details = may_be_detailed(door, plan, round, &mut evaluation, dataset)?;
        metrics = permitted(ask_to_send(door, plan, round, Thing::metrics(&evaluation), dataset))?;
    }
    Ok(EgressPermit {
        update_digest: encoded.digest,
        plan: plan.clone(),
        terms: Terms {
            policy_digest: update.policy_digest,
            clause: update.clause,
            metrics: metrics.map(|permitted| Shown {
                cell_min: permitted.cell_min,
                with_details,
            }),
        },
    })
}

/// Whether the details of `evaluation` may leave with it; they are taken out where they may not.
pub(crate) fn may_be_detailed(
    door: &Door,
    plan: &StudyPlan,
    round: Option<RoundNumber>,
    evaluation: &mut Evaluation,
    dataset: &DatasetFacts,
) -> Result<bool, EgressError> {
    if !plan.send.contains(&Sent::DetailedMetrics) {
        evaluation.forget_details();
    }
    if !evaluation.has_details() {
        return Ok(false);
    }
    let thing = Thing {
        kind: Sent::DetailedMetrics,
        ..Thing::metrics(evaluation)
    };
    let may = permitted(ask_to_send(door, plan, round, thing, dataset))?.is_some();
    if !may {
        evaluation.forget_details();
    }
    Ok(may)
}

/// The permit, or none where the policy denies: what it is about then stays, and the rest leaves.
pub(crate) fn permitted(answer: Result<Permitted, EgressError>) -> Result<Option<Permitted>, EgressError> {
    match answer {
        Ok(permitted) => Ok(Some(permitted)),
        Err(EgressError::Denied { .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Something that is to leave.
pub(crate) struct Thing {
    kind: Sent,
    bytes: u64,
    digest: Sha256Digest,
}

impl Thing {
    /// An evaluation as it is, small cells included: what is hidden of it later makes it smaller only.
    pub(crate) fn metrics(evaluation: &Evaluation) -> Self {
        let bytes = canonical_json(evaluation);
        Self {
            kind: Sent::Metrics,
            bytes: bytes.len() as u64,
            digest: Sha256Digest::of(&bytes),
        }
    }
}

/// Asks whether `thing` may leave. What was permitted before a crash and is sent again does not count against itself.
pub(crate) fn ask_to_send(
    door: &Door,
    plan: &StudyPlan,
    round: Option<RoundNumber>,
    thing: Thing,
    dataset: &DatasetFacts,
) -> Result<Permitted, EgressError> {
    let Thing { kind, bytes, digest } = thing;
    let spent = door.spent(&plan.study, round, Some(&digest));
    ask_with(door, plan, round, Action::Send { kind, bytes }, dataset, spent)
}

/// One permitted action.
pub(crate) struct Permitted {
    pub policy_digest: Sha256Digest,
    pub clause: String,
    pub cell_min: u64,
}

/// Asks the policy and records its answer, whichever it is.
pub(crate) fn ask(
    door: &Door,
    plan: &StudyPlan,
    round: Option<RoundNumber>,
    action: Action,
    dataset: &DatasetFacts,
) -> Result<Permitted, EgressError> {
    let spent = door.spent(&plan.study, round, None);
    ask_with(door, plan, round, action, dataset, spent)
}

fn ask_with(
    door: &Door,
    plan: &StudyPlan,
    round: Option<RoundNumber>,
    action: Action,
    dataset: &DatasetFacts,
    spent: Spent,
) -> Result<Permitted, EgressError> {
    let policy = (door.read_policy)();
    let request = Request {
        site: &door.site,
        plan,
        action,
        dataset: *dataset,
        spent,
        is_confined: door.is_confined,
        now: (door.clock)(),
    };
    let decision = snowball_policy::decide(policy.as_ref(), &request);
    let policy_digest = policy.as_ref().ok().map(|signed| signed.digest);
    let clause = decision.clause().to_string();
    door.record(Entry::DecisionMade {
        study: plan.study.clone(),
        round,
        action: action.code().to_owned(),
        permitted: decision.is_permitted(),
        clause: clause.clone(),
        policy_digest,
    })?;
    let public_words = decision.public_words();
    match (decision, policy) {
        (Decision::Permit { .. }, Ok(policy)) => Ok(Permitted {
            policy_digest: policy.digest,
            clause,
            cell_min: policy.policy.cell_min(),
        }),
        (Decision::Permit { clauses }, Err(_)) => Err(EgressError::Denied {
            clause: clauses.into_iter().next().unwrap_or(Clause::Policy),
            reason: "a permit without a policy".to_owned(),
            remedy: "report this: it must never happen".to_owned(),
            public_words,
        }),
        (Decision::Deny { clause, reason, remedy }, _) => Err(EgressError::Denied {
            clause,
            reason,
            remedy,
            public_words,
        }),
    }
}
