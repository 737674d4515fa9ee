//! What sites may ask for, one file a route. A route that is not on the open list needs a client certificate.

mod certificate;
mod decline;
mod document;
mod enrolments;
mod evaluation;
mod guard;
mod heads;
mod health;
mod hello;
mod join;
mod models;
mod plan;
mod refusal;
mod rounds;
mod studies;
mod task;
mod updates;
mod uploads;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Query, rejection::QueryRejection},
    middleware,
    routing::{get, patch, post},
};
use snowball_protocol::{ProblemCode, RoundNumber, StudyName};

use self::refusal::{Answer, Refusal};
use crate::{
    driver::Desk,
    state::{App, Shared},
};

/// The whole API.
pub fn router(app: Shared) -> Router {
    Router::new()
        .route("/v1/health", get(health::health))
        .route("/v1/enrolments", post(enrolments::request))
        .route("/v1/enrolments/{id}", post(enrolments::status))
        .route("/v1/hello", post(hello::hello))
        .route("/v1/heads", post(heads::exchange))
        .route("/v1/certificate", post(certificate::renew))
        .route("/v1/studies", get(studies::studies))
        .route("/v1/studies/{study}/plan", get(plan::plan))
        .route("/v1/studies/{study}/join", post(join::join))
        .route("/v1/studies/{study}/decline", post(decline::decline))
        .route("/v1/studies/{study}/task", get(task::task))
        .route("/v1/studies/{study}/models/{round}", get(models::model))
        .route("/v1/studies/{study}/rounds/{round}/updates", post(updates::announce))
        .route("/v1/uploads/{id}", patch(uploads::chunk))
        .route("/v1/studies/{study}/evaluation", post(evaluation::evaluation))
        .route("/v1/studies/{study}/rounds", get(rounds::rounds))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(middleware::from_fn_with_state(app.clone(), guard::admit))
        .with_state(app)
}

async fn unknown() -> Refusal {
    Refusal::new(ProblemCode::NotFound, "no such route")
}

/// A round's number in an address.
fn round(text: &str) -> Answer<RoundNumber> {
    text.parse()
        .map(RoundNumber)
        .map_err(|_| Refusal::new(ProblemCode::NotFound, "no such round"))
}

/// A query's fields, refused in our own words.
fn query<T>(parsed: Result<Query<T>, QueryRejection>) -> Answer<T> {
    let malformed = |_| {
        Refusal::new(
            ProblemCode::Malformed,
            "the address's query is not what this route expects",
        )
    };
    parsed.map(|Query(fields)| fields).map_err(malformed)
}

/// The desk of a study that is more than a draft.
fn desk(app: &App, study: &str) -> Answer<Arc<Desk>> {
    let missing = || Refusal::new(ProblemCode::NotFound, "no such study");
    let name: StudyName = study.parse().map_err(|_| missing())?;
    app.studies.get(&name).ok_or_else(missing)
}
