//! The dashboard: what the commands tell and do, in a browser, for the coordinator (acts) and the auditor (reads only).
//!
//! It changes nothing by itself: whatever a form asks for is done by the command of the same name, with its checks and its entry in
//! the ledger ([`routes`]). What it tells is read as the commands read it ([`gather`]), and is turned into pages without any effect
//! ([`pages`]). Who may look and who may act is `snowball-dashboard`'s.
//!
//! Off unless `[dashboard]` stands in `aggregator.toml`.

mod attention;
mod gather;
mod ledger_watch;
mod pages;
mod presence;
mod routes;
mod words;

use std::{path::PathBuf, sync::Arc};

use anyhow::Result;
use snowball_dashboard::{About, Dashboard, RoleName, Settings};
use snowball_web::Route;
use tokio::net::TcpListener;

use crate::{config::Config, home::Home, state::Shared, stop::Stop};

use ledger_watch::LedgerWatch;

/// How the role that acts is called on the command line.
pub const COORDINATOR: &str = "coordinator";
/// How the role that reads is called there.
pub const AUDITOR: &str = "auditor";

/// Opened, not served yet.
pub struct Opened {
    dashboard: Dashboard,
    listener: TcpListener,
    config: Arc<Config>,
}

/// What the pages have.
#[derive(Clone)]
struct Board {
    app: Shared,
    config: Arc<Config>,
    ledger: Arc<LedgerWatch>,
}

/// Opens the address of the dashboard, where the configuration has one.
///
/// # Errors
/// When the settings are refused, such as an address for others without TLS, or the address cannot be opened.
pub async fn open(home: &Home, config: &Config) -> Result<Option<Opened>> {
    let Some(settings) = &config.dashboard else {
        return Ok(None);
    };
    let dashboard = Dashboard::open(about(&config.consortium), &folder(home), settings)?;
    let listener = settings.open().await?;
    tracing::info!(
        address = settings.address(),
        "the dashboard is there; aggregator dashboard link --role coordinator signs in"
    );
    Ok(Some(Opened {
        dashboard,
        listener,
        config: Arc::new(config.clone()),
    }))
}

impl Opened {
    /// Serves until the stop signal.
    pub async fn serve(self, app: Shared, mut stop: Stop) {
        let board = Board {
            app,
            config: self.config,
            ledger: Arc::default(),
        };
        let pages = routes::router(board);
        self.dashboard
            .serve(self.listener, pages, async move { stop.asked().await })
            .await;
    }
}

/// Where its tickets lie.
pub fn folder(home: &Home) -> PathBuf {
    home.dir().join("dashboard")
}

/// What it is called, and its pages.
pub fn about(consortium: &str) -> About {
    About {
        name: format!("Snowball, {consortium}"),
        reads: RoleName {
            word: AUDITOR,
            title: words::AUDITOR,
        },
        acts: RoleName {
            word: COORDINATOR,
            title: words::COORDINATOR,
        },
        navigation: vec![
            (Route::root(), words::OVERVIEW),
            (Route::of(["sites"]), words::SITES),
            (Route::of(["releases"]), words::RELEASES),
            (Route::of(["ledger"]), words::LEDGER),
        ],
        ticket_command: "aggregator dashboard link --role auditor",
    }
}

/// The link that signs in, for a ticket.
pub fn link(settings: &Settings, ticket: &snowball_dashboard::Ticket) -> String {
    ticket.link(&settings.address())
}
