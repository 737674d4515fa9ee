//! Somebody who is signed in and looks.

use axum::{
    extract::FromRequestParts,
    http::{Method, StatusCode, request::Parts},
    response::{IntoResponse as _, Response},
};
use snowball_web::{FormToken, Html, Language, Page};

use crate::{Role, guard::Visit, view::View, words};

/// Somebody who is signed in and looks at a page. A handler that takes one answers GET and nothing else, and changes nothing.
#[derive(Clone)]
pub struct Reader(pub(crate) Visit);

impl Reader {
    /// The language of the page.
    #[must_use]
    pub const fn language(&self) -> Language {
        self.0.language
    }

    /// As what they signed in.
    #[must_use]
    pub fn role(&self) -> Role {
        self.0.session.role
    }

    /// Who looks, for a record: the name that the ticket was made for, or else the program's word for the role.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.who()
    }

    /// The token for a page's forms; `None`: this session may only look, and forms are not shown to it.
    #[must_use]
    pub fn may_act(&self) -> Option<&FormToken> {
        match self.role() {
            Role::Acts => Some(&self.0.session.token),
            Role::Reads => None,
        }
    }

    /// A page in the reader's language.
    #[must_use]
    pub fn page(&self, title: impl Into<Html>) -> Page {
        Page::new(self.language(), title)
    }

    /// The page within the dashboard's shell.
    #[must_use]
    pub fn show(&self, page: Page) -> View {
        self.0.show(StatusCode::OK, page)
    }

    /// A page that says there is nothing here.
    #[must_use]
    pub fn missing(&self) -> View {
        self.0.fault(StatusCode::NOT_FOUND, &words::MISSING)
    }

    /// A page that says that it cannot be shown now, and that the log says why; what is told in `error` goes there.
    #[must_use]
    pub fn failed(&self, error: &dyn std::fmt::Display) -> View {
        tracing::error!(error = %format_args!("{error:#}"), path = self.0.here.path(), "a page of the dashboard could not be shown");
        self.0.fault(StatusCode::INTERNAL_SERVER_ERROR, &words::FAILED)
    }
}

impl<S: Sync> FromRequestParts<S> for Reader {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let Some(visit) = parts.extensions.get::<Visit>() else {
            // No route is reached without the guard; one that is, is closed.
            return Err(StatusCode::FORBIDDEN.into_response());
        };
        if parts.method != Method::GET && parts.method != Method::HEAD {
            return Err(visit
                .fault(StatusCode::METHOD_NOT_ALLOWED, &words::METHOD)
                .into_response());
        }
        Ok(Self(visit.clone()))
    }
}
