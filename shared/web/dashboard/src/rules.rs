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
    is_secure: bool,
}

/// Why a request is not looked at: a status, and a sentence for whoever made it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal(pub StatusCode, pub &'static str);

impl Names {
    /// Those of the configuration, and the address itself.
    pub fn of(settings: &Settings) -> Self {
        let ip = settings.listen.ip();
        let mut names: Vec<String> = settings.names.iter().map(|name| name.to_ascii_lowercase()).collect();
        names.extend(settings.public_host().map(str::to_ascii_lowercase));
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
            is_secure: settings.is_secure(),
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
                if ours("https") || (!self.is_secure && ours("http")) {
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

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const LOCAL: &str = "127.0.0.1:7446";

    fn names(listen: &str, others: &[&str], has_tls: bool) -> Names {
        let mut settings = Settings::local(listen.parse().unwrap());
        settings.names = others.iter().map(|name| (*name).to_owned()).collect();
        if has_tls {
            (settings.certificate, settings.key) = (Some("c".into()), Some("k".into()));
        }
        Names::of(&settings)
    }

    fn check(names: &Names, method: &Method, heads: &[(&str, &str)]) -> Result<(), StatusCode> {
        let mut headers = HeaderMap::new();
        for (name, value) in heads {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        let checked = names.check(method, &Uri::from_static("/studies"), &headers);
        checked.map_err(|refusal| refusal.0)
    }

    #[test]
    fn only_our_own_names_are_answered_to() {
        let local = names(LOCAL, &[], false);
        for ours in [
            LOCAL,
            "localhost:7446",
            "LocalHost",
            "[::1]:7446",
            "127.0.0.1:9000",
            "[::1]",
        ] {
            assert_eq!(check(&local, &Method::GET, &[("host", ours)]), Ok(()), "{ours}");
        }
        for theirs in [
            "evil.example",
            "evil.example:7446",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evil.example:127.0.0.1",
            "localhost@evil.example",
            "0.0.0.0:7446",
            "127.0.0.2",
            "[::2]:7446",
            "",
        ] {
            let refused = check(&local, &Method::GET, &[("host", theirs)]);
            assert_eq!(refused, Err(StatusCode::MISDIRECTED_REQUEST), "{theirs}");
        }
        for hosts in [&[][..], &[("host", LOCAL), ("host", "evil.example")]] {
            assert_eq!(check(&local, &Method::GET, hosts), Err(StatusCode::MISDIRECTED_REQUEST));
        }
        let wide = names("0.0.0.0:443", &["desk.example.org"], true);
        assert_eq!(check(&wide, &Method::GET, &[("host", "desk.example.org")]), Ok(()));
        for theirs in ["0.0.0.0:443", "localhost", "127.0.0.1"] {
            let refused = check(&wide, &Method::GET, &[("host", theirs)]);
            assert_eq!(refused, Err(StatusCode::MISDIRECTED_REQUEST), "{theirs}");
        }
        let whole = Uri::from_static("http://127.0.0.1:7446/");
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(LOCAL));
        assert!(local.check(&Method::GET, &whole, &headers).is_err());
    }

    #[test]
    fn only_forms_of_our_own_pages_are_taken() {
        let local = names(LOCAL, &[], false);
        let post = |more: &[(&str, &str)]| check(&local, &Method::POST, &[&[("host", LOCAL)], more].concat());
        let good: [&[(&str, &str)]; 4] = [
            &[("sec-fetch-site", "same-origin"), ("origin", "null")],
            &[("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:7446")],
            &[("sec-fetch-site", "same-origin")],
            &[("origin", "http://127.0.0.1:7446")],
        ];
        for heads in good {
            assert_eq!(post(heads), Ok(()), "{heads:?}");
        }
        let bad: [&[(&str, &str)]; 10] = [
            &[],
            &[("origin", "null")],
            &[("origin", "http://evil.example")],
            &[("origin", "http://127.0.0.1:7447")],
            &[("origin", "http://127.0.0.1")],
            &[("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:7446")],
            &[("sec-fetch-site", "cross-site"), ("origin", "null")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "same-origin"), ("origin", "http://evil.example")],
            &[("origin", "http://127.0.0.1:7446.evil.example")],
        ];
        for heads in bad {
            assert_eq!(post(heads), Err(StatusCode::FORBIDDEN), "{heads:?}");
        }
        let mut proxied = Settings::local(LOCAL.parse().unwrap());
        proxied.public_address = Some("https://desk.example.org:8443".to_owned());
        let proxied = Names::of(&proxied);
        for (origin, is_ours) in [
            ("https://desk.example.org:8443", true),
            ("http://desk.example.org:8443", false),
            ("https://desk.example.org", false),
        ] {
            let heads = [("host", "desk.example.org:8443"), ("origin", origin)];
            assert_eq!(check(&proxied, &Method::POST, &heads).is_ok(), is_ours, "{origin}");
        }
        let tls = names("0.0.0.0:443", &["desk.example.org"], true);
        for (origin, is_ours) in [("https://desk.example.org", true), ("http://desk.example.org", false)] {
            let checked = check(&tls, &Method::POST, &[("host", "desk.example.org"), ("origin", origin)]);
            assert_eq!(checked.is_ok(), is_ours, "{origin}");
        }
    }

    #[test]
    fn other_servers_pages_load_nothing_but_may_lead_here() {
        let local = names(LOCAL, &[], false);
        let get = |more: &[(&str, &str)]| check(&local, &Method::GET, &[&[("host", LOCAL)], more].concat());
        assert_eq!(get(&[]), Ok(()));
        assert_eq!(
            get(&[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")]),
            Ok(())
        );
        assert_eq!(
            get(&[("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors")]),
            Ok(())
        );
        for site in ["cross-site", "same-site"] {
            assert_eq!(get(&[("sec-fetch-site", site), ("sec-fetch-mode", "navigate")]), Ok(()));
            for mode in ["no-cors", "cors", "websocket"] {
                let heads = [("sec-fetch-site", site), ("sec-fetch-mode", mode)];
                assert_eq!(get(&heads), Err(StatusCode::FORBIDDEN), "{heads:?}");
            }
            assert_eq!(get(&[("sec-fetch-site", site)]), Err(StatusCode::FORBIDDEN));
        }
    }

    #[test]
    fn other_methods_and_large_bodies_are_refused_at_the_head() {
        let local = names(LOCAL, &[], false);
        for method in [
            Method::PUT,
            Method::DELETE,
            Method::OPTIONS,
            Method::TRACE,
            Method::CONNECT,
        ] {
            let refused = check(&local, &method, &[("host", LOCAL)]);
            assert_eq!(refused, Err(StatusCode::METHOD_NOT_ALLOWED));
        }
        for (length, is_small) in [(BODY_BYTES_MAX, true), (BODY_BYTES_MAX + 1, false)] {
            let length = length.to_string();
            let heads = [
                ("host", LOCAL),
                ("origin", "http://127.0.0.1:7446"),
                ("content-length", &length),
            ];
            assert_eq!(check(&local, &Method::POST, &heads).is_ok(), is_small);
        }
    }
}
