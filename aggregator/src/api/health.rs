//! `GET /v1/health`: alive, and nothing that a stranger should not know.

use axum::Json;
use serde_json::{Value, json};
use snowball_service::clock;

/// Answers while the process serves; a node compares the clock before it enrols.
pub async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "clock": clock::now() }))
}
