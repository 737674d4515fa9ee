//! `aggregator serve`: the server, until it is told to stop.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;
use snowball_service::{clock, files, shutdown, telemetry};
use tokio::net::TcpListener;

use super::{Answer, answer};
use crate::{home::Home, service::Service, stop::Stop};

/// Below this many days the server's certificate is renewed when `serve` starts.
const RENEWAL_DAYS: i64 = 60;

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
        let home = Home::existing(home.dir())?;
        let config = home.config()?;
        renew_server_certificate(&home, &config.names)?;
        let listen = self.listen.as_ref().unwrap_or(&config.listen);
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen}"))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = Stop::switch();
        let service = Service::open(&home, &config, stopped).await?;
        if json {
            answer::line(&json!({ "listening": address.to_string(), "port": address.port() }).to_string());
        } else {
            answer::line(&format!("listening on {address}"));
        }
        let stop = Arc::new(stop);
        let asked = Arc::clone(&stop);
        tokio::spawn(async move {
            shutdown::requested().await;
            tracing::info!("asked to stop");
            asked.send_replace(true);
        });
        service.run(listener).await?;
        drop(stop);
        Ok(Answer::new("stopped", json!({ "stopped": true })))
    }
}

fn renew_server_certificate(home: &Home, names: &[String]) -> Result<()> {
    let now = clock::now();
    let (certificate, _) = home.server_pair()?;
    if crate::authority::not_after(&certificate)? > now + RENEWAL_DAYS * 86_400 {
        return Ok(());
    }
    let pair = home.authority()?.issue_server(names, now)?;
    files::write_private(&home.server_key_file(), pair.key_pem.as_bytes())?;
    files::write_durable(&home.server_file(), pair.certificate_pem.as_bytes())?;
    tracing::info!("the server's certificate was renewed");
    Ok(())
}
