//! Answers: bounded, in JSON, or a refusal.

use std::error::Error as _;

use futures_util::StreamExt;
use reqwest::Response;
use serde::de::DeserializeOwned;
use snowball_protocol::{Problem, RequestId, limits::JSON_BYTES_MAX, problem::ProblemCode};

use super::handshake;
use crate::error::EgressError;

/// A document, or why there is none.
pub(super) async fn answer<T: DeserializeOwned>(response: Response, id: Option<&RequestId>) -> Result<T, EgressError> {
    if !response.status().is_success() {
        return Err(refusal(response, id).await);
    }
    let bytes = bounded(response).await?;
    serde_json::from_slice(&bytes).map_err(|fault| EgressError::Answer {
        reason: format!("it is not the JSON that was due: {fault}"),
    })
}

/// What the other side has against a request, under the number that this side gave it.
pub(super) async fn refusal(response: Response, id: Option<&RequestId>) -> EgressError {
    let status = response.status();
    match bounded(response).await {
        Ok(bytes) => match serde_json::from_slice::<Problem>(&bytes) {
            Ok(mut problem) => {
                // Ours, whatever the other side calls it: it is what stands in this log.
                problem.request = id.map(ToString::to_string);
                if problem.code != ProblemCode::Busy {
                    tracing::info!(
                        request = problem.request.as_deref().unwrap_or("none"),
                        code = ?problem.code,
                        "the aggregator refused a request"
                    );
                }
                EgressError::Refused(problem)
            }
            // A proxy or balancer in between may answer in its own words; a fault of theirs may pass.
            Err(_) if status.is_server_error() => EgressError::Refused(Problem::new(
                ProblemCode::Busy,
                format!("the line answered HTTP {status}"),
            )),
            Err(_) => EgressError::Answer {
                reason: format!("HTTP {status} without a reason; is this a Snowball aggregator?"),
            },
        },
        Err(fault) => fault,
    }
}

/// The whole body, of which there is a most.
async fn bounded(response: Response) -> Result<Vec<u8>, EgressError> {
    let mut bytes = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk.map_err(unreachable)?);
        if bytes.len() > JSON_BYTES_MAX * 16 {
            return Err(too_long());
        }
    }
    Ok(bytes)
}

/// More came than was due.
pub(super) fn too_long() -> EgressError {
    EgressError::Answer {
        reason: "it is longer than it may be".to_owned(),
    }
}

/// Why a request had no answer, as far as the line tells.
pub(super) fn unreachable(fault: reqwest::Error) -> EgressError {
    handshake::broken(&fault, chain(&fault))
}

/// The innermost cause first said plainly: "connection refused" tells more than "error sending request".
pub(super) fn chain(fault: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = fault;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    if fault.source().is_none() {
        fault.to_string()
    } else {
        innermost.to_string()
    }
}
