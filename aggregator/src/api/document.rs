//! JSON bodies: bounded, by deadline, and refused in our own words.

use std::time::Duration;

use axum::{
    body::to_bytes,
    extract::{FromRequest, Request},
};
use serde::de::DeserializeOwned;
use snowball_protocol::{ProblemCode, limits::JSON_BYTES_MAX};
use tokio::time::timeout;

use super::refusal::Refusal;

/// A JSON document is small: one that takes longer is a stalled line.
const BODY_SECONDS_MAX: u64 = 60;

/// A request's body as `T`.
pub struct Document<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Document<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Refusal> {
        let body = timeout(
            Duration::from_secs(BODY_SECONDS_MAX),
            to_bytes(request.into_body(), JSON_BYTES_MAX),
        );
        let bytes = match body.await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(_)) => {
                let reason = format!("the body is longer than {JSON_BYTES_MAX} bytes or broke off");
                return Err(Refusal::new(ProblemCode::TooLarge, reason));
            }
            Err(_) => return Err(Refusal::new(ProblemCode::Busy, "the body did not arrive in time")),
        };
        // serde's message may quote the document; its place is enough to find the fault and holds no value.
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let reason = format!(
                "the body is not the document expected here (line {}, column {})",
                error.line(),
                error.column()
            );
            Refusal::new(ProblemCode::Malformed, reason)
        })
    }
}
