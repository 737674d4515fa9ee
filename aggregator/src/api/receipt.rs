//! `GET /v1/studies/{study}/rounds/{round}/receipt`: the receipt of the site's own update that counts in a round, for a site that never heard
//! it: its line broke with the answer, or its machine stopped, and the study ended before it came back.

use axum::{
    Json,
    extract::{Path, State},
};
use snowball_protocol::{Problem, receipt::SignedReceipt};
use snowball_registry::UploadState;

use super::{desk, guard::Site, refusal::Answer, round};
use crate::state::Shared;

/// The one that was signed when the update was taken in, however long ago, also to a site that has left the study since; `null` where none of
/// its updates counts in the round, which an aggregator that does not know this route never says.
pub async fn receipt(
    State(app): State<Shared>,
    Site(site): Site,
    Path((study, number)): Path<(String, String)>,
) -> Answer<Json<Option<SignedReceipt>>> {
    let (desk, round) = (desk(&app, &study)?, round(&number)?);
    let admitted = app.core.registry.admitted(&desk.plan().study, round).await;
    let own = admitted
        .map_err(Problem::from)?
        .into_iter()
        .find(|upload| upload.site == site);
    Ok(Json(own.and_then(|upload| match upload.state {
        UploadState::Admitted { receipt, .. } => Some(receipt),
        _ => None,
    })))
}
