//! Somebody who is signed in, may act, and does: the proof that a handler which changes something asks for.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::to_bytes,
    extract::{FromRequest, Request},
    http::{Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use snowball_crypto::are_equal;
use snowball_web::{FormToken, Html, Language, Page, REASON_CHARACTERS_MAX, REASON_FIELD, Route, TOKEN_FIELD};
use tokio::{sync::OwnedMutexGuard, time::timeout};

use crate::{Dashboard, Role, fields::Fields, guard::Visit, rules::BODY_BYTES_MAX, view::Done, view::View, words};

/// How long an act waits for the one before it; shorter than a browser waits, so that whoever is told it was not done can rely on it.
const TURN_MAX: Duration = Duration::from_secs(5);

/// Somebody who acts. It is made here alone: of a POST from a session that may act, with the token of that session's own forms.
/// One acts at a time in a whole dashboard: of a button pressed twice, the second press finds what the first one did.
pub struct Actor {
    visit: Visit,
    fields: Fields,
    _turn: OwnedMutexGuard<()>,
}

impl Actor {
    /// What the form holds.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The reason that the form holds.
    ///
    /// # Errors
    /// A page that asks for one, where there is none or it is too long.
    pub fn reason(&self) -> Result<&str, View> {
        self.fields
            .text(REASON_FIELD)
            .filter(|reason| reason.chars().count() <= REASON_CHARACTERS_MAX)
            .ok_or_else(|| self.refused(words::REASON.html(self.language())))
    }

    /// The language of the page.
    #[must_use]
    pub const fn language(&self) -> Language {
        self.visit.language
    }

    /// Who acts, for a record: the name that the ticket was made for, or else the program's word for the role.
    #[must_use]
    pub fn name(&self) -> String {
        self.visit.who()
    }

    /// The token for forms, where the form is shown again.
    #[must_use]
    pub fn token(&self) -> &FormToken {
        &self.visit.session.token
    }

    /// A page in the reader's language.
    #[must_use]
    pub fn page(&self, title: impl Into<Html>) -> Page {
        Page::new(self.language(), title)
    }

    /// A page as the answer to what was done, where it is shown this once, such as a secret, or before it is confirmed.
    #[must_use]
    pub fn show(&self, page: Page) -> View {
        self.visit.show(StatusCode::OK, page)
    }

    /// A page as an answer where nothing was changed, such as the form again with what is wrong with it.
    #[must_use]
    pub fn show_again(&self, page: Page) -> View {
        self.visit.show(StatusCode::UNPROCESSABLE_ENTITY, page)
    }

    /// A page that says why it was not done.
    #[must_use]
    pub fn refused(&self, why: Html) -> View {
        let mut page = self.page(words::NOT_DONE.html(self.language()));
        page.alert(why);
        self.show_again(page)
    }

    /// It was done: the browser goes to `route`, whose page tells `what`.
    #[must_use]
    pub fn done(&self, route: &Route, what: Html) -> Done {
        self.visit.tell(what);
        Done::to(route)
    }

    /// A page that says that it failed, and that the log says why.
    #[must_use]
    pub fn failed(&self, error: &dyn std::fmt::Display) -> View {
        tracing::error!(error = %format_args!("{error:#}"), path = self.visit.here.path(), "a wish from the dashboard failed");
        self.visit.fault(StatusCode::INTERNAL_SERVER_ERROR, &words::FAILED)
    }
}

impl<S: Sync> FromRequest<S> for Actor {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        let Some(visit) = request.extensions().get::<Visit>().cloned() else {
            return Err(StatusCode::FORBIDDEN.into_response());
        };
        let fault = |status, text| visit.fault(status, text).into_response();
        if request.method() != Method::POST {
            return Err(fault(StatusCode::METHOD_NOT_ALLOWED, &words::METHOD));
        }
        if visit.session.role != Role::Acts {
            return Err(fault(StatusCode::FORBIDDEN, &words::READS_ONLY));
        }
        let fields = match read_form(&visit.dashboard, request).await {
            Ok(fields) => fields,
            Err(status) => return Err(fault(status, &words::NO_FORM)),
        };
        if !is_token(&visit, &fields) {
            return Err(fault(StatusCode::FORBIDDEN, &words::STALE_FORM));
        }
        // Only now: a body that comes slowly keeps nobody else from acting.
        let acts = Arc::clone(&visit.dashboard.0.acts);
        let Ok(turn) = timeout(TURN_MAX, acts.lock_owned()).await else {
            return Err(fault(StatusCode::SERVICE_UNAVAILABLE, &words::BUSY));
        };
        if !visit.dashboard.0.sessions.holds(&visit.session, Instant::now()) {
            return Err(StatusCode::FORBIDDEN.into_response());
        }
        Ok(Self {
            visit,
            fields,
            _turn: turn,
        })
    }
}

/// Reads a form's body within its bounds of size and time.
pub(crate) async fn read_form(dashboard: &Dashboard, request: Request) -> Result<Fields, StatusCode> {
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes() == b"application/x-www-form-urlencoded");
    if !is_form {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let body = timeout(
        dashboard.0.bounds.body_max,
        to_bytes(request.into_body(), BODY_BYTES_MAX),
    )
    .await;
    let body = body.map_err(|_| StatusCode::REQUEST_TIMEOUT)?;
    Fields::parse(&body.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?).ok_or(StatusCode::BAD_REQUEST)
}

/// Whether the form carries the session's token.
pub(crate) fn is_token(visit: &Visit, fields: &Fields) -> bool {
    fields
        .text(TOKEN_FIELD)
        .is_some_and(|token| are_equal(token, visit.session.token.as_str()))
}
