//! `PATCH /v1/uploads/{id}?offset=N`: the next bytes of an update.

use axum::{
    Json,
    body::Body,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use serde::Deserialize;
use snowball_protocol::{ids::UploadId, update::UploadState};

use super::{guard::Site, query, refusal::Answer};
use crate::{intake, state::Shared};

/// The query's part.
#[derive(Deserialize)]
pub struct Offset {
    offset: u64,
}

/// Takes a chunk; the last one brings the receipt.
pub async fn chunk(
    State(app): State<Shared>,
    Site(site): Site,
    Path(id): Path<String>,
    offset: Result<Query<Offset>, QueryRejection>,
    body: Body,
) -> Answer<Json<UploadState>> {
    let Offset { offset } = query(offset)?;
    Ok(Json(intake::receive(&app, &site, &UploadId(id), offset, body).await?))
}
