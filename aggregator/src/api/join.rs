//! `POST /v1/studies/{study}/join`: the site's policy permits the study.

use axum::{
    Json,
    extract::{Path, State},
};
use snowball_protocol::{
    Problem, ProblemCode,
    session::{JoinRequest, StudySummary},
};

use super::{desk, document::Document, guard::Site, refusal::Answer};
use crate::{driver::Desk, state::Shared};

/// Lets a site in; durable before it is answered, and the same for every retry.
pub async fn join(
    State(app): State<Shared>,
    Site(site): Site,
    Path(study): Path<String>,
    Document(request): Document<JoinRequest>,
) -> Answer<Json<StudySummary>> {
    let desk = desk(&app, &study)?;
    check(&desk, &request)?;
    desk.join(site.clone(), request).await?;
    Ok(Json(desk.summary(&site)))
}

fn check(desk: &Desk, request: &JoinRequest) -> Result<(), Problem> {
    if request.plan_digest != desk.plan_digest() {
        return Err(Problem::new(
            ProblemCode::PlanMismatch,
            "the plan that the site approved is not this study's",
        ));
    }
    if request.layout_digest != desk.layout_digest() {
        return Err(Problem::new(
            ProblemCode::LayoutMismatch,
            "the site computes another parameter layout from the plan",
        ));
    }
    if request.training_examples == 0 {
        return Err(Problem::new(
            ProblemCode::ExamplesOutOfRange,
            "the site has no training example",
        ));
    }
    Ok(())
}
