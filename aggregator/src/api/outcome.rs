//! `GET /v1/studies/{study}/rounds/{round}/outcome`: which model a round made, signed, for the sites that took part.

use axum::{
    Json,
    extract::{Path, State},
};
use snowball_protocol::{
    Problem, ProblemCode,
    outcome::{RoundOutcome, SignedOutcome},
};

use super::{
    desk,
    guard::Site,
    refusal::{Answer, Refusal},
    round,
};
use crate::state::Shared;

/// Signs what the record of the round says; the same record always gets the same signature.
pub async fn outcome(
    State(app): State<Shared>,
    Site(site): Site,
    Path((study, number)): Path<(String, String)>,
) -> Answer<Json<SignedOutcome>> {
    let (desk, round) = (desk(&app, &study)?, round(&number)?);
    if !desk.is_member(&site) {
        return Err(Refusal::new(
            ProblemCode::NotJoined,
            "outcomes are for sites that take part",
        ));
    }
    let record = app.core.registry.record(&desk.plan().study, round).await;
    let record = record
        .map_err(Problem::from)?
        .ok_or_else(|| Refusal::new(ProblemCode::NotFound, "the round has not made a model yet"))?;
    let outcome = RoundOutcome {
        study: record.study,
        round: record.round,
        plan_digest: desk.plan_digest(),
        model_in: record.model_in,
        model_out: record.model_out,
        contributions: record.contributions.len() as u64,
        closed: record.closed,
    };
    let signature = app.core.key.sign(&outcome.signed_bytes()).to_string();
    Ok(Json(SignedOutcome { outcome, signature }))
}
