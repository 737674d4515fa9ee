//! `aggregator serve`: the server, until it is told to stop.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;
use snowball_service::{shutdown, telemetry};
use tokio::net::TcpListener;

use super::{Answer, answer};
use crate::{home::Home, service::Service, stop::Stop};

/// Serves the sites and runs the studies.
#[derive(Args)]
#[command(
    after_help = "Example:\n  aggregator serve --listen 0.0.0.0:7443\n\nStop it with Ctrl-C or SIGTERM; \
    a kill at any moment loses nothing that was acknowledged."
)]
pub struct Serve {
    /// Where to listen, instead of the configuration's `listen`; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
}

impl Serve {
    /// Prints one line when it is ready to answer.
    pub async fn run(&self, home: &Home, json: bool) -> Result<Answer> {
        telemetry::start("aggregator", json);
        let home = home.existing()?;
        let config = home.config()?;
        telemetry::begin(config.log.as_deref())?;
        let configured = home.clone();
        telemetry::follow(move || Ok::<_, anyhow::Error>(configured.config()?.log))?;
        // Before anybody can connect: who sees it listening may ask it to stop.
        let asked = shutdown::requested();
        let listen = self.listen.as_ref().unwrap_or(&config.listen);
        let listener = TcpListener::bind(listen).await.with_context(|| {
            format!("cannot listen on {listen}; ss -ltnp says who does, and aggregator doctor more (A201)")
        })?;
        let address = listener.local_addr()?;
        let (stop, stopped) = Stop::switch();
        let service = Service::open(&home, &config, stopped).await?;
        if json {
            answer::line(&json!({ "listening": address.to_string(), "port": address.port() }).to_string());
        } else {
            answer::line(&format!("listening on {address}"));
        }
        let stop = Arc::new(stop);
        let switch = Arc::clone(&stop);
        tokio::spawn(async move {
            asked.await;
            tracing::info!("asked to stop");
            switch.send_replace(true);
        });
        service.run(listener).await?;
        drop(stop);
        Ok(Answer::new("stopped", json!({ "stopped": true })))
    }
}
