//! `GET` and `POST /v1/authorities`: which CAs the consortium trusts, and which of them a site has taken over.

use axum::{Json, extract::State};
use snowball_protocol::{
    Problem, ProblemCode,
    authorities::{AuthoritiesKept, SignedAuthorities},
    limits::AUTHORITIES_MAX,
};

use super::{document::Document, guard::Site, refusal::Answer};
use crate::state::Shared;

/// The signed list, and what the site last said of it. Nodes ask at each heartbeat.
pub async fn authorities(State(app): State<Shared>, Site(site): Site) -> Answer<Json<SignedAuthorities>> {
    let site = app.core.registry.site(&site).await.map_err(Problem::from)?;
    let identity = app.identity.borrow().clone();
    Ok(Json(SignedAuthorities {
        authorities: identity.trusted.clone(),
        signature: identity.signature.clone(),
        confirmed: site.map(|site| site.authorities).unwrap_or_default(),
    }))
}

/// Notes what the site trusts now: a CA can be retired when every site has the next one.
pub async fn kept(
    State(app): State<Shared>,
    Site(site): Site,
    Document(kept): Document<AuthoritiesKept>,
) -> Answer<Json<AuthoritiesKept>> {
    if kept.fingerprints.is_empty() || kept.fingerprints.len() > AUTHORITIES_MAX {
        let reason = format!("a site trusts from 1 to {AUTHORITIES_MAX} CAs");
        return Err(Problem::new(ProblemCode::Malformed, reason).into());
    }
    app.core
        .registry
        .keep_authorities(&site, &kept.fingerprints)
        .await
        .map_err(Problem::from)?;
    tracing::info!(%site, authorities = kept.fingerprints.len(), "a site said which CAs it trusts");
    Ok(Json(kept))
}
