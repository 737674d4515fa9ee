//! `GET /v1/studies/{study}/controls/{round}`: the control variate of all sites that goes with the newest model, whole or from where a
//! broken line left off. Only under SCAFFOLD, and only while a round is trained from that model: older ones are nobody's business.

use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use snowball_protocol::{Problem, ProblemCode};
use snowball_registry::ObjectName;

use super::{
    desk,
    guard::Site,
    models::stream,
    refusal::{Answer, Refusal},
    round as round_of,
};
use crate::state::Shared;

/// Streams the bytes that the request asks for.
pub async fn control(
    State(app): State<Shared>,
    Site(site): Site,
    Path((study, round)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let (desk, round) = (desk(&app, &study)?, round_of(&round)?);
    if !desk.is_member(&site) {
        return Err(Refusal::new(
            ProblemCode::NotJoined,
            "control variates are for sites that take part",
        ));
    }
    let newest = desk.model().filter(|newest| newest.round == round);
    if newest.is_none_or(|newest| newest.control.is_none()) || round.0 >= desk.plan().rounds.count {
        return Err(Problem::new(
            ProblemCode::NotFound,
            "no control variate goes with the model of this round, or not any more",
        )
        .with_remedy("take the task again: it says whether there is one")
        .into());
    }
    stream(&app, ObjectName::server_state(&desk.plan().study, round), &headers).await
}
