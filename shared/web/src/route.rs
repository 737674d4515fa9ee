//! Where a link, a form or a redirection of a dashboard leads: always into the dashboard itself.

use std::fmt::Write as _;

/// A path below the dashboard's root, with what is asked there. Whatever it is made of, it leads to no other server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route(String);

impl Route {
    /// The first page.
    #[must_use]
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// The page below these names, each one part of the path: `Route::of(["studies", name])`.
    #[must_use]
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut path = String::new();
        for part in parts {
            path.push('/');
            // A part of dots only would mean another folder to a browser, escaped or not.
            if part.bytes().all(|byte| byte == b'.') {
                path.push('-');
            } else {
                escape(&mut path, part);
            }
        }
        if path.is_empty() { Self::root() } else { Self(path) }
    }

    /// The page that a request asks for: its path as it came, and what is asked, by name and value.
    #[must_use]
    pub fn asked<'a>(path: &str, query: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut route = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            route.push('/');
            for byte in part.bytes() {
                // What is escaped already stays as it is.
                if byte == b'%' || byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    route.push(char::from(byte));
                } else {
                    // Writing into a text never fails.
                    let _ = write!(route, "%{byte:02X}");
                }
            }
        }
        let here = if route.is_empty() { Self::root() } else { Self(route) };
        query
            .into_iter()
            .fold(here, |here, (name, value)| here.with(name, value))
    }

    /// The same page, asked for something: `?name=value`.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        escape(&mut self.0, name);
        self.0.push('=');
        escape(&mut self.0, value);
        self
    }

    /// As it stands in a link.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path without what is asked.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.split_once('?').map_or(&self.0, |(path, _)| path)
    }
}

fn escape(into: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => into.push(char::from(byte)),
            // Writing into a text never fails.
            other => {
                let _ = write!(into, "%{other:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_stays_in_the_dashboard_whatever_its_parts() {
        assert_eq!(Route::of(["studies", "knees-2"]).as_str(), "/studies/knees-2");
        assert_eq!(Route::of([]), Route::root());
        assert_eq!(Route::of(["", "evil.example"]).as_str(), "/-/evil.example");
        assert_eq!(Route::of(["..", "/x\"<"]).as_str(), "/-/%2Fx%22%3C");
        let asked = Route::of(["sites"]).with("page", "2").with("q", "a&b=é");
        assert_eq!(asked.as_str(), "/sites?page=2&q=a%26b%3D%C3%A9");
        assert_eq!(asked.path(), "/sites");
        let here = Route::asked("//evil.example/%C3%A9\"", [("page", "2")]);
        assert_eq!(here.as_str(), "/evil.example/%C3%A9%22?page=2");
        assert_eq!(Route::asked("/", []), Route::root());
    }
}
