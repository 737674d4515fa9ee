//! The listener: a bounded number of connections, TLS where it is set up, HTTP/1.1.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{
    Dashboard,
    dashboard::{Inner, stopped},
};

/// Connections at once. A browser opens up to six, and one for each page that renews itself.
const CONNECTIONS_MAX: usize = 128;
/// How long a handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// How long the head of a request may take, also of the next one on the same connection.
const HEAD_MAX: Duration = Duration::from_secs(20);
/// Largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long open requests may go on after the stop.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Serves until `stop`.
pub(crate) async fn serve(
    dashboard: &Dashboard,
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    tokio::pin!(stop);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection to the dashboard could not be accepted");
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::warn!(
                CONNECTIONS_MAX,
                "a connection to the dashboard was turned away: all places are taken"
            );
            continue;
        };
        let (inner, router) = (Arc::clone(&dashboard.0), router.clone());
        tokio::spawn(async move {
            handle(&inner, stream, router).await;
            drop(place);
        });
    }
    drop(listener);
    // Whoever listens, now or later, hears it.
    dashboard.0.stopping.send_replace(true);
    let everyone = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
    let _ = timeout_at(Instant::now() + DRAIN_MAX, places.acquire_many(everyone)).await;
}

async fn handle(inner: &Inner, stream: TcpStream, router: Router) {
    // Events go out at once.
    let _ = stream.set_nodelay(true);
    let stopping = inner.stopping.subscribe();
    match &inner.tls {
        None => talk(stream, router, stopping).await,
        Some(acceptor) => match timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => talk(stream, router, stopping).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake with the dashboard failed"),
            Err(_) => tracing::debug!("a TLS handshake with the dashboard took too long"),
        },
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
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
