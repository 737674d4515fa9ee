//! Each request's number: the node's own, or one that is drawn here. It stands on every line of the log that belongs to the request, in
//! the answer's head, and in a refusal, so that a hospital and the coordinator can speak of the same request.

use axum::{
    Json,
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use snowball_protocol::{Problem, ProblemCode, RequestId};
use tracing::{Instrument as _, Span, field};

use crate::server::Peer;

const HEADER: HeaderName = HeaderName::from_static(RequestId::HEADER);

/// What a span of a request may learn on its way: which site asks.
pub const SITE: &str = "site";

/// Numbers a request before anything else looks at it.
pub async fn number(request: Request, next: Next) -> Response {
    let asked = request.headers().get(HEADER).and_then(|value| value.to_str().ok());
    // Without random numbers there is no TLS either, so nobody comes here without one.
    let drawn = || RequestId::drawn(&snowball_crypto::random_token().ok()?);
    let Some(id) = asked.and_then(RequestId::read).or_else(drawn) else {
        return next.run(request).await;
    };
    // The route and not the address, which may hold the number of an enrolment.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let span = tracing::info_span!(
        "request",
        request = id.as_str(),
        method = %request.method(),
        route = route.as_deref().unwrap_or("unknown"),
        site = field::Empty,
    );
    let is_known = request.extensions().get::<Peer>().is_some_and(|peer| peer.0.is_some());
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        span.in_scope(|| told(&problem, is_known));
        response = with_number(response, problem, &id);
    } else {
        span.in_scope(|| tracing::debug!(status = response.status().as_u16(), "answered"));
    }
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

/// Which site asks, on every line from here on.
pub fn asked_by(site: &impl std::fmt::Display) {
    Span::current().record(SITE, field::display(site));
}

/// A stranger, or a site that is told to come later, must not be able to fill the log.
fn told(problem: &Problem, is_known: bool) {
    if is_known && problem.code != ProblemCode::Busy {
        tracing::info!(code = ?problem.code, reason = problem.reason, "refused");
    } else {
        tracing::debug!(code = ?problem.code, reason = problem.reason, "refused");
    }
}

/// The same refusal, which names its request.
fn with_number(response: Response, problem: Problem, id: &RequestId) -> Response {
    let status = response.status();
    let problem = Problem {
        request: Some(id.to_string()),
        ..problem
    };
    (status, Json(problem)).into_response()
}
