//! Whatever may stand in the middle: an honest proxy, one that forbids or asks for a login, one that opens the traffic with a CA of its
//! own, a balancer that ends TLS, and a server in the aggregator's place with another clock. Real sockets, real TLS.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use snowball_service::{clock, tls};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

const HEAD_BYTES_MAX: usize = 16 * 1024;

/// What it does with a connection.
pub enum Manner {
    /// Opens a tunnel, where a login is asked for only to whoever shows it.
    Tunnel { login: Option<&'static str> },
    /// Lets nothing pass.
    Forbid,
    /// Opens a tunnel that ends in itself.
    Inspect,
    /// Speaks TLS at once, with the same CA of its own.
    Balance,
    /// Answers `GET /v1/health` with this certificate and this clock.
    Serve { chain: String, key: String, clock: Clock },
}

/// What time it is there.
#[derive(Clone, Copy)]
pub enum Clock {
    /// So many seconds ahead of this machine's.
    Ahead(i64),
}

/// It runs until it is dropped.
pub struct Middle {
    pub port: u16,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    tunnels: AtomicUsize,
    heard: AtomicUsize,
}

impl Middle {
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let counts = Arc::new(Counts::default());
        let acceptor = match &manner {
            Manner::Serve { chain, key, .. } => tls::server(chain, key, chain).ok().map(http1),
            Manner::Inspect | Manner::Balance => Some(inspector()),
            Manner::Tunnel { .. } | Manner::Forbid => None,
        };
        let (manner, for_task) = (Arc::new(manner), Arc::clone(&counts));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (manner, acceptor, counts) = (Arc::clone(&manner), acceptor.clone(), Arc::clone(&for_task));
                tokio::spawn(async move { serve(stream, &manner, acceptor, &counts).await });
            }
        });
        Self { port, counts, task }
    }

    /// How many tunnels it opened.
    pub fn tunnels(&self) -> usize {
        self.counts.tunnels.load(Ordering::SeqCst)
    }

    /// How many requests it read in the clear.
    pub fn heard(&self) -> usize {
        self.counts.heard.load(Ordering::SeqCst)
    }
}

impl Drop for Middle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// HTTP/1.1 alone: what follows is written by hand.
fn http1(config: Arc<ServerConfig>) -> TlsAcceptor {
    let mut config = ServerConfig::clone(&config);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// A CA of its own, as a proxy has that inspects, with a certificate for the host that is asked for.
fn inspector() -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name = rcgen::DistinguishedName::new();
    authority
        .distinguished_name
        .push(DnType::CommonName, "Hospital Inspection CA");
    let authority_pem = authority.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(authority, key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let chain = format!("{}\n{authority_pem}", leaf.signed_by(&key, &issuer).unwrap().pem());
    http1(tls::server(&chain, &key.serialize_pem(), &authority_pem).unwrap())
}

async fn serve(mut stream: TcpStream, manner: &Manner, acceptor: Option<TlsAcceptor>, counts: &Counts) {
    match manner {
        Manner::Serve {
            clock: Clock::Ahead(seconds),
            ..
        } => answer(stream, acceptor.unwrap(), *seconds, counts).await,
        Manner::Balance => answer(stream, acceptor.unwrap(), 0, counts).await,
        Manner::Forbid => {
            head(&mut stream).await;
            say(
                &mut stream,
                "HTTP/1.1 403 Blocked by category\r\ncontent-length: 0\r\n\r\n",
            )
            .await;
        }
        Manner::Inspect => {
            head(&mut stream).await;
            opened(&mut stream, counts).await;
            answer(stream, acceptor.unwrap(), 0, counts).await;
        }
        Manner::Tunnel { login } => {
            let head = head(&mut stream).await;
            if login.is_some_and(|login| {
                !head
                    .to_lowercase()
                    .contains(&format!("proxy-authorization: {login}").to_lowercase())
            }) {
                return say(&mut stream, "HTTP/1.1 407 Login\r\ncontent-length: 0\r\n\r\n").await;
            }
            let target = head.split_whitespace().nth(1).unwrap_or_default();
            let Ok(mut there) = TcpStream::connect(target).await else {
                return say(&mut stream, "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").await;
            };
            opened(&mut stream, counts).await;
            let _ = copy_bidirectional(&mut stream, &mut there).await;
        }
    }
}

async fn opened(stream: &mut TcpStream, counts: &Counts) {
    counts.tunnels.fetch_add(1, Ordering::SeqCst);
    say(stream, "HTTP/1.1 200 Connection established\r\n\r\n").await;
}

async fn say(stream: &mut TcpStream, words: &str) {
    let _ = stream.write_all(words.as_bytes()).await;
}

/// One request after the handshake, if it gets that far.
async fn answer(stream: TcpStream, acceptor: TlsAcceptor, ahead: i64, counts: &Counts) {
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    if head(&mut stream).await.is_empty() {
        return;
    }
    counts.heard.fetch_add(1, Ordering::SeqCst);
    let body = format!("{{\"status\":\"ok\",\"clock\":{}}}", clock::now() + ahead);
    let words = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(words.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// The head of a request; empty where the other side said none.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let (mut head, mut piece) = (Vec::new(), [0; 1024]);
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
        match stream.read(&mut piece).await {
            Ok(count) if count > 0 => head.extend_from_slice(&piece[..count]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}
