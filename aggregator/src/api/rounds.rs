//! `GET /v1/studies/{study}/rounds`: the records of the finished rounds, for the sites that took part.

use axum::{
    Json,
    extract::{Path, State},
};
use snowball_protocol::{Problem, ProblemCode, record::RoundRecord};

use super::{
    desk,
    guard::Site,
    refusal::{Answer, Refusal},
};
use crate::state::Shared;

/// Lists them in order.
pub async fn rounds(
    State(app): State<Shared>,
    Site(site): Site,
    Path(study): Path<String>,
) -> Answer<Json<Vec<RoundRecord>>> {
    let desk = desk(&app, &study)?;
    if !desk.is_member(&site) {
        return Err(Refusal::new(
            ProblemCode::NotJoined,
            "the records are for sites that take part",
        ));
    }
    let rounds = app
        .core
        .registry
        .rounds(&desk.plan().study)
        .await
        .map_err(Problem::from)?;
    Ok(Json(rounds.into_iter().filter_map(|round| round.record).collect()))
}
