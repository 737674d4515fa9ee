//! Requests to a DICOMweb server: who we are, how often we try, how much we take.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, Response, StatusCode, Url, header, redirect};
use rustls::ClientConfig;

use super::throttle::Throttle;
use crate::PacsError;

const CONNECT_SECONDS: u64 = 15;
/// The longest wait before another try, whoever asks for it.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// How the server is reached.
pub struct WebSettings {
    /// The service's root, for instance `https://pacs.hospital.example/dicom-web`.
    pub url: String,
    /// Who we are to it.
    pub credentials: Credentials,
    /// For `https`.
    pub tls: Option<ClientConfig>,
    /// Requests at once.
    pub requests_max: usize,
    /// Bytes a second of all requests together; none: no bound.
    pub bytes_per_second_max: Option<u64>,
    /// A request ends when no byte came for so long.
    pub idle: Duration,
    /// How often a request is tried before it counts as failed.
    pub tries: u32,
    /// Pause before the second try; it doubles with each.
    pub pause: Duration,
}

/// Who we are to a DICOMweb server (RFC 7617, RFC 6750).
#[derive(Clone)]
pub enum Credentials {
    /// Nobody.
    None,
    /// A user with a password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// A token.
    Bearer(String),
}

impl Credentials {
    /// Reads a file of one line: `Basic USER:PASSWORD` or `Bearer TOKEN`.
    ///
    /// # Errors
    /// When it is anything else; nothing of it is repeated.
    pub fn parse(text: &str) -> Result<Self, PacsError> {
        let fault = || PacsError::Web {
            what: "the credentials file has one line, \"Basic USER:PASSWORD\" or \"Bearer TOKEN\"".to_owned(),
        };
        let line = text.trim();
        if line.chars().any(char::is_control) {
            return Err(fault());
        }
        let (kind, value) = line.split_once(' ').ok_or_else(fault)?;
        let value = value.trim();
        match kind.to_ascii_lowercase().as_str() {
            "bearer" if !value.is_empty() => Ok(Self::Bearer(value.to_owned())),
            "basic" => {
                let (user, password) = value.split_once(':').ok_or_else(fault)?;
                Ok(Self::Basic {
                    user: user.to_owned(),
                    password: password.to_owned(),
                })
            }
            _ => Err(fault()),
        }
    }
}

/// A client of one server.
pub struct Web {
    client: Client,
    root: String,
    credentials: Credentials,
    pub(super) throttle: Throttle,
    pub(super) requests_max: usize,
    pub(super) tries: u32,
    pause: Duration,
}

/// Why one request brought nothing.
pub(super) enum Refusal {
    /// Worth another try, after the pause that the server asks for.
    Later { what: String, after: Option<Duration> },
    /// It is not there.
    Gone,
    /// The server cannot give it in this form.
    NotAcceptable,
    /// Nothing will come of any request.
    Fatal(PacsError),
}

impl Web {
    /// A client; nothing is asked yet.
    ///
    /// # Errors
    /// When the address, or what goes with it, cannot be used.
    pub fn new(settings: WebSettings) -> Result<Self, PacsError> {
        let fault = |what: &str| PacsError::Web { what: what.to_owned() };
        let url = Url::parse(&settings.url).map_err(|_| fault("--url is no URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(fault(
                "--url carries credentials; put them into the file that credentials in node.toml names",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(fault("--url is the root of the service, without ? and #"));
        }
        let host = url.host_str().unwrap_or_default();
        let is_here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS))
            .read_timeout(settings.idle)
            .user_agent(concat!("snowball/", env!("CARGO_PKG_VERSION")));
        match (url.scheme(), settings.tls) {
            ("https", Some(mut tls)) => {
                tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
                builder = builder.tls_backend_preconfigured(tls).https_only(true);
            }
            ("https", None) => {
                return Err(fault(
                    "https needs the CA that certified the server: name it as ca under [dicomweb]",
                ));
            }
            ("http", tls) => {
                if !is_here && !matches!(settings.credentials, Credentials::None) {
                    return Err(fault("credentials would go in the clear: use https"));
                }
                // Without this the library looks for the system's roots, which serve nobody here.
                let tls = tls.map_or_else(without_roots, Ok)?;
                builder = builder.tls_backend_preconfigured(tls);
            }
            _ => return Err(fault("--url begins with https:// or http://")),
        }
        let client = builder.build().map_err(|_| fault("the HTTP client cannot be set up"))?;
        Ok(Self {
            client,
            root: settings.url.trim_end_matches('/').to_owned(),
            credentials: settings.credentials,
            throttle: Throttle::new(settings.bytes_per_second_max),
            requests_max: settings.requests_max.max(1),
            tries: settings.tries.max(1),
            pause: settings.pause,
        })
    }

    /// One request. `path` begins with `/`.
    pub(super) async fn get(&self, path: &str, accept: &str) -> Result<Response, Refusal> {
        let request = self
            .client
            .get(format!("{}{path}", self.root))
            .header(header::ACCEPT, accept);
        let request = match &self.credentials {
            Credentials::None => request,
            Credentials::Basic { user, password } => request.basic_auth(user, Some(password)),
            Credentials::Bearer(token) => request.bearer_auth(token),
        };
        let response = request.send().await.map_err(|fault| {
            if is_about_its_certificate(&fault) {
                let what = format!(
                    "{}; name the CA that certified it as ca under [dicomweb.tls], and its host in --url as its certificate does",
                    plain(&fault)
                );
                return Refusal::Fatal(PacsError::WebRefused { what });
            }
            Refusal::Later {
                what: plain(&fault),
                after: None,
            }
        })?;
        let fatal = |what: String| Err(Refusal::Fatal(PacsError::WebRefused { what }));
        match response.status() {
            status if status.is_success() => Ok(response),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => fatal(format!(
                "{}: the server does not permit it; check the credentials file and our rights with its administrator",
                response.status()
            )),
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(Refusal::Gone),
            StatusCode::NOT_ACCEPTABLE | StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Err(Refusal::NotAcceptable)
            }
            status if status.is_redirection() => fatal(format!(
                "{status}: the server sends us elsewhere; name the final address as --url"
            )),
            status => {
                let after = response
                    .headers()
                    .get(header::RETRY_AFTER)
                    .and_then(|value| retry_after(value.to_str().ok()?, Timestamp::now()));
                let asked = after.map_or(String::new(), |after| {
                    format!(" and asks to be left alone for {} seconds", after.as_secs())
                });
                Err(Refusal::Later {
                    what: format!("the server answered {status}{asked}"),
                    after,
                })
            }
        }
    }

    /// Whether another try makes sense. A server that asks for more patience than ours is left alone until another run.
    pub(super) fn tries_again(&self, tried: u32, asked: Option<Duration>) -> bool {
        tried < self.tries && asked.is_none_or(|asked| asked <= WAIT_MAX)
    }

    /// Waits before the try after `tried`.
    pub(super) async fn pause(&self, tried: u32, asked: Option<Duration>) {
        let ours = self.pause.saturating_mul(1 << tried.saturating_sub(1).min(10));
        tokio::time::sleep(asked.unwrap_or(ours).max(ours).min(WAIT_MAX)).await;
    }
}

/// What `Retry-After` asks for: seconds, or a time (RFC 9110 section 10.2.3).
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(value.trim()).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

/// Whether it failed at the server's certificate: then it fails each time.
fn is_about_its_certificate(fault: &(dyn std::error::Error + 'static)) -> bool {
    if matches!(fault.downcast_ref(), Some(rustls::Error::InvalidCertificate(_))) {
        return true;
    }
    // What the libraries wrap into faults of the line, one in another, is not among the sources of these.
    let wrapped = fault
        .downcast_ref::<std::io::Error>()
        .and_then(|line| Some(line.get_ref()? as &(dyn std::error::Error + 'static)));
    wrapped.is_some_and(is_about_its_certificate) || fault.source().is_some_and(is_about_its_certificate)
}

fn without_roots() -> Result<ClientConfig, PacsError> {
    let tls = |fault: rustls::Error| PacsError::Tls {
        reason: fault.to_string(),
    };
    Ok(ClientConfig::builder_with_provider(crate::tls::provider())
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth())
}

/// A fault of the line without the URL, which holds instance UIDs.
pub(super) fn plain(fault: &reqwest::Error) -> String {
    let kind = if fault.is_connect() {
        "the server cannot be reached"
    } else if fault.is_timeout() {
        "the server was silent for too long"
    } else {
        "the connection broke"
    };
    let mut deepest: &dyn std::error::Error = fault;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    if deepest.is::<reqwest::Error>() {
        kind.to_owned()
    } else {
        format!("{kind}: {deepest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str, credentials: Credentials) -> WebSettings {
        WebSettings {
            url: url.to_owned(),
            credentials,
            tls: None,
            requests_max: 1,
            bytes_per_second_max: None,
            idle: Duration::from_secs(1),
            tries: 1,
            pause: Duration::ZERO,
        }
    }

    #[test]
    fn credentials_never_go_in_the_clear() {
        let bearer = || Credentials::Bearer("t".to_owned());
        assert!(Web::new(settings("http://pacs.example/dicom-web", bearer())).is_err());
        assert!(Web::new(settings("http://127.0.0.1:8042/dicom-web", bearer())).is_ok());
        assert!(Web::new(settings("http://pacs.example/dicom-web", Credentials::None)).is_ok());
        assert!(Web::new(settings("http://me:secret@127.0.0.1/dicom-web", Credentials::None)).is_err());
        assert!(
            Web::new(settings("https://pacs.example/dicom-web", bearer())).is_err(),
            "no CA"
        );
        assert!(Web::new(settings("ftp://pacs.example", Credentials::None)).is_err());
    }

    #[test]
    fn a_server_says_when_to_come_back_in_seconds_or_by_a_time() {
        let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
        for (value, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
            ("Sun, 06 Nov 1994 08:48:37 GMT", Some(0)),
            ("soon", None),
            ("-3", None),
        ] {
            assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn a_credentials_file_is_read_and_never_repeated() {
        assert!(matches!(Credentials::parse("Bearer abc\n"), Ok(Credentials::Bearer(token)) if token == "abc"));
        assert!(matches!(
            Credentials::parse("basic me:a:b"),
            Ok(Credentials::Basic { user, password }) if user == "me" && password == "a:b"
        ));
        for text in ["", "abc", "Basic nocolon", "Bearer a\nBearer b", "Digest x:y"] {
            let fault = Credentials::parse(text).err().unwrap().to_string();
            assert!(text.is_empty() || !fault.contains("nocolon"), "{fault}");
        }
    }
}
