//! `GET /v1/health`: alive, and nothing that a stranger should not know.

use axum::Json;
use serde_json::{Value, json};

/// Answers while the process serves.
pub async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}
