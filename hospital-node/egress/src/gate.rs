//! Decide: the policy in force at this moment, asked once more before anything leaves.

use snowball_ledger::Entry;
use snowball_policy::{Action, Clause, DatasetFacts, Decision, Request};
use snowball_protocol::{RoundNumber, Sha256Digest, StudyPlan, plan::Sent};

use crate::{door::Door, error::EgressError, filter::Encoded, record::Terms};

/// What the policy permitted, for one update and no other.
pub struct EgressPermit {
    pub(crate) update_digest: Sha256Digest,
    pub(crate) plan: StudyPlan,
    pub(crate) terms: Terms,
}

pub(crate) fn decide(door: &Door, plan: &StudyPlan, encoded: &Encoded) -> Result<EgressPermit, EgressError> {
    let bytes = encoded.bytes.len() as u64;
    let update = ask(
        door,
        plan,
        Some(encoded.round),
        Action::Send {
            kind: Sent::Update,
            bytes,
        },
        &encoded.dataset,
    )?;
    let metrics = match &encoded.evaluation {
        Some(_) => ask(
            door,
            plan,
            Some(encoded.round),
            Action::Send {
                kind: Sent::Metrics,
                bytes: 0,
            },
            &encoded.dataset,
        )
        .ok(),
        None => None,
    };
    Ok(EgressPermit {
        update_digest: encoded.digest,
        plan: plan.clone(),
        terms: Terms {
            policy_digest: update.policy_digest,
            clause: update.clause,
            metrics_cell_min: metrics.map(|permitted| permitted.cell_min),
        },
    })
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
    let policy = (door.read_policy)();
    let request = Request {
        site: &door.site,
        plan,
        action,
        dataset: *dataset,
        spent: door.spent(&plan.study, round)?,
        now: (door.clock)(),
    };
    let decision = snowball_policy::decide(policy.as_ref(), &request);
    let policy_digest = policy.as_ref().ok().map(|signed| signed.digest);
    let clause = decision.clause().to_string();
    door.record(Entry::DecisionMade {
        study: plan.study.clone(),
        round,
        action: word(action).to_owned(),
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

const fn word(action: Action) -> &'static str {
    match action {
        Action::Join => "join",
        Action::Train => "train",
        Action::Send { kind: Sent::Update, .. } => "send update",
        Action::Send {
            kind: Sent::Metrics, ..
        } => "send metrics",
    }
}
