//! What stands before every page: who asks, whether they may, and what the answer carries.

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use snowball_web::{
    ENTER_PATH, Html, LANGUAGE_QUERY, Language, Message, Page, Route, SCRIPT_PATH, STYLE_PATH, Shell, Visitor,
};
use tokio::time::timeout;

use crate::{Dashboard, account::Account, headers, live, routes, sessions::Session, view::View, words};

/// Somebody who is signed in, at one request. In the extensions of every request that a page hears.
#[derive(Clone)]
pub(crate) struct Visit {
    pub session: Arc<Session>,
    pub language: Language,
    /// What was asked for, without the language.
    pub here: Route,
    pub dashboard: Dashboard,
    /// Whether a page asks that renews itself, and no person.
    pub is_stream: bool,
}

/// In which language somebody reads who may not be signed in.
#[derive(Clone)]
pub(crate) struct Asked {
    pub language: Language,
    pub here: Route,
}

/// Everything is behind the guard: the pages are its only inner service, so there is no path beside it.
pub(crate) fn guarded(dashboard: &Dashboard, pages: Router) -> Router {
    let inner = routes::own(dashboard).merge(pages).fallback(routes::missing);
    Router::new()
        .fallback_service(inner)
        .layer(from_fn_with_state(dashboard.clone(), guard))
}

async fn guard(State(dashboard): State<Dashboard>, request: Request, next: Next) -> Response {
    let chosen = chosen_language(request.uri());
    let mut response = admit(&dashboard, request, next).await;
    if let Some(language) = chosen {
        // A language's code is made of letters that a header takes.
        let _ = dashboard
            .0
            .cookies
            .set_language(response.headers_mut(), language.code());
    }
    headers::set(response.headers_mut(), dashboard.0.is_strict);
    response
}

async fn admit(dashboard: &Dashboard, mut request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    if let Err(refusal) = dashboard.0.names.check(&method, &uri, request.headers()) {
        return (refusal.0, format!("{}\n", refusal.1)).into_response();
    }
    let asked = Asked {
        language: language(dashboard, &uri, request.headers()),
        here: here(&uri),
    };
    let is_stream = method == Method::GET && live::is_asked(request.headers());
    let account = request.extensions().get::<Account>().copied().unwrap_or_default();
    let cookie = dashboard.0.cookies.session(request.headers());
    let session = cookie.and_then(|cookie| dashboard.0.sessions.find(cookie, account, Instant::now(), !is_stream));
    let Some(session) = session else {
        if !is_open(uri.path()) {
            return shut_out(&method, is_stream);
        }
        request.extensions_mut().insert(asked);
        return within_time(dashboard, next.run(request)).await;
    };
    let visit = Visit {
        session,
        language: asked.language,
        here: asked.here.clone(),
        dashboard: dashboard.clone(),
        is_stream,
    };
    request.extensions_mut().insert(asked);
    request.extensions_mut().insert(visit.clone());
    if is_stream {
        return live::stream(visit, uri, next).await;
    }
    if method == Method::POST {
        // What was begun is brought to its end, also where nobody waits for the answer any more.
        let under_way = tokio::spawn(next.run(request));
        return within_time(dashboard, async move {
            under_way
                .await
                .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
        })
        .await;
    }
    within_time(dashboard, next.run(request)).await
}

/// Where nobody needs to be signed in.
fn is_open(path: &str) -> bool {
    [ENTER_PATH, STYLE_PATH, SCRIPT_PATH].contains(&path)
}

fn shut_out(method: &Method, is_stream: bool) -> Response {
    if is_stream {
        // Without a body of events the browser would try again for ever.
        live::ended()
    } else if method == Method::POST {
        (StatusCode::FORBIDDEN, "nobody is signed in\n").into_response()
    } else {
        (
            StatusCode::SEE_OTHER,
            [(header::LOCATION, HeaderValue::from_static(ENTER_PATH))],
        )
            .into_response()
    }
}

async fn within_time(dashboard: &Dashboard, answer: impl Future<Output = Response>) -> Response {
    timeout(dashboard.0.bounds.answer_max, answer)
        .await
        .unwrap_or_else(|_| {
            (
                StatusCode::GATEWAY_TIMEOUT,
                "this takes longer than a browser waits; what was begun goes on\n",
            )
                .into_response()
        })
}

impl Visit {
    /// Who this is, for a record.
    pub fn who(&self) -> String {
        let word = self.dashboard.0.about.role_name(self.session.role).word;
        self.session.holder.clone().unwrap_or_else(|| word.to_owned())
    }

    pub fn tell(&self, what: Html) {
        self.dashboard.0.sessions.tell(&self.session, what);
    }

    pub fn show(&self, status: StatusCode, page: Page) -> View {
        let title = self
            .dashboard
            .0
            .about
            .role_name(self.session.role)
            .title
            .html(self.language);
        let role = match &self.session.holder {
            Some(holder) => title.and(" (").and(holder.as_str()).and(")"),
            None => title,
        };
        let told = if self.is_stream {
            None
        } else {
            self.dashboard.0.sessions.take_told(&self.session)
        };
        View::of(
            status,
            page,
            &Shell {
                name: self.dashboard.0.about.name.as_str().into(),
                navigation: &self.dashboard.navigation(self.language),
                here: self.here.clone(),
                visitor: Some(Visitor {
                    role,
                    token: &self.session.token,
                }),
                told,
            },
        )
    }

    pub fn fault(&self, status: StatusCode, text: &Message) -> View {
        let mut page = Page::new(self.language, words::NOT_DONE.html(self.language));
        page.alert(text.html(self.language));
        self.show(status, page)
    }

    /// The same request again, for a page that renews itself.
    pub fn again(&self, uri: &Uri) -> Request {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = uri.clone();
        request.extensions_mut().insert(self.clone());
        request
    }
}

/// What is asked for, by name and value.
fn query(uri: &Uri) -> impl Iterator<Item = (String, String)> + '_ {
    form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
}

fn here(uri: &Uri) -> Route {
    let query: Vec<_> = query(uri).filter(|(name, _)| name != LANGUAGE_QUERY).collect();
    Route::asked(
        uri.path(),
        query.iter().map(|(name, value)| (name.as_str(), value.as_str())),
    )
}

fn chosen_language(uri: &Uri) -> Option<Language> {
    query(uri).find(|(name, _)| name == LANGUAGE_QUERY)?.1.parse().ok()
}

/// The one that was asked for, or chosen before, or that the browser prefers.
fn language(dashboard: &Dashboard, uri: &Uri, headers: &HeaderMap) -> Language {
    let kept = || dashboard.0.cookies.language(headers)?.parse().ok();
    let preferred = || {
        let wishes = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
        let mut known = wishes.split(',').filter_map(|wish| wish.trim().get(..2)?.parse().ok());
        known.next()
    };
    chosen_language(uri)
        .or_else(kept)
        .or_else(preferred)
        .unwrap_or_default()
}
