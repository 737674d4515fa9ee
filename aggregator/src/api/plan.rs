//! `GET /v1/studies/{study}/plan`: the canonical bytes, whose SHA-256 is the digest that a site approves.

use axum::{
    extract::{Path, State},
    http::header::CONTENT_TYPE,
    response::IntoResponse,
};

use super::{desk, guard::Site, refusal::Answer};
use crate::state::Shared;

/// Hands out the plan.
pub async fn plan(State(app): State<Shared>, _site: Site, Path(study): Path<String>) -> Answer<impl IntoResponse> {
    let desk = desk(&app, &study)?;
    Ok(([(CONTENT_TYPE, "application/json")], desk.plan_bytes().to_vec()))
}
