//! One connection: handshake, who is it, requests.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    BoxError, Router,
    body::{Bytes, HttpBody},
    http::Request,
    response::Response,
    routing::future::RouteFuture,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use snowball_service::tls::PeerCertificate;
use tokio::{io::BufReader, net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::Service;

use crate::stop::Stop;

/// Requests that one connection may have open at once.
const STREAMS_MAX: u32 = 64;
/// HTTP/1.1: how long a request's head may take.
const HEAD_SECONDS_MAX: u64 = 20;
/// HTTP/2: silence after which the other side is asked whether it is there, and how long it has to answer.
const PING_SECONDS: u64 = 30;
const PONG_SECONDS_MAX: u64 = 20;
/// HTTP/2 flow-control windows, in bytes: uploads at full speed over long lines without holding much of each.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 2 << 20;
/// Largest HTTP/2 frame that may come: the default of 16 KiB makes a hundred megabytes six thousand pieces.
const FRAME_BYTES_MAX: u32 = 128 * 1024;
/// Read from the network at a time. The TLS library asks for 4 KiB, a quarter of a record.
const READ_BYTES: usize = 64 * 1024;

/// Who is at the other end: the certificate, if one was shown; it verified against the consortium's CA.
#[derive(Clone, Default)]
pub struct Peer(pub Option<PeerCertificate>);

/// From where it comes.
#[derive(Clone, Copy)]
pub struct Origin(pub IpAddr);

impl Default for Origin {
    fn default() -> Self {
        Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
}

/// Serves one connection to its end.
pub async fn handle(stream: TcpStream, acceptor: TlsAcceptor, handshake_max: Duration, router: Router, mut stop: Stop) {
    // Small answers go out at once; without it a long poll's answer may wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let origin = stream
        .peer_addr()
        .map_or_else(|_| Origin::default(), |address| Origin(address.ip()));
    let stream = BufReader::with_capacity(READ_BYTES, stream);
    let stream = match timeout(handshake_max, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => return tracing::debug!("a TLS handshake took too long"),
    };
    let Some(peer) = peer_of(&stream) else { return };
    let service = TowerToHyperService::new(Identified { router, peer, origin });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(HEAD_SECONDS_MAX));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .keep_alive_interval(Some(Duration::from_secs(PING_SECONDS)))
        .keep_alive_timeout(Duration::from_secs(PONG_SECONDS_MAX));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.asked() => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = result {
        tracing::debug!(error, "a connection broke");
    }
}

/// `None` for a certificate of our own CA that names no site: nobody that this server serves.
fn peer_of(stream: &TlsStream<BufReader<TcpStream>>) -> Option<Peer> {
    let Some(certificate) = stream.get_ref().1.peer_certificates().and_then(<[_]>::first) else {
        return Some(Peer(None));
    };
    match PeerCertificate::read(certificate) {
        Ok(certificate) => Some(Peer(Some(certificate))),
        Err(error) => {
            tracing::warn!(%error, "a connection was closed: its certificate names no site");
            None
        }
    }
}

/// The router with the peer put into each request.
#[derive(Clone)]
struct Identified {
    router: Router,
    peer: Peer,
    origin: Origin,
}

impl<B> Service<Request<B>> for Identified
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<B>>::poll_ready(&mut self.router, context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request.extensions_mut().insert(self.peer.clone());
        request.extensions_mut().insert(self.origin);
        self.router.call(request)
    }
}
