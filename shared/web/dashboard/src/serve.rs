//! The listener: a bounded number of connections, TLS where it is set up, HTTP/1.1.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Extension, Router};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use snowball_service::connections::{Crowd, Reading, network};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{
    Dashboard,
    account::{self, Account},
    dashboard::{Inner, stopped},
};

/// Largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Serves until `stop`. The newest connection finds room: where its address, or all together, have as many as they may, the oldest goes.
pub(crate) async fn serve(
    dashboard: &Dashboard,
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send,
) {
    let bounds = dashboard.0.bounds;
    let crowd = Crowd::new(bounds.of_one_address_max, bounds.connections_max);
    // For those, too, that have to go and have not gone yet.
    let places_max = 2 * bounds.connections_max;
    let places = Arc::new(Semaphore::new(places_max));
    tokio::pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection to the dashboard could not be accepted");
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::debug!("a connection to the dashboard was turned away: all places are taken");
            continue;
        };
        let mut turn = crowd.enter(network(peer.ip()));
        let (inner, router) = (Arc::clone(&dashboard.0), router.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = handle(&inner, stream, peer, router) => {}
                () = turn.lost() => tracing::debug!("a connection to the dashboard made room for newer ones"),
            }
            drop(place);
        });
    }
    drop(listener);
    // Whoever listens, now or later, hears it.
    dashboard.0.stopping.send_replace(true);
    let everyone = u32::try_from(places_max).unwrap_or(u32::MAX);
    let _ = timeout_at(Instant::now() + bounds.drain_max, places.acquire_many(everyone)).await;
}

async fn handle(inner: &Inner, stream: TcpStream, peer: SocketAddr, router: Router) {
    let router = router.layer(Extension(account_of(&stream, peer).await));
    // Events go out at once.
    let _ = stream.set_nodelay(true);
    match &inner.tls {
        None => talk(inner, stream, router).await,
        Some(acceptor) => match timeout(inner.bounds.handshake_max, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => talk(inner, stream, router).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake with the dashboard failed"),
            Err(_) => tracing::debug!("a TLS handshake with the dashboard took too long"),
        },
    }
}

/// Whose browser it is. The kernel's tables are read aside: they are long where there are many connections.
async fn account_of(stream: &TcpStream, peer: SocketAddr) -> Account {
    let Ok(own) = stream.local_addr() else {
        return Account::default();
    };
    let found = tokio::task::spawn_blocking(move || account::of(peer, own));
    found.await.unwrap_or_default()
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(inner: &Inner, stream: S, router: Router) {
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(inner.bounds.head_max)
        .max_buf_size(HEAD_BYTES_MAX);
    let stream = TokioIo::new(Reading::within(inner.bounds.stall_max, stream));
    let connection = builder.serve_connection(stream, TowerToHyperService::new(router));
    tokio::pin!(connection);
    let mut stopping = inner.stopping.subscribe();
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stopped(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = result {
        tracing::debug!(error, "a connection to the dashboard broke");
    }
}
