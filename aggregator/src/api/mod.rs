//! What sites may ask for, one file a route. A route that is not on the open list needs a client certificate.

mod authorities;
mod certificate;
mod controls;
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
mod outcome;
mod pace;
mod plan;
mod receipt;
mod refusal;
mod rounds;
mod share;
mod shelf;
mod studies;
mod task;
mod ticket;
mod updates;
mod uploads;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Query, rejection::QueryRejection},
    http::Method,
    middleware,
    routing::{MethodRouter, get as on_get, patch as on_patch, post as on_post},
};
use snowball_protocol::{ProblemCode, RoundNumber, StudyName};

use self::refusal::{Answer, Refusal};
pub use self::{heads::Heads, outcome::Outcomes, pace::Pace, share::Shares, shelf::Shelves};
use crate::{
    driver::Desk,
    state::{App, Shared},
};

/// A route: its method, its address, and what answers there.
pub struct Route {
    /// `GET`, `POST`, `PATCH`; `answers` holds it too, but does not say it.
    #[cfg_attr(not(test), allow(dead_code))]
    pub method: Method,
    /// As axum writes it.
    pub path: &'static str,
    answers: MethodRouter<Shared>,
}

/// Every route there is; tests walk this list.
pub fn routes() -> Vec<Route> {
    let get = |path, answers| route(Method::GET, path, answers);
    let post = |path, answers| route(Method::POST, path, answers);
    let patch = |path, answers| route(Method::PATCH, path, answers);
    vec![
        get("/v1/health", on_get(health::health)),
        post("/v1/enrolments", on_post(enrolments::request)),
        post("/v1/enrolments/{id}", on_post(enrolments::status)),
        post("/v1/hello", on_post(hello::hello)),
        post("/v1/heads", on_post(heads::exchange)),
        post("/v1/certificate", on_post(certificate::renew)),
        get("/v1/authorities", on_get(authorities::authorities)),
        post("/v1/authorities", on_post(authorities::kept)),
        get("/v1/studies", on_get(studies::studies)),
        get("/v1/studies/{study}/plan", on_get(plan::plan)),
        post("/v1/studies/{study}/join", on_post(join::join)),
        post("/v1/studies/{study}/decline", on_post(decline::decline)),
        get("/v1/studies/{study}/task", on_get(task::task)),
        get("/v1/studies/{study}/models/{round}", on_get(models::model)),
        get("/v1/studies/{study}/controls/{round}", on_get(controls::control)),
        post("/v1/studies/{study}/rounds/{round}/updates", on_post(updates::announce)),
        patch("/v1/uploads/{id}", on_patch(uploads::chunk)),
        post("/v1/studies/{study}/evaluation", on_post(evaluation::evaluation)),
        get("/v1/studies/{study}/rounds", on_get(rounds::rounds)),
        get("/v1/studies/{study}/rounds/{round}/outcome", on_get(outcome::outcome)),
        get("/v1/studies/{study}/rounds/{round}/receipt", on_get(receipt::receipt)),
    ]
}

fn route(method: Method, path: &'static str, answers: MethodRouter<Shared>) -> Route {
    Route { method, path, answers }
}

/// The whole API.
pub fn router(app: Shared) -> Router {
    routes()
        .into_iter()
        .fold(Router::new(), |router, route| router.route(route.path, route.answers))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(middleware::from_fn_with_state(app.clone(), guard::admit))
        // The outermost: what the guard refuses has a number too.
        .layer(middleware::from_fn_with_state(
            Arc::<ticket::Told>::default(),
            ticket::number,
        ))
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
