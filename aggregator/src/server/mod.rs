//! Connections: TCP accepted without waiting for anyone, TLS 1.3 by deadline, a bounded number at once, HTTP/2 or 1.1.
//!
//! Of the places that there are, a share is for strangers, so that no flood of them shuts out a site; each address has a bounded
//! number of these, and each site a bounded number of the rest. The newest connection always finds room, see [`Crowd`].

mod activity;
mod connection;
mod line;

use std::{sync::Arc, time::Duration};

use axum::Router;
use snowball_service::connections::Crowd;
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    time::{Instant, sleep, timeout_at},
};
use tokio_rustls::TlsAcceptor;

pub use activity::Underway;
pub use connection::{Origin, Peer};

use connection::Crowds;

use crate::{identity::Present, stop::Stop};

/// How long a stranger may take for the TLS handshake.
const HANDSHAKE_SECONDS_MAX: u64 = 10;
/// Connections of one site; a node needs one, and another where it renews its certificate.
const OF_ONE_SITE_MAX: usize = 8;
/// Connections of one address that have shown no certificate, or none yet.
const STRANGERS_OF_ONE_ADDRESS_MAX: usize = 64;
/// The share of all places that they have together: one in so many.
const STRANGERS_SHARE: usize = 4;
/// How long open requests may go on after the stop signal.
const DRAIN_SECONDS_MAX: u64 = 5;

/// What a server needs.
pub struct Server {
    /// Bound and listening.
    pub listener: TcpListener,
    /// Asks for, and verifies, client certificates; each connection begins with the one that is present then.
    pub identity: Present,
    /// What answers; each request carries a [`Peer`] extension.
    pub router: Router,
    /// Connections held at once.
    pub connections_max: usize,
}

impl Server {
    /// Serves until `stop` turns true, then lets open requests finish for a few seconds.
    pub async fn run(self, mut stop: Stop) {
        let places = Arc::new(Semaphore::new(self.connections_max));
        let strangers_max = (self.connections_max / STRANGERS_SHARE).max(1);
        let crowds = Arc::new(Crowds {
            strangers: Crowd::new(STRANGERS_OF_ONE_ADDRESS_MAX.min(strangers_max), strangers_max),
            sites: Crowd::new(OF_ONE_SITE_MAX, self.connections_max),
        });
        loop {
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Out of descriptors, or the caller left already: neither may end the server nor spin it.
                        tracing::warn!(%error, "a connection could not be accepted");
                        sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
                () = stop.asked() => break,
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                tracing::warn!(
                    connections_max = self.connections_max,
                    "a connection was turned away: all places are taken"
                );
                continue;
            };
            let acceptor = TlsAcceptor::from(Arc::clone(&self.identity.borrow().tls));
            let (router, stop, crowds) = (self.router.clone(), stop.clone(), Arc::clone(&crowds));
            tokio::spawn(async move {
                connection::handle(
                    stream,
                    acceptor,
                    Duration::from_secs(HANDSHAKE_SECONDS_MAX),
                    router,
                    crowds,
                    stop,
                )
                .await;
                drop(place);
            });
        }
        let deadline = Instant::now() + Duration::from_secs(DRAIN_SECONDS_MAX);
        let everyone = u32::try_from(self.connections_max).unwrap_or(u32::MAX);
        if timeout_at(deadline, places.acquire_many(everyone)).await.is_err() {
            tracing::info!("some requests were cut off; their senders will try again");
        }
    }
}
