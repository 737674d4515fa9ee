//! The dashboard of a program: its sessions, its tickets, and what it is called.

use std::{path::Path, sync::Arc};

use axum::Router;
use snowball_web::{Language, Page, Route, Shell};
use tokio::{
    net::TcpListener,
    sync::{Mutex, Semaphore, watch},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    About, Settings, SettingsError, Tickets, bounds::Bounds, cookies::Cookies, guard, live::STREAMS_MAX,
    renewals::Renewals, rules::Names, serve, sessions::Sessions, tally::Tally, view::View,
};

/// A program's dashboard, ready to be served. Clones are the same one.
#[derive(Clone)]
pub struct Dashboard(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub about: About,
    pub tickets: Tickets,
    pub sessions: Sessions,
    pub names: Names,
    pub bounds: Bounds,
    pub cookies: Cookies,
    /// Whether browsers are told to keep to TLS.
    pub is_strict: bool,
    pub tls: Option<TlsAcceptor>,
    /// Pages that somebody watches.
    pub renewals: Renewals,
    /// Tickets that were none.
    pub wrong_tickets: Arc<Tally>,
    /// Held by whoever acts: acts follow one another.
    pub acts: Arc<Mutex<()>>,
    /// Places for pages that renew themselves.
    pub streams: Arc<Semaphore>,
    /// Becomes true when the server is to stop.
    pub stopping: watch::Sender<bool>,
}

impl Dashboard {
    /// A dashboard with its tickets in `folder` (`dashboard/` of the program's home). Reads certificate and key where TLS is set up.
    ///
    /// # Errors
    /// When the settings are refused or their files cannot be used.
    pub fn open(about: About, folder: &Path, settings: &Settings) -> Result<Self, SettingsError> {
        Self::open_within(Bounds::STANDARD, about, folder, settings)
    }

    pub(crate) fn open_within(
        bounds: Bounds,
        about: About,
        folder: &Path,
        settings: &Settings,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        let tls = settings.tls()?;
        Ok(Self(Arc::new(Inner {
            tickets: Tickets::of(folder),
            about,
            sessions: Sessions::default(),
            names: Names::of(settings),
            bounds,
            cookies: Cookies::of(settings),
            is_strict: settings.strict_transport,
            tls,
            renewals: Renewals::default(),
            wrong_tickets: Arc::default(),
            acts: Arc::default(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            stopping: watch::Sender::new(false),
        })))
    }

    /// What answers: `pages` behind the guard, with the routes that sign in and out, the style and the script. A path of `pages`
    /// cannot be reached otherwise.
    pub fn router(&self, pages: Router) -> Router {
        guard::guarded(self, pages)
    }

    /// Serves `pages` at `listener` until `stop`; then streams end and requests under way have a few seconds.
    pub async fn serve(&self, listener: TcpListener, pages: Router, stop: impl Future<Output = ()> + Send) {
        serve::serve(self, listener, self.router(pages), stop).await;
    }

    /// A page for somebody who is not signed in.
    pub(crate) fn show_stranger(&self, status: axum::http::StatusCode, here: Route, page: Page) -> View {
        View::of(
            status,
            page,
            &Shell {
                name: self.0.about.name.as_str().into(),
                navigation: &[],
                here,
                visitor: None,
                told: None,
            },
        )
    }

    pub(crate) fn navigation(&self, language: Language) -> Vec<(Route, snowball_web::Html)> {
        let pages = self.0.about.navigation.iter();
        pages
            .map(|(route, name)| (route.clone(), name.html(language)))
            .collect()
    }
}

/// Returns when the server is to stop.
pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // The guard inside must not live on in whoever waits: hence no value comes back.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
