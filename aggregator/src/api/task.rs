//! `GET /v1/studies/{study}/task?wait_seconds=N`: what the site should do now; answered the moment there is something.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use serde::Deserialize;
use snowball_protocol::{limits::LONG_POLL_SECONDS_MAX, session::Task};
use tokio::time::sleep;

use super::{desk, guard::Site, query, refusal::Answer};
use crate::state::Shared;

/// The query's part.
#[derive(Deserialize)]
pub struct Wait {
    #[serde(default)]
    wait_seconds: u32,
}

/// Answers at once where there is something to do, else at the change that brings it, else after the wait.
pub async fn task(
    State(app): State<Shared>,
    Site(site): Site,
    Path(study): Path<String>,
    wait: Result<Query<Wait>, QueryRejection>,
) -> Answer<Json<Task>> {
    let Wait { wait_seconds } = query(wait)?;
    let desk = desk(&app, &study)?;
    let mut stop = app.stop.clone();
    let over = sleep(Duration::from_secs(u64::from(wait_seconds.min(LONG_POLL_SECONDS_MAX))));
    tokio::pin!(over);
    // Subscribed before the first look: no change falls in between.
    let mut bell = desk.changes(&site);
    loop {
        let (task, is_worth_an_answer) = desk.task(&site);
        if is_worth_an_answer {
            return Ok(Json(task));
        }
        tokio::select! {
            () = bell.ring() => {}
            () = &mut over => return Ok(Json(desk.task(&site).0)),
            () = stop.asked() => return Ok(Json(task)),
        }
    }
}
