//! Each request's number: the node's own, or one that is drawn here. It stands on every line of the log that belongs to the request, in
//! the answer's head, and in a refusal, so that a hospital and the coordinator can speak of the same request.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use snowball_protocol::{Problem, ProblemCode, RequestId, SiteName};
use tracing::{Instrument as _, Span, field};

use crate::server::Peer;

const HEADER: HeaderName = HeaderName::from_static(RequestId::HEADER);

/// What a span of a request may learn on its way: which site asks.
pub const SITE: &str = "site";

/// A site's refusals of one code come to the log once in so long at the usual level.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// What was told lately. Only certificates of the consortium get in, and there is a closed list of codes, so it stays small.
#[derive(Default)]
pub struct Told(Mutex<HashMap<(SiteName, ProblemCode), Instant>>);

impl Told {
    fn is_due(&self, site: &SiteName, code: ProblemCode, now: Instant) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = told.get(&(site.clone(), code));
        let is_due = last.is_none_or(|last| now.saturating_duration_since(*last) >= TOLD_EVERY);
        if is_due {
            told.insert((site.clone(), code), now);
        }
        is_due
    }
}

/// Numbers a request before anything else looks at it.
pub async fn number(State(lately): State<Arc<Told>>, request: Request, next: Next) -> Response {
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
    let certificate = request.extensions().get::<Peer>().and_then(|peer| peer.0.as_ref());
    let peer = certificate.map(|certificate| certificate.site.clone());
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        span.in_scope(|| tell(&problem, peer.as_ref(), &lately));
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

/// A stranger, a site that is told to come later, or one that asks for the same again and again (it may be revoked) must not be able to
/// fill the log.
fn tell(problem: &Problem, peer: Option<&SiteName>, lately: &Told) {
    let is_due = |site| lately.is_due(site, problem.code, Instant::now());
    if problem.code != ProblemCode::Busy && peer.is_some_and(is_due) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_that_is_refused_again_and_again_is_told_of_once_a_minute() {
        let (told, start) = (Told::default(), Instant::now());
        let [north, south] = ["north", "south"].map(|name| name.parse::<SiteName>().unwrap());
        let revoked = ProblemCode::CertificateRevoked;
        let times = (0..24_000).map(|turn| start + Duration::from_millis(5 * turn));
        let count = times.filter(|now| told.is_due(&north, revoked, *now)).count();
        assert_eq!(count, 2, "of two minutes with 200 refusals a second");
        assert!(told.is_due(&north, ProblemCode::NotFound, start), "another code");
        assert!(told.is_due(&south, revoked, start), "another site");
    }
}
