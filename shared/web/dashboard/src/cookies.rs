//! The cookies: how they are called, and where a browser may send them.

use axum::http::{HeaderMap, HeaderValue, header, header::InvalidHeaderValue};

use crate::Settings;

/// A year.
const LANGUAGE_SECONDS_MAX: u32 = 31_536_000;

/// How a dashboard's cookies are called.
pub struct Cookies {
    session: String,
    language: String,
    is_secure: bool,
}

impl Cookies {
    /// Where browsers come by TLS, a cookie never leaves it, and only this very host can have set it.
    pub fn of(settings: &Settings) -> Self {
        let is_secure = settings.is_secure();
        let prefix = if is_secure { "__Host-" } else { "" };
        Self {
            // Cookies do not know ports: two programs on one machine must not sign each other out.
            session: format!("{prefix}snowball-{}", settings.listen.port()),
            language: format!("{prefix}snowball-language"),
            is_secure,
        }
    }

    /// The session's cookie, as a browser sent it.
    pub fn session<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        cookie(headers, &self.session)
    }

    /// The language that was chosen before.
    pub fn language<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        cookie(headers, &self.language)
    }

    /// Sets the session's cookie, or takes it away where it is empty.
    pub fn set_session(&self, headers: &mut HeaderMap, value: &str) -> Result<(), InvalidHeaderValue> {
        let lasts = if value.is_empty() { "; Max-Age=0" } else { "" };
        self.set(headers, &self.session, value, lasts)
    }

    /// Keeps a browser's language.
    pub fn set_language(&self, headers: &mut HeaderMap, value: &str) -> Result<(), InvalidHeaderValue> {
        self.set(
            headers,
            &self.language,
            value,
            &format!("; Max-Age={LANGUAGE_SECONDS_MAX}"),
        )
    }

    fn set(&self, headers: &mut HeaderMap, name: &str, value: &str, lasts: &str) -> Result<(), InvalidHeaderValue> {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{lasts}");
        headers.append(header::SET_COOKIE, HeaderValue::try_from(cookie)?);
        Ok(())
    }

    #[cfg(test)]
    pub fn session_name(&self) -> &str {
        &self.session
    }
}

/// A cookie's value; `None` where it is sent twice, since one of them may be somebody else's.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|text| text.to_str().ok());
    let pairs = texts
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(known, _)| *known == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}
