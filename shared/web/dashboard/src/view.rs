//! Answers: a page, or the way to another one.

use std::sync::Arc;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use snowball_web::{Page, Route, Shell};

/// A page with its shell.
pub struct View {
    status: StatusCode,
    html: String,
    parts: Parts,
}

/// The live parts of a page, each by its id.
#[derive(Clone)]
pub(crate) struct Parts(pub Arc<[(&'static str, String)]>);

impl View {
    pub(crate) fn of(status: StatusCode, page: Page, shell: &Shell<'_>) -> Self {
        Self {
            status,
            parts: Parts(page.parts().into()),
            html: page.dashboard(shell),
        }
    }
}

impl IntoResponse for View {
    fn into_response(self) -> Response {
        let mut response = (self.status, Html(self.html)).into_response();
        response.extensions_mut().insert(self.parts);
        response
    }
}

/// It was done, and the browser goes on to a page by GET, such that loading it again does nothing twice.
pub struct Done(String);

impl Done {
    /// On to `route`, without a word.
    #[must_use]
    pub fn to(route: &Route) -> Self {
        Self(route.as_str().to_owned())
    }
}

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        // A route is made of letters that a header takes.
        match HeaderValue::try_from(self.0) {
            Ok(there) => (StatusCode::SEE_OTHER, [(header::LOCATION, there)]).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}
