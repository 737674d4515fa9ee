//! `GET /v1/studies`: the studies that were started, as this site sees them.

use axum::{Json, extract::State};
use snowball_protocol::session::StudySummary;

use super::guard::Site;
use crate::state::Shared;

/// Lists them by name.
pub async fn studies(State(app): State<Shared>, Site(site): Site) -> Json<Vec<StudySummary>> {
    Json(app.studies.all().iter().map(|desk| desk.summary(&site)).collect())
}
