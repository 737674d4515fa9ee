//! `POST /v1/studies/{study}/evaluation`: the quality of the final model at a site.

use axum::{
    Json,
    extract::{Path, State},
};
use snowball_protocol::{ProblemCode, session::StudySummary, update::FinalEvaluation};

use super::{
    desk,
    document::Document,
    guard::Site,
    refusal::{Answer, Refusal},
};
use crate::state::Shared;

/// Keeps the first evaluation of each site; durable before it is answered.
pub async fn evaluation(
    State(app): State<Shared>,
    Site(site): Site,
    Path(study): Path<String>,
    Document(evaluation): Document<FinalEvaluation>,
) -> Answer<Json<StudySummary>> {
    let desk = desk(&app, &study)?;
    if let Some(numbers) = &evaluation.evaluation {
        let model = desk
            .model()
            .ok_or_else(|| Refusal::new(ProblemCode::StudyClosed, "the study has no model yet"))?;
        snowball_rounds::check_evaluation(desk.plan(), model.digest, numbers)?;
    }
    if let Some(own) = &evaluation.own {
        if !desk.plan().comparison.own_model {
            return Err(Refusal::new(
                ProblemCode::Malformed,
                "the plan does not ask for the site's own model",
            ));
        }
        snowball_rounds::check_evaluation(desk.plan(), own.model_digest, own)?;
    }
    desk.evaluated(site.clone(), evaluation).await?;
    Ok(Json(desk.summary(&site)))
}
