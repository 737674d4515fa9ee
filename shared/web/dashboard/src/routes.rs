//! The dashboard's own routes: signing in and out, the style, the script.

use std::time::Instant;

use axum::{
    Extension, Router,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use snowball_service::clock;
use snowball_web::{
    DASHBOARD_SCRIPT, DASHBOARD_STYLE, ENTER_PATH, Form, Html, Message, Page, Route, SCRIPT_PATH, SIGN_OUT_PATH, STYLE,
    STYLE_PATH,
};

use crate::{
    Dashboard, Reader,
    account::Account,
    actor::{is_token, read_form},
    guard::{Asked, Visit},
    view::{Done, View},
    words,
};

/// Under which name the ticket is sent; the script finds the field by it.
const TICKET_FIELD: &str = "ticket";

/// The routes.
pub(crate) fn own(dashboard: &Dashboard) -> Router {
    Router::new()
        .route(ENTER_PATH, get(enter).post(begin))
        .route(SIGN_OUT_PATH, post(sign_out))
        .route(STYLE_PATH, get(async || as_kind("text/css; charset=utf-8", style())))
        .route(
            SCRIPT_PATH,
            get(async || as_kind("text/javascript; charset=utf-8", DASHBOARD_SCRIPT.to_owned())),
        )
        .with_state(dashboard.clone())
}

/// Where nothing else is.
pub(crate) async fn missing(reader: Reader) -> View {
    reader.missing()
}

fn style() -> String {
    format!("{STYLE}{DASHBOARD_STYLE}")
}

fn as_kind(kind: &'static str, content: String) -> Response {
    ([(header::CONTENT_TYPE, kind)], content).into_response()
}

async fn enter(State(dashboard): State<Dashboard>, Extension(asked): Extension<Asked>) -> View {
    entrance(&dashboard, asked, StatusCode::OK, None)
}

/// The page where one signs in. It asks for a press of a button: what only looks at links uses up no ticket.
fn entrance(dashboard: &Dashboard, asked: Asked, status: StatusCode, fault: Option<&Message>) -> View {
    let language = asked.language;
    let mut page = Page::new(language, words::ENTER.html(language));
    page.lead(words::ENTER_LEAD.html(language));
    if let Some(fault) = fault {
        page.alert(fault.html(language));
    }
    let form = Form::for_strangers(&Route::of([ENTER_PATH.trim_start_matches('/')]))
        .line(
            TICKET_FIELD,
            words::TICKET.html(language),
            Some(words::TICKET_HINT.html(language)),
            "",
        )
        .button(words::ENTER_BUTTON.html(language));
    page.form(form);
    let command = Html::text(dashboard.0.about.ticket_command);
    page.say(words::ENTER_HOW.say(language, &[("command", command)]));
    dashboard.show_stranger(status, asked.here, page)
}

async fn begin(State(dashboard): State<Dashboard>, Extension(asked): Extension<Asked>, request: Request) -> Response {
    // Whoever was signed in in this browser is so no more: a session is never taken over by another ticket.
    let before = request.extensions().get::<Visit>().cloned();
    let account = request.extensions().get::<Account>().copied().unwrap_or_default();
    let refused = |status| entrance(&dashboard, asked.clone(), status, Some(&words::TICKET_WRONG)).into_response();
    let fields = match read_form(&dashboard, request).await {
        Ok(fields) => fields,
        Err(status) => return refused(status),
    };
    let ticket = fields.text(TICKET_FIELD).unwrap_or_default().to_owned();
    let taker = dashboard.clone();
    let taking = move || taker.0.tickets.take(&taker.0.about, &ticket, clock::now());
    let Ok(Some(grant)) = tokio::task::spawn_blocking(taking).await else {
        dashboard.0.wrong_tickets.count(|times| {
            tracing::warn!(
                times,
                "a ticket for the dashboard was not accepted: it has ended, was used before, or never was one"
            );
        });
        return refused(StatusCode::FORBIDDEN);
    };
    let role = dashboard.0.about.role_name(grant.role).word;
    let Ok(value) = dashboard.0.sessions.begin(grant, account, Instant::now()) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if let Some(before) = before {
        dashboard.0.sessions.end(&before.session);
    }
    tracing::info!(role, "somebody signed in to the dashboard");
    with_cookie(&dashboard, &value, Done::to(&Route::root()).into_response())
}

async fn sign_out(
    State(dashboard): State<Dashboard>,
    Extension(visit): Extension<Visit>,
    request: Request,
) -> Response {
    match read_form(&dashboard, request).await {
        Ok(fields) if is_token(&visit, &fields) => {}
        Ok(_) => return visit.fault(StatusCode::FORBIDDEN, &words::STALE_FORM).into_response(),
        Err(status) => return visit.fault(status, &words::NO_FORM).into_response(),
    }
    dashboard.0.sessions.end(&visit.session);
    let mut page = Page::new(visit.language, words::SIGNED_OUT.html(visit.language));
    page.say(Html::route(
        &Route::of([ENTER_PATH.trim_start_matches('/')]),
        words::ENTER.html(visit.language),
    ));
    let response = dashboard
        .show_stranger(StatusCode::OK, Route::root(), page)
        .into_response();
    with_cookie(&dashboard, "", response)
}

/// Sets the session's cookie, or takes it away where it is empty.
fn with_cookie(dashboard: &Dashboard, value: &str, mut response: Response) -> Response {
    match dashboard.0.cookies.set_session(response.headers_mut(), value) {
        Ok(()) => response,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
