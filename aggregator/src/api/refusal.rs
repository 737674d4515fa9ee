//! Refusals as HTTP answers. What went wrong inside stays in the log; the other side reads only the problem.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use snowball_protocol::{Problem, ProblemCode};

/// A route's refusal.
#[derive(Debug)]
pub struct Refusal(pub Problem);

/// A route's result.
pub type Answer<T> = Result<T, Refusal>;

impl Refusal {
    /// With the code's usual remedy.
    pub fn new(code: ProblemCode, reason: impl Into<String>) -> Self {
        Self(Problem::new(code, reason))
    }

    /// A fault of ours: the log gets the cause, the other side only learns that it is not to blame.
    pub fn internal(doing: &str, cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "{doing} failed");
        Self::new(ProblemCode::Internal, format!("the aggregator failed at {doing}"))
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self.0)).into_response();
        // For `ticket`, which writes the request's number into it.
        response.extensions_mut().insert(self.0);
        response
    }
}
