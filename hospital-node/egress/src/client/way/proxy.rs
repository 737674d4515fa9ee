//! CONNECT (RFC 9110, 9.3.6) through the hospital's proxy, and what a proxy says that does not open a tunnel.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::Url;

use super::Host;
use crate::error::EgressError;

const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// For the question and the whole answer: a proxy answers when it has reached the other side, or has given up.
const ANSWER_SECONDS_MAX: u64 = 20;
/// Longest line of a proxy that is shown, in characters.
const SHOWN_CHARACTERS_MAX: usize = 120;

/// The proxy of `node.toml`.
pub struct ProxyAddress {
    /// Where it is.
    pub host: Host,
    /// What it wants to know of whoever asks, as it goes over the line; never shown.
    authorization: Option<String>,
}

/// Why there is no tunnel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TunnelFault {
    /// It wants to know who asks (407).
    WantsCredentials,
    /// It does not let this host or port pass (403 and other refusals), with its first line.
    Forbids(String),
    /// It cannot reach the aggregator itself, or does not know its name (502 to 504), with its first line.
    CannotReach(String),
    /// It answered something else, or nothing.
    NoProxy(String),
}

impl ProxyAddress {
    /// Reads `http://host:port` or `http://user:password@host:port`.
    ///
    /// # Errors
    /// When it is anything else; the words hold no password.
    pub fn parse(proxy: &str) -> Result<Self, EgressError> {
        let wrong = || EgressError::Setup {
            reason: "the proxy under [network] in node.toml must be http://host:port".to_owned(),
        };
        let url = Url::parse(proxy).map_err(|_| wrong())?;
        if url.scheme() != "http" {
            return Err(wrong());
        }
        Ok(Self {
            host: Host::of(&url).ok_or_else(wrong)?,
            authorization: authorization(&url),
        })
    }

    /// Whether it is told who asks.
    #[must_use]
    pub const fn has_credentials(&self) -> bool {
        self.authorization.is_some()
    }
}

/// RFC 7617, as the client sends it.
fn authorization(url: &Url) -> Option<String> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let credentials = format!(
        "{}:{}",
        decoded(url.username()),
        decoded(url.password().unwrap_or_default())
    );
    Some(format!("Basic {}", BASE64_STANDARD.encode(credentials)))
}

/// Percent-encoding of the userinfo undone.
fn decoded(text: &str) -> String {
    let (bytes, mut plain, mut place) = (text.as_bytes(), Vec::new(), 0);
    while place < bytes.len() {
        let coded = (bytes[place] == b'%')
            .then(|| text.get(place + 1..place + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        plain.push(coded.unwrap_or(bytes[place]));
        place += if coded.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// Asks the proxy at the other end of `stream` for a tunnel to `target`, and gives it.
///
/// # Errors
/// When it opens none.
pub fn tunnel(stream: TcpStream, proxy: &ProxyAddress, target: &Host) -> Result<TcpStream, TunnelFault> {
    tunnel_within(stream, proxy, target, Duration::from_secs(ANSWER_SECONDS_MAX))
}

fn tunnel_within(
    mut stream: TcpStream,
    proxy: &ProxyAddress,
    target: &Host,
    patience: Duration,
) -> Result<TcpStream, TunnelFault> {
    let deadline = Instant::now() + patience;
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(authorization) = &proxy.authorization {
        request += &format!("Proxy-Authorization: {authorization}\r\n");
    }
    request += "\r\n";
    let broken = |fault: std::io::Error| TunnelFault::NoProxy(fault.kind().to_string());
    stream
        .set_write_timeout(Some(patience))
        .and_then(|()| stream.write_all(request.as_bytes()))
        .map_err(broken)?;
    let mut answer = Vec::new();
    read_until(b"\n", &mut answer, &mut stream, deadline).map_err(broken)?;
    let line = answer.split(|byte| *byte == b'\n').next().unwrap_or_default();
    judge(String::from_utf8_lossy(line).trim())?;
    // Nobody speaks in the tunnel before this side does: what comes is the head's rest.
    read_until(b"\r\n\r\n", &mut answer, &mut stream, deadline).map_err(broken)?;
    Ok(stream)
}

/// Goes on with `answer` until it has `end`, or the line is closed. A proxy that sends a byte now and then is not waited for longer
/// than one that sends none.
fn read_until(end: &[u8], answer: &mut Vec<u8>, stream: &mut TcpStream, deadline: Instant) -> std::io::Result<()> {
    let mut piece = [0; 512];
    while !answer.windows(end.len()).any(|window| window == end) && answer.len() < ANSWER_BYTES_MAX {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece)? {
            0 => break,
            count => answer.extend_from_slice(&piece[..count]),
        }
    }
    Ok(())
}

fn judge(line: &str) -> Result<(), TunnelFault> {
    let shown: String = line
        .chars()
        .filter(|character| !character.is_control())
        .take(SHOWN_CHARACTERS_MAX)
        .collect();
    let mut words = line.split_ascii_whitespace();
    let status = words
        .next()
        .filter(|version| version.starts_with("HTTP/"))
        .and_then(|_| words.next()?.parse::<u16>().ok());
    match status {
        Some(200..=299) => Ok(()),
        Some(407) => Err(TunnelFault::WantsCredentials),
        Some(502..=504) => Err(TunnelFault::CannotReach(shown)),
        Some(_) => Err(TunnelFault::Forbids(shown)),
        None if line.is_empty() => Err(TunnelFault::NoProxy("it closed the line".to_owned())),
        None => Err(TunnelFault::NoProxy("it does not speak HTTP".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn asked(proxy: &str, answer: &'static [u8]) -> (Result<(), TunnelFault>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = Vec::new();
            let mut piece = [0; 512];
            while !heard.ends_with(b"\r\n\r\n") {
                let count = stream.read(&mut piece).unwrap();
                heard.extend_from_slice(&piece[..count]);
            }
            stream.write_all(answer).unwrap();
            String::from_utf8(heard).unwrap()
        });
        let target = Host {
            name: "snowball.example.org".to_owned(),
            port: 7443,
        };
        let outcome = tunnel(stream, &ProxyAddress::parse(proxy).unwrap(), &target).map(drop);
        (outcome, served.join().unwrap())
    }

    #[test]
    fn a_proxys_answer_is_told_apart() {
        let proxy = "http://user:p%40ss@127.0.0.1:3128";
        let (open, heard) = asked(proxy, b"HTTP/1.1 200 Connection established\r\n\r\n");
        assert_eq!(open, Ok(()));
        assert!(
            heard.starts_with("CONNECT snowball.example.org:7443 HTTP/1.1\r\n"),
            "{heard}"
        );
        // user:p@ss, as RFC 7617 writes it.
        assert!(heard.contains("Proxy-Authorization: Basic dXNlcjpwQHNz\r\n"), "{heard}");
        let plain = "http://127.0.0.1:3128";
        let fault = |answer| asked(plain, answer).0.unwrap_err();
        assert_eq!(
            fault(b"HTTP/1.1 407 Who are you\r\n\r\n"),
            TunnelFault::WantsCredentials
        );
        assert_eq!(
            fault(b"HTTP/1.1 403 Blocked\x07 by policy\r\n\r\n"),
            TunnelFault::Forbids("HTTP/1.1 403 Blocked by policy".to_owned())
        );
        assert!(matches!(
            fault(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"),
            TunnelFault::CannotReach(_)
        ));
        assert!(matches!(fault(b"SSH-2.0-OpenSSH\r\n"), TunnelFault::NoProxy(_)));
        assert!(matches!(fault(b""), TunnelFault::NoProxy(_)));
    }

    #[test]
    fn a_proxy_that_drips_is_not_waited_for_without_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let dripping = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // Until the other side is gone.
            while stream.write_all(b"H").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let target = Host {
            name: "snowball.example.org".to_owned(),
            port: 7443,
        };
        let proxy = ProxyAddress::parse(plain_proxy()).unwrap();
        let begun = Instant::now();
        let outcome = tunnel_within(stream, &proxy, &target, Duration::from_millis(200));
        assert!(matches!(outcome, Err(TunnelFault::NoProxy(_))), "{outcome:?}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        dripping.join().unwrap();
    }

    #[test]
    fn only_a_proxy_that_the_client_can_use_is_one() {
        assert!(!ProxyAddress::parse(plain_proxy()).unwrap().has_credentials());
        for wrong in ["https://proxy:3128", "socks5://proxy:1080", "proxy:3128", "http://"] {
            assert!(ProxyAddress::parse(wrong).is_err(), "{wrong}");
        }
        let secret = ProxyAddress::parse("https://user:secret@proxy")
            .err()
            .unwrap()
            .to_string();
        assert!(!secret.contains("secret"), "{secret}");
    }

    const fn plain_proxy() -> &'static str {
        "http://proxy.hospital.example:3128"
    }
}
