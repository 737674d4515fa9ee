//! The running aggregator: stores, drivers and server put together.

use std::{fs::File, sync::Arc};

use anyhow::Result;
use snowball_ledger::Entry;
use snowball_service::{clock, tls};
use tokio::net::TcpListener;

use crate::{
    api,
    config::Config,
    driver::{self, Studies},
    home::{Home, read_text},
    intake::Uploads,
    server::Server,
    state::{App, Core, Shared},
    stop::Stop,
};

/// Opened and ready to serve; studies run already.
pub struct Service {
    _lock: File,
    app: Shared,
    tls: Arc<rustls::ServerConfig>,
    connections_max: usize,
}

impl Service {
    /// Opens everything; what a crash interrupted is carried on. `stop` ends it.
    pub async fn open(home: &Home, config: &Config, stop: Stop) -> Result<Self> {
        let lock = home.lock_for_serving()?;
        let ca_pem = read_text(&home.ca_file())?;
        let (certificate, key) = home.server_pair()?;
        let tls = tls::server(&format!("{}\n{ca_pem}", certificate.trim_end()), &key, &ca_pem)?;
        let core = Core::open(home).await?;
        let program_version = env!("CARGO_PKG_VERSION").to_owned();
        core.journal
            .write(clock::now(), vec![Entry::ProgramStarted { program_version }])
            .await?;
        let studies = Studies::default();
        driver::start(&core, &studies, &stop).await?;
        tokio::spawn(driver::watch_changes(Arc::clone(&core), studies.clone(), stop.clone()));
        let app = Arc::new(App {
            core,
            studies,
            heads: tokio::sync::Mutex::default(),
            uploads: Uploads::default(),
            ca_pem,
            home: home.clone(),
            site_certificate_days: config.site_certificate_days,
            stop,
        });
        Ok(Self {
            _lock: lock,
            app,
            tls,
            connections_max: config.connections_max as usize,
        })
    }

    /// Serves until the stop signal.
    pub async fn run(self, listener: TcpListener) -> Result<()> {
        let stop = self.app.stop.clone();
        let router = api::router(Arc::clone(&self.app));
        Server {
            listener,
            tls: Arc::clone(&self.tls),
            router,
            connections_max: self.connections_max,
        }
        .run(stop)
        .await;
        // What a command left for the ledger in the last moment.
        self.app.core.journal.drain(clock::now()).await?;
        self.app.core.registry.close().await;
        Ok(())
    }
}
