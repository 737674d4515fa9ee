//! What a request must be, decided from its head alone.

use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};

use crate::Settings;

/// Largest body, in bytes: a study or a policy as text, with room.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// The names under which browsers reach the dashboard.
pub struct Names {
    names: Vec<String>,
    has_tls: bool,
}

/// Why a request is not looked at: a status, and a sentence for whoever made it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal(pub StatusCode, pub &'static str);

impl Names {
    /// Those of the configuration, and the address itself.
    pub fn of(settings: &Settings) -> Self {
        let ip = settings.listen.ip();
        let mut names: Vec<String> = settings.names.iter().map(|name| name.to_ascii_lowercase()).collect();
        if ip.is_loopback() {
            names.extend(["127.0.0.1", "localhost", "[::1]"].map(str::to_owned));
        }
        if !ip.is_unspecified() {
            names.push(if ip.is_ipv6() {
                format!("[{ip}]")
            } else {
                ip.to_string()
            });
        }
        Self {
            names,
            has_tls: settings.has_tls(),
        }
    }

    /// Whether a request may be looked at.
    pub fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let authority = self.authority(uri, headers)?;
        let is_post = method == Method::POST;
        if !is_post && method != Method::GET && method != Method::HEAD {
            return Err(Refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "GET and POST are all that is understood here",
            ));
        }
        let came_from = headers.get(SITE).map(|site| site.as_bytes());
        if is_post {
            self.check_origin(authority, headers, came_from)?;
        } else if !matches!(came_from, None | Some(b"same-origin" | b"none"))
            && headers.get(MODE).is_none_or(|mode| mode.as_bytes() != b"navigate")
        {
            return Err(Refusal(
                StatusCode::FORBIDDEN,
                "pages of other servers may not load this",
            ));
        }
        check_length(headers)
    }

    /// One `Host`, and one of ours: a name that an attacker made point to this machine is another (DNS rebinding). Any port, since
    /// a tunnel may have another one.
    fn authority<'a>(&self, uri: &Uri, headers: &'a HeaderMap) -> Result<&'a str, Refusal> {
        const WRONG: Refusal = Refusal(
            StatusCode::MISDIRECTED_REQUEST,
            "this name is none of the dashboard's; where it should be, add it to `names` in [dashboard]",
        );
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None, None) = (hosts.next(), hosts.next(), uri.authority()) else {
            return Err(WRONG);
        };
        let host = host.to_str().map_err(|_| WRONG)?;
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let is_ours = self.names.iter().any(|ours| ours.eq_ignore_ascii_case(name));
        if is_ours { Ok(host) } else { Err(WRONG) }
    }

    /// What changes something comes from a page of ours. A browser tells so by `Sec-Fetch-Site`; by `Origin` too, which says
    /// `null` for a page that keeps its address to itself, as ours do.
    fn check_origin(&self, authority: &str, headers: &HeaderMap, came_from: Option<&[u8]>) -> Result<(), Refusal> {
        const WRONG: Refusal = Refusal(StatusCode::FORBIDDEN, "a form of another server may not be sent here");
        let origin = headers.get(header::ORIGIN).map(|origin| origin.as_bytes());
        let is_told = match came_from {
            Some(b"same-origin") => true,
            Some(_) => return Err(WRONG),
            None => false,
        };
        match origin {
            None | Some(b"null") if is_told => Ok(()),
            None | Some(b"null") => Err(WRONG),
            Some(origin) => {
                let ours = |scheme: &str| origin.eq_ignore_ascii_case(format!("{scheme}://{authority}").as_bytes());
                // Without TLS here, somebody else may end it before us.
                if ours("https") || (!self.has_tls && ours("http")) {
                    Ok(())
                } else {
                    Err(WRONG)
                }
            }
        }
    }
}

fn check_length(headers: &HeaderMap) -> Result<(), Refusal> {
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    match length.map(str::parse::<usize>) {
        Some(Ok(length)) if length > BODY_BYTES_MAX => Err(Refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            "this is more than the dashboard takes at once",
        )),
        _ => Ok(()),
    }
}
