//! The running aggregator: stores, drivers and server put together.

use std::{
    fs::File,
    sync::{Arc, OnceLock},
    time::Instant,
};

use anyhow::Result;
use snowball_ledger::Entry;
use snowball_service::clock;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{
    api::{self, Heads, Outcomes, Pace, Shares, Shelves},
    config::Config,
    dashboard,
    driver::{self, Studies},
    home::Home,
    identity,
    intake::Uploads,
    metrics,
    server::Server,
    state::{App, Core, Shared},
    stop::Stop,
};

/// Opened and ready to serve; studies run already.
pub struct Service {
    _lock: File,
    app: Shared,
    /// Show numbers and readiness for as long as this lives.
    _readers: Option<Readers>,
    dashboard: Option<dashboard::Opened>,
    connections_max: usize,
}

impl Service {
    /// Opens everything; what a crash interrupted is carried on. `stop` ends it.
    pub async fn open(home: &Home, config: &Config, stop: Stop) -> Result<Self> {
        let lock = home.lock_for_serving()?;
        let opened: Arc<OnceLock<Shared>> = Arc::default();
        let readers = match &config.metrics {
            Some(settings) => {
                let listener = settings.open().await?;
                let serving = metrics::serve(listener, Arc::clone(&opened), stop.clone());
                Some(Readers(tokio::spawn(serving)))
            }
            None => None,
        };
        let dashboard = dashboard::open(home, config).await?;
        let core = Core::open(home).await?;
        let (present, renewed) = identity::load(home, config, &core.key, clock::now())?;
        let (present, identity) = watch::channel(Arc::new(present));
        let program_version = env!("CARGO_PKG_VERSION").to_owned();
        let mut entries = vec![Entry::ProgramStarted { program_version }];
        entries.extend(renewed);
        core.journal.write(clock::now(), entries).await?;
        let studies = Studies::default();
        driver::start(&core, &studies, &stop).await?;
        tokio::spawn(driver::watch_changes(Arc::clone(&core), studies.clone(), stop.clone()));
        let upkeep = identity::watch(home.clone(), config.clone(), Arc::clone(&core), present, stop.clone());
        tokio::spawn(upkeep);
        let app = Arc::new(App {
            core,
            studies,
            heads: Heads::default(),
            outcomes: Outcomes::default(),
            uploads: Uploads::default(),
            shelves: Shelves::default(),
            identity,
            home: home.clone(),
            site_certificate_days: config.site_certificate_days,
            pace: Pace::new(Instant::now()),
            shares: Shares::default(),
            stop,
        });
        // Nobody else sets it.
        let _ = opened.set(Arc::clone(&app));
        Ok(Self {
            _lock: lock,
            app,
            _readers: readers,
            dashboard,
            connections_max: config.connections_max as usize,
        })
    }

    /// Serves until the stop signal.
    pub async fn run(self, listener: TcpListener) -> Result<()> {
        let stop = self.app.stop.clone();
        let router = api::router(Arc::clone(&self.app));
        let dashboard = self
            .dashboard
            .map(|dashboard| tokio::spawn(dashboard.serve(Arc::clone(&self.app), stop.clone())));
        Server {
            listener,
            identity: self.app.identity.clone(),
            router,
            connections_max: self.connections_max,
        }
        .run(stop)
        .await;
        if let Some(dashboard) = dashboard {
            // It has heard of the stop, too; a request under way is brought to its end.
            let _ = dashboard.await;
        }
        // What a command left for the ledger in the last moment.
        self.app.core.journal.drain(clock::now()).await?;
        self.app.core.registry.close().await;
        Ok(())
    }
}

/// Whoever reads numbers; ends with what it returns.
struct Readers(JoinHandle<()>);

impl Drop for Readers {
    fn drop(&mut self) {
        self.0.abort();
    }
}
