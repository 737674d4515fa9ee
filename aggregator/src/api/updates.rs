//! `POST /v1/studies/{study}/rounds/{round}/updates`: announces an update.

use axum::{
    Json,
    extract::{Path, State},
};
use snowball_protocol::{
    ProblemCode,
    update::{UpdateHeader, UploadState},
};

use super::{
    desk,
    document::Document,
    guard::Site,
    refusal::{Answer, Refusal},
    round as round_of,
};
use crate::{intake, state::Shared};

/// Says where the upload stands; a replay of an update that counted gets its receipt.
pub async fn announce(
    State(app): State<Shared>,
    Site(site): Site,
    Path((study, round)): Path<(String, String)>,
    Document(header): Document<UpdateHeader>,
) -> Answer<Json<UploadState>> {
    let desk = desk(&app, &study)?;
    if header.study != desk.plan().study || header.round != round_of(&round)? {
        return Err(Refusal::new(
            ProblemCode::Malformed,
            "the announcement is for another study or round than its address",
        ));
    }
    Ok(Json(intake::announce(&app, &desk, &site, &header).await?))
}
