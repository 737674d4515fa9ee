//! Deny by default: who may pass without a certificate is listed here, and nowhere else.

use std::{pin::Pin, time::Instant};

use axum::{
    body::{Body, HttpBody as _},
    extract::{FromRequestParts, Request, State},
    http::{Method, request::Parts},
    middleware::Next,
    response::Response,
};
use futures_util::{StreamExt as _, stream};
use snowball_protocol::{ProblemCode, SiteName};
use snowball_registry::Standing;
use snowball_service::{clock, tls::PeerCertificate};
use tokio::time::sleep;

use super::{
    refusal::{Answer, Refusal},
    share::{Place, WAIT},
    ticket,
};
use crate::{
    revoked::{EXPIRED, revoked},
    server::{Origin, Peer, Underway},
    state::Shared,
};

/// The site that asks: its certificate verified, is in force and was issued here.
#[derive(Clone)]
pub struct Site(pub SiteName);

/// The serial number of the certificate that it asks with.
#[derive(Clone)]
pub struct Serial(pub String);

/// Comes when a certificate is in force no more, with the words for its site.
type End = Pin<Box<dyn Future<Output = String> + Send>>;

/// What is kept until the last byte of an answer has gone out.
type Kept = (Option<Underway>, Place);

/// Lets a request through if its route is open or its certificate is in force, and only for as long as it is: whatever the
/// request still sends or waits for then is cut off. What was acknowledged stays.
pub async fn admit(State(app): State<Shared>, mut request: Request, next: Next) -> Answer<Response> {
    // Kept until there is an answer, so that the connection is not taken for a silent one.
    let underway = request.extensions().get::<Underway>().cloned();
    if is_open(request.method(), request.uri().path()) {
        if request.method() == Method::POST {
            // Absent only where no connection brought the request, as in a test of the router alone.
            let Origin(address) = request.extensions().get().copied().unwrap_or_default();
            app.pace.take(address, Instant::now())?;
        }
        return Ok(next.run(request).await);
    }
    let peer = request.extensions().get::<Peer>().and_then(|peer| peer.0.clone());
    let certificate = peer.ok_or_else(|| {
        Refusal::new(
            ProblemCode::CertificateMissing,
            "this route needs the site's certificate",
        )
    })?;
    // Before the database is asked anything.
    let place = match app.shares.take(&certificate.site, request.method(), Instant::now()) {
        Ok(place) => place,
        Err(refusal) => {
            sleep(WAIT).await;
            return Err(refusal);
        }
    };
    let site = authenticate(&app, &certificate).await?;
    ticket::asked_by(&site);
    if let Err(error) = app.core.registry.touch(&site, &certificate.serial, clock::now()).await {
        tracing::warn!(%error, "a heartbeat could not be saved");
    }
    request.extensions_mut().insert(Site(site));
    request.extensions_mut().insert(Serial(certificate.serial.clone()));
    let mut end: End = Box::pin(app.core.revoked.end_of(certificate));
    tokio::select! {
        response = next.run(request) => Ok(while_in_force(response, end, (underway, place))),
        reason = &mut end => Err(ended(reason)),
    }
}

/// A body that is made bit by bit breaks off when the certificate ends; any other is on its way already.
fn while_in_force(response: Response, end: End, kept: Kept) -> Response {
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    response.map(|body| {
        let blocks = stream::unfold(Some((body.into_data_stream(), end, kept)), async |under_way| {
            let (mut blocks, mut end, kept) = under_way?;
            tokio::select! {
                block = blocks.next() => Some((block?.map_err(std::io::Error::other), Some((blocks, end, kept)))),
                reason = &mut end => Some((Err(std::io::Error::other(reason)), None)),
            }
        });
        Body::from_stream(blocks)
    })
}

fn ended(reason: String) -> Refusal {
    Refusal::new(ProblemCode::CertificateRevoked, reason)
}

fn is_open(method: &Method, path: &str) -> bool {
    let single = |rest: &str| !rest.is_empty() && !rest.contains('/');
    match *method {
        Method::GET => path == "/v1/health",
        Method::POST => path == "/v1/enrolments" || path.strip_prefix("/v1/enrolments/").is_some_and(single),
        _ => false,
    }
}

async fn authenticate(app: &Shared, certificate: &PeerCertificate) -> Answer<SiteName> {
    if certificate.not_after < clock::now() {
        return Err(ended(EXPIRED.to_owned()));
    }
    match app.core.registry.standing(&certificate.serial).await {
        Ok(Standing::Known { site }) if site == certificate.site => Ok(site),
        Ok(Standing::Known { .. } | Standing::Unknown) => Err(ended(
            "this certificate is not one that this aggregator gave out".to_owned(),
        )),
        Ok(Standing::Revoked { reason, .. }) => Err(ended(revoked(&reason))),
        Err(error) => Err(Refusal::internal("looking up a certificate", &error)),
    }
}

impl<S: Sync> FromRequestParts<S> for Site {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        of_certificate(parts)
    }
}

impl<S: Sync> FromRequestParts<S> for Serial {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        of_certificate(parts)
    }
}

/// What [`admit`] left; absent only if a route that asks for it were put on the open list.
fn of_certificate<T: Clone + Send + Sync + 'static>(parts: &Parts) -> Result<T, Refusal> {
    parts.extensions.get::<T>().cloned().ok_or_else(|| {
        Refusal::new(
            ProblemCode::CertificateMissing,
            "this route needs the site's certificate",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_list_of_routes_only_three_are_open() {
        let open: Vec<_> = crate::api::routes()
            .into_iter()
            .filter(|route| is_open(&route.method, &route.path.replace(['{', '}'], "")))
            .map(|route| route.path)
            .collect();
        assert_eq!(open, ["/v1/health", "/v1/enrolments", "/v1/enrolments/{id}"]);
    }

    #[test]
    fn only_three_routes_are_open() {
        assert!(is_open(&Method::GET, "/v1/health"));
        assert!(is_open(&Method::POST, "/v1/enrolments"));
        assert!(is_open(&Method::POST, "/v1/enrolments/abc"));
        for (method, path) in [
            (Method::POST, "/v1/health"),
            (Method::GET, "/v1/enrolments"),
            (Method::GET, "/v1/enrolments/abc"),
            (Method::POST, "/v1/enrolments/"),
            (Method::POST, "/v1/enrolments/a/b"),
            (Method::POST, "/v1/hello"),
            (Method::GET, "/"),
            (Method::GET, "//v1/health"),
            (Method::GET, "/v1/studies"),
        ] {
            assert!(!is_open(&method, path), "{method} {path}");
        }
    }
}
