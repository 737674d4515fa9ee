//! Requests, each with a number, over a line that may change under them.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use bytes::Bytes;
use futures_util::StreamExt;
use reqwest::{Client, Method, Proxy, RequestBuilder, StatusCode, header, redirect};
use rustls::ClientConfig;
use serde::{Serialize, de::DeserializeOwned};
use snowball_protocol::{
    RequestId, Sha256Digest,
    digest::RunningDigest,
    limits::{IDLE_SECONDS_MAX, PARAMETERS_MAX},
    problem::ProblemCode,
};

use super::{
    answer::{answer, chain, refusal, too_long, unreachable},
    bandwidth::{Bandwidth, Way},
    reason,
};
use crate::{error::EgressError, pages::Pages};

const CONNECT_SECONDS: u64 = 15;
const DOWNLOAD_TRIES: u32 = 8;
/// No network has a larger model.
const MODEL_BYTES_MAX: u64 = PARAMETERS_MAX * 4;
/// After so many bytes a download without a bound looks whether there is one now.
const PIECES_APART: usize = 1024 * 1024;
/// Largest HTTP/2 frame that may come: the default of 16 KiB makes a model of a hundred megabytes six thousand pieces.
const FRAME_BYTES_MAX: u32 = 128 * 1024;

/// How to reach the aggregator.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// `https://host:port`.
    pub address: String,
    /// The hospital's proxy, `http://host:port`, reached with CONNECT.
    pub proxy: Option<String>,
}

/// A document as the exact bytes that will leave.
pub struct Body(Bytes);

impl Body {
    /// Writes `document` as canonical JSON.
    #[must_use]
    pub fn of(document: &impl Serialize) -> Self {
        Self(snowball_protocol::plan::canonical_json(document).into())
    }

    /// Bytes that are no document.
    pub(crate) const fn raw(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The bytes themselves.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.0
    }

    /// SHA-256 of the bytes.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        Sha256Digest::of(&self.0)
    }

    /// Their number.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Whether there are none; a document always has some.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One client for one aggregator.
#[derive(Clone)]
pub struct Transport {
    line: Arc<RwLock<Line>>,
    settings: ClientSettings,
    bandwidth: Bandwidth,
}

/// What requests go over from one change of the certificate to the next.
struct Line {
    client: Client,
    /// For asking without HTTP/2 why a connection broke.
    tls: Arc<ClientConfig>,
    number: u64,
}

impl Line {
    fn new(settings: &ClientSettings, tls: ClientConfig, number: u64) -> Result<Self, EgressError> {
        let mut plain = tls.clone();
        plain.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            client: client(settings, tls)?,
            tls: Arc::new(plain),
            number,
        })
    }
}

impl Transport {
    /// A client that speaks TLS as `tls` says.
    ///
    /// # Errors
    /// When the address or the proxy is no URL of the right kind.
    pub fn new(settings: &ClientSettings, tls: ClientConfig) -> Result<Self, EgressError> {
        Ok(Self {
            line: Arc::new(RwLock::new(Line::new(settings, tls, 0)?)),
            settings: settings.clone(),
            bandwidth: Bandwidth::unlimited(),
        })
    }

    /// The same client, whose updates and models go no faster than `bandwidth` lets them.
    #[must_use]
    pub fn with_bandwidth(self, bandwidth: Bandwidth) -> Self {
        Self { bandwidth, ..self }
    }

    /// Waits for the turn of the next piece of an update, of at most `most` bytes, and gives how many it may have.
    pub(crate) async fn turn_to_send(&self, most: usize) -> usize {
        self.bandwidth.turn(Way::Up, most).await
    }

    /// Speaks TLS as `tls` says from the next request on; what is under way goes on over its own connection.
    ///
    /// # Errors
    /// When no client can be made; then the one before stays.
    pub fn replace(&self, tls: ClientConfig) -> Result<(), EgressError> {
        let mut next = Line::new(&self.settings, tls, 0)?;
        let mut line = self.line.write().unwrap_or_else(PoisonError::into_inner);
        next.number = line.number + 1;
        *line = next;
        Ok(())
    }

    /// `GET` of a JSON document.
    ///
    /// # Errors
    /// When the aggregator refuses, cannot be reached or answers anything else.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, EgressError> {
        self.answered(Method::GET, path, |request| request).await
    }

    /// `POST` of a JSON document, answered by another.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Body) -> Result<T, EgressError> {
        self.answered(Method::POST, path, |request| {
            request
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.0.clone())
        })
        .await
    }

    /// `PATCH` of raw bytes, answered by JSON.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn patch<T: DeserializeOwned>(&self, path: &str, bytes: impl Into<Bytes>) -> Result<T, EgressError> {
        self.answered(Method::PATCH, path, |request| {
            request
                .header(header::CONTENT_TYPE, "application/octet-stream")
                .body(bytes.into())
        })
        .await
    }

    /// Exactly `bytes` bytes; a broken line goes on where it stood (RFC 9110 range requests). `moved` is told how many there are,
    /// again and again.
    ///
    /// # Errors
    /// When the aggregator refuses, or the line breaks again and again without moving a byte.
    pub async fn download(
        &self,
        path: &str,
        bytes: u64,
        mut moved: impl FnMut(u64),
    ) -> Result<(Pages, Sha256Digest), EgressError> {
        if bytes > MODEL_BYTES_MAX {
            return Err(too_long());
        }
        let length = usize::try_from(bytes).map_err(|_| too_long())?;
        let mut content = Content {
            bytes: Pages::of(length),
            held: 0,
            digest: RunningDigest::default(),
        };
        let mut tries = 0;
        while content.held < length {
            let before = content.held;
            match self.download_from(path, &mut content, length, &mut moved).await {
                Ok(()) => {}
                Err(fault) if fault.is_transient() && tries < DOWNLOAD_TRIES => {
                    tries = if content.held > before { 0 } else { tries + 1 };
                    tokio::time::sleep(Duration::from_millis(100 << tries.min(6))).await;
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok((content.bytes, content.digest.finish()))
    }

    /// As far as one request goes: to the end, or a piece where there is a bound on the speed.
    async fn download_from(
        &self,
        path: &str,
        content: &mut Content,
        length: usize,
        moved: &mut impl FnMut(u64),
    ) -> Result<(), EgressError> {
        let begin = content.held;
        let mut end = begin + self.bandwidth.turn(Way::Down, length - begin).await;
        let is_whole = end == length;
        let range = format!("bytes={begin}-{}", end - 1);
        let Asking { request, id, line } = self.request(Method::GET, path);
        let response = request.header(header::RANGE, range).send().await;
        let response = match response {
            Ok(response) => response,
            Err(fault) => return Err(self.broken(fault, line).await),
        };
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {}
            StatusCode::OK => {
                content.clear();
                end = length;
            }
            _ => return Err(self.standing(refusal(response, id.as_ref()).await, line)),
        }
        let mut stream = response.bytes_stream();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(unreachable)?;
            if content.held + chunk.len() > end {
                return Err(too_long());
            }
            content.add(&chunk);
            moved(content.held as u64);
            // The hours with a bound have begun: the rest goes in pieces.
            if is_whole
                && content.held < end
                && content.held.saturating_sub(begin) > PIECES_APART
                && self.bandwidth.is_limited()
            {
                return Ok(());
            }
        }
        if content.held < end {
            return Err(EgressError::Unreachable {
                reason: "the download ended early".to_owned(),
            });
        }
        Ok(())
    }

    async fn answered<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        fill: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<T, EgressError> {
        let Asking { request, id, line } = self.request(method, path);
        let response = fill(request).send().await;
        let response = match response {
            Ok(response) => response,
            Err(fault) => return Err(self.broken(fault, line).await),
        };
        answer(response, id.as_ref())
            .await
            .map_err(|fault| self.standing(fault, line))
    }

    /// A request with a number, which both sides write into their logs.
    fn request(&self, method: Method, path: &str) -> Asking {
        let address = self.settings.address.trim_end_matches('/');
        let line = self.line.read().unwrap_or_else(PoisonError::into_inner);
        // Without random numbers there is no TLS either; the aggregator would number the request itself.
        let id = snowball_crypto::random_token()
            .ok()
            .and_then(|token| RequestId::drawn(&token));
        let request = line.client.request(method.clone(), format!("{address}/{path}"));
        let request = match &id {
            Some(id) => {
                tracing::debug!(request = id.as_str(), %method, path, "asking the aggregator");
                request.header(RequestId::HEADER, id.as_str())
            }
            None => request,
        };
        Asking {
            request,
            id,
            line: line.number,
        }
    }

    /// Why a request had no answer. Where the line was there and broke, its end is asked for the reason.
    async fn broken(&self, fault: reqwest::Error, line: u64) -> EgressError {
        let was_there = !fault.is_connect() && !fault.is_timeout();
        let fault = match unreachable(fault) {
            fault @ EgressError::Unreachable { .. } if was_there => {
                let tls = Arc::clone(&self.line.read().unwrap_or_else(PoisonError::into_inner).tls);
                reason::asked(fault, &self.settings, tls).await
            }
            fault => fault,
        };
        self.standing(fault, line)
    }

    /// A request that was under way while the certificate was replaced may hear that the one before is in force no more, as when
    /// its CA is retired: that says nothing about the new one, with which it may be asked again.
    fn standing(&self, fault: EgressError, line: u64) -> EgressError {
        let now = self.line.read().unwrap_or_else(PoisonError::into_inner).number;
        match fault {
            EgressError::Refused(problem) if problem.code == ProblemCode::CertificateRevoked && line != now => {
                replaced()
            }
            EgressError::Handshake(_) if line != now => replaced(),
            fault => fault,
        }
    }
}

/// A request before it is sent, its number, and the number of the line that it goes over.
struct Asking {
    request: RequestBuilder,
    id: Option<RequestId>,
    line: u64,
}

/// What came so far, hashed as it came.
struct Content {
    bytes: Pages,
    /// How many of them came.
    held: usize,
    digest: RunningDigest,
}

impl Content {
    fn add(&mut self, chunk: &[u8]) {
        // There is room: no more than what is due is taken.
        self.bytes[self.held..self.held + chunk.len()].copy_from_slice(chunk);
        self.held += chunk.len();
        self.digest.update(chunk);
    }

    /// Everything comes again from its beginning.
    fn clear(&mut self) {
        self.held = 0;
        self.digest = RunningDigest::default();
    }
}

fn replaced() -> EgressError {
    EgressError::Unreachable {
        reason: "the certificate was replaced while the request was under way".to_owned(),
    }
}

fn client(settings: &ClientSettings, mut tls: ClientConfig) -> Result<Client, EgressError> {
    let setup = |fault: reqwest::Error| EgressError::Setup { reason: chain(&fault) };
    if !settings.address.starts_with("https://") {
        return Err(EgressError::Setup {
            reason: "the aggregator's address must start with https://".to_owned(),
        });
    }
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(true)
        .redirect(redirect::Policy::none())
        .connect_timeout(Duration::from_secs(CONNECT_SECONDS))
        .read_timeout(Duration::from_secs(IDLE_SECONDS_MAX))
        .http2_adaptive_window(true)
        .http2_max_frame_size(FRAME_BYTES_MAX)
        .user_agent(concat!("snowball/", env!("CARGO_PKG_VERSION")));
    // The environment never decides where hospital traffic goes: a proxy is the one of the configuration, or none.
    let builder = match &settings.proxy {
        Some(proxy) => builder.proxy(Proxy::https(proxy).map_err(setup)?),
        None => builder.no_proxy(),
    };
    builder.build().map_err(setup)
}

#[cfg(test)]
mod tests {
    use snowball_protocol::Problem;
    use snowball_service::tls;

    use super::*;

    #[test]
    fn a_refused_certificate_that_was_replaced_meanwhile_says_nothing_about_the_new_one() {
        let tls = || tls::clock_client(Sha256Digest::of(b"ca")).unwrap();
        let settings = ClientSettings {
            address: "https://localhost:1".to_owned(),
            proxy: None,
        };
        let transport = Transport::new(&settings, tls()).unwrap();
        let refused = |code| EgressError::Refused(Problem::new(code, "its CA was retired".to_owned()));
        let Asking { line, .. } = transport.request(Method::GET, "v1/studies");
        assert!(
            !transport
                .standing(refused(ProblemCode::CertificateRevoked), line)
                .is_transient()
        );
        transport.replace(tls()).unwrap();
        assert!(
            transport
                .standing(refused(ProblemCode::CertificateRevoked), line)
                .is_transient()
        );
        assert!(
            !transport
                .standing(refused(ProblemCode::StudyClosed), line)
                .is_transient()
        );
        let Asking { line, .. } = transport.request(Method::GET, "v1/studies");
        assert!(
            !transport
                .standing(refused(ProblemCode::CertificateRevoked), line)
                .is_transient()
        );
    }
}
