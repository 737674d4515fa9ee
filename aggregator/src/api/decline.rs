//! `POST /v1/studies/{study}/decline`: the site's policy does not permit the study. A normal outcome, written down.

use axum::{
    Json,
    extract::{Path, State},
};
use snowball_ledger::Entry;
use snowball_protocol::{
    Problem, ProblemCode,
    session::{Decline, StudySummary},
};
use snowball_service::clock;

use super::{desk, document::Document, guard::Site, refusal::Answer};
use crate::state::Shared;

/// Longest clause and reason that are kept, in bytes.
const CLAUSE_BYTES_MAX: usize = 256;
const REASON_BYTES_MAX: usize = 2048;

/// Notes a site's refusal.
pub async fn decline(
    State(app): State<Shared>,
    Site(site): Site,
    Path(study): Path<String>,
    Document(decline): Document<Decline>,
) -> Answer<Json<StudySummary>> {
    let desk = desk(&app, &study)?;
    if decline.plan_digest != desk.plan_digest() {
        return Err(Problem::new(
            ProblemCode::PlanMismatch,
            "the plan that the site evaluated is not this study's",
        )
        .into());
    }
    if decline.clause.len() > CLAUSE_BYTES_MAX || decline.reason.len() > REASON_BYTES_MAX {
        return Err(Problem::new(ProblemCode::Malformed, "the clause or the reason is too long").into());
    }
    let (study, now) = (&desk.plan().study, clock::now());
    app.core
        .registry
        .decline(study, &site, &decline, now)
        .await
        .map_err(Problem::from)?;
    tracing::info!(%study, %site, clause = decline.clause, "a site declined the study");
    let (plan_digest, clause) = (decline.plan_digest, decline.clause);
    let entry = Entry::StudyDeclined {
        study: study.clone(),
        site: Some(site.clone()),
        plan_digest,
        clause,
    };
    app.core.record(now, vec![entry]).await;
    Ok(Json(desk.summary(&site)))
}
