//! One connection: handshake, who is it, requests. What it may hold and how long it may be silent depends on who it is.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
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
use snowball_protocol::SiteName;
use snowball_service::{
    connections::{Crowd, Reading, Turn, network},
    tls::PeerCertificate,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy, sink},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::Service;

use super::{activity::Activity, line::Line};
use crate::stop::Stop;

/// HTTP/1.1: how long a request's head may take.
const HEAD_SECONDS_MAX: u64 = 20;
/// Largest head of a request, in bytes; those of nodes have some hundred.
const HEAD_BYTES_MAX: u32 = 16 * 1024;
/// HTTP/2: requests of one connection that were broken off before they were looked at (CVE-2023-44487), and those that were
/// answered with a fault of their sender; the connection ends there.
const RESETS_MAX: usize = 20;
const FAULTS_MAX: usize = 64;
/// HTTP/2: silence after which the other side is asked whether it is there, and how long it has to answer.
const PING_SECONDS: u64 = 30;
const PONG_SECONDS_MAX: u64 = 20;
/// Largest HTTP/2 frame that may come: the default of 16 KiB makes a hundred megabytes six thousand pieces.
const FRAME_BYTES_MAX: u32 = 128 * 1024;
/// How long an answer may stand without a byte of it going out: a node that is held up for longer asks again from where it was.
const STALL_MAX: Duration = Duration::from_secs(60);
/// How long the answers under way may take to end when a connection is to close.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long the other side may take to read why its handshake failed, and how much it may have sent meanwhile.
const FAREWELL: Duration = Duration::from_secs(2);
const UNREAD_BYTES_MAX: u64 = 256 * 1024;

/// What a connection may hold.
struct Allowance {
    /// Requests open at once.
    streams_max: u32,
    /// HTTP/2 flow-control windows, in bytes: what a connection holds of bodies that nobody has read yet.
    stream_window_bytes: u32,
    connection_window_bytes: u32,
    /// Without a request for this long it is closed.
    silence: Duration,
}

/// Uploads at full speed over long lines without holding much of each.
const OF_A_SITE: Allowance = Allowance {
    streams_max: 64,
    stream_window_bytes: 512 * 1024,
    connection_window_bytes: 512 * 1024,
    silence: Duration::from_secs(120),
};
/// One document at a time is all that anybody without a certificate has to say.
const OF_A_STRANGER: Allowance = Allowance {
    streams_max: 8,
    stream_window_bytes: 64 * 1024,
    connection_window_bytes: 128 * 1024,
    silence: Duration::from_secs(20),
};

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

/// Everyone who is connected.
pub struct Crowds {
    /// Whoever has shown no certificate, or none yet, by address.
    pub strangers: Arc<Crowd<IpAddr>>,
    /// Sites by name.
    pub sites: Arc<Crowd<SiteName>>,
}

/// A connection's right to go on, among its like.
enum Standing {
    Stranger(Turn<IpAddr>),
    Site(Turn<SiteName>),
}

impl Standing {
    async fn lost(&mut self) {
        match self {
            Self::Stranger(turn) => turn.lost().await,
            Self::Site(turn) => turn.lost().await,
        }
    }
}

/// Serves one connection to its end.
pub async fn handle(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    handshake_max: Duration,
    router: Router,
    crowds: Arc<Crowds>,
    stop: Stop,
) {
    // Small answers go out at once; without it a long poll's answer may wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let origin = stream
        .peer_addr()
        .map_or_else(|_| Origin::default(), |address| Origin(address.ip()));
    let mut turn = crowds.strangers.enter(network(origin.0));
    let shaken = tokio::select! {
        shaken = timeout(handshake_max, acceptor.accept(Line::Narrow(stream)).into_fallible()) => shaken,
        () = turn.lost() => return tracing::debug!("a handshake made room for newer ones"),
    };
    let mut stream = match shaken {
        Ok(Ok(stream)) => stream,
        Ok(Err((error, stream))) => {
            tracing::debug!(%error, "a TLS handshake failed");
            return tokio::select! {
                () = part(stream) => {}
                () = turn.lost() => {}
            };
        }
        Err(_) => return tracing::debug!("a TLS handshake took too long"),
    };
    let Some(peer) = peer_of(&stream) else { return };
    let (standing, allowance) = match &peer.0 {
        None => (Standing::Stranger(turn), &OF_A_STRANGER),
        Some(certificate) => {
            drop(turn);
            stream.get_mut().0.widen();
            (Standing::Site(crowds.sites.enter(certificate.site.clone())), &OF_A_SITE)
        }
    };
    serve(stream, Identified::new(router, peer, origin), standing, allowance, stop).await;
}

/// Ends a connection whose handshake failed such that the other side reads why. In TLS 1.3 it has sent its first request by then;
/// a socket that is closed with bytes unread answers with a reset, and that throws away the alert on its way
/// (RFC 9112, 9.6).
async fn part(mut stream: Line) {
    let farewell = async {
        stream.shutdown().await?;
        copy(&mut stream.take(UNREAD_BYTES_MAX), &mut sink()).await
    };
    let _ = timeout(FAREWELL, farewell).await;
}

async fn serve(
    stream: TlsStream<Line>,
    service: Identified,
    mut standing: Standing,
    allowance: &Allowance,
    mut stop: Stop,
) {
    let activity = service.activity.clone();
    let speaks_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let builder = builder(allowance, speaks_http2);
    let connection = builder.serve_connection(
        TokioIo::new(Reading::within(STALL_MAX, stream)),
        TowerToHyperService::new(service),
    );
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.asked() => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
        () = standing.lost() => return tracing::debug!("a connection made room for newer ones"),
        () = activity.over(allowance.silence) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                result = connection.as_mut() => result,
                () = sleep(LAST_WORDS) => return tracing::debug!("a silent connection was closed"),
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(error, "a connection broke");
    }
}

/// The protocol is the one that the handshake agreed on; to find it out from the first bytes would mean to wait for them.
fn builder(allowance: &Allowance, speaks_http2: bool) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(HEAD_SECONDS_MAX));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(allowance.streams_max)
        .initial_stream_window_size(allowance.stream_window_bytes)
        .initial_connection_window_size(allowance.connection_window_bytes)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_header_list_size(HEAD_BYTES_MAX)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(FAULTS_MAX)
        .keep_alive_interval(Some(Duration::from_secs(PING_SECONDS)))
        .keep_alive_timeout(Duration::from_secs(PONG_SECONDS_MAX));
    if speaks_http2 {
        builder.http2_only()
    } else {
        builder.http1_only()
    }
}

/// `None` for a certificate of our own CA that names no site: nobody that this server serves.
fn peer_of(stream: &TlsStream<Line>) -> Option<Peer> {
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
    activity: Activity,
}

impl Identified {
    fn new(router: Router, peer: Peer, origin: Origin) -> Self {
        Self {
            router,
            peer,
            origin,
            activity: Activity::new(),
        }
    }
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
        request.extensions_mut().insert(self.activity.begin());
        self.router.call(request)
    }
}
