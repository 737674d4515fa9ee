//! A piece of a page. It can be made from plain text only, which is escaped on the way in.

use crate::{Language, Route};

/// Whether a character may stand in a page: not one that controls a terminal or turns the direction of writing.
pub(crate) fn shown(character: char) -> bool {
    match character {
        '\n' | '\t' => true,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => false,
        other => !other.is_control(),
    }
}

/// Code of no more characters stays on one line, such as a digest's first eight.
const SHORT_CODE: usize = 12;

/// A piece of a page that may stand in running text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Html(String);

impl Html {
    /// Plain text. Characters that control a terminal or the direction of writing are left out.
    #[must_use]
    pub fn text(text: &str) -> Self {
        let mut escaped = String::with_capacity(text.len());
        for character in text.chars() {
            match character {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                '\t' => escaped.push(' '),
                other if shown(other) => escaped.push(other),
                _ => {}
            }
        }
        Self(escaped)
    }

    /// Text set as code: digests, keys, names of fields.
    #[must_use]
    pub fn code(text: &str) -> Self {
        if text.len() > SHORT_CODE {
            return Self::text(text).as_code();
        }
        Self(format!("<code class=\"short\">{}</code>", Self::text(text).0))
    }

    /// A link to a file that lies beside the page or in a folder beside it. Whatever the name, it leads nowhere else.
    #[must_use]
    pub fn link(file: &str, text: impl Into<Self>) -> Self {
        use std::fmt::Write as _;

        let mut path = String::from("./");
        for byte in file.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/' => path.push(char::from(byte)),
                // Writing into a text never fails.
                other => drop(write!(path, "%{other:02X}")),
            }
        }
        Self(format!("<a href=\"{path}\">{}</a>", text.into().0))
    }

    /// A link to a page of the dashboard.
    #[must_use]
    pub fn route(route: &Route, text: impl Into<Self>) -> Self {
        Self(format!(
            "<a href=\"{}\">{}</a>",
            Self::text(route.as_str()).0,
            text.into().0
        ))
    }

    /// Words that only those hear who do not see the page.
    #[must_use]
    pub fn unseen(self) -> Self {
        Self(format!("<span class=\"unseen\">{}</span>", self.0))
    }

    /// A whole number, as the language writes it and, for programs, as it is.
    #[must_use]
    pub fn number(number: u64, language: Language) -> Self {
        Self(format!("<data value=\"{number}\">{}</data>", language.number(number)))
    }

    /// Day and minute of a time in Unix seconds, universal time.
    #[must_use]
    pub fn minute(seconds: i64) -> Self {
        Self::time(seconds, "%Y-%m-%d %H:%M")
    }

    /// Day of a time in Unix seconds, universal time.
    #[must_use]
    pub fn day(seconds: i64) -> Self {
        Self::time(seconds, "%Y-%m-%d")
    }

    fn time(seconds: i64, form: &str) -> Self {
        let Ok(time) = jiff::Timestamp::from_second(seconds) else {
            return Self::text(&seconds.to_string());
        };
        Self(format!("<time datetime=\"{time}\">{}</time>", time.strftime(form)))
    }

    /// A link that looks like a button: it leads to a page that asks.
    #[must_use]
    pub fn button(self) -> Self {
        Self(format!("<span class=\"button\">{}</span>", self.0))
    }

    /// What is as it should be.
    #[must_use]
    pub fn good(self) -> Self {
        Self(format!("<span class=\"good\">{}</span>", self.0))
    }

    /// What is not as it should be.
    #[must_use]
    pub fn bad(self) -> Self {
        Self(format!("<span class=\"bad\">{}</span>", self.0))
    }

    /// What matters less.
    #[must_use]
    pub fn soft(self) -> Self {
        Self(format!("<span class=\"soft\">{}</span>", self.0))
    }

    /// This and then that.
    #[must_use]
    pub fn and(self, next: impl Into<Self>) -> Self {
        Self(self.0 + &next.into().0)
    }

    /// All of them with `separator` between.
    #[must_use]
    pub fn join(pieces: impl IntoIterator<Item = Self>, separator: &str) -> Self {
        let pieces: Vec<String> = pieces.into_iter().map(|piece| piece.0).collect();
        Self(pieces.join(&Self::text(separator).0))
    }

    /// All of them, one below the other.
    #[must_use]
    pub fn below(pieces: impl IntoIterator<Item = Self>) -> Self {
        let pieces: Vec<String> = pieces.into_iter().map(|piece| piece.0).collect();
        Self(pieces.join("<br>"))
    }

    /// As it stands in the page.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn as_code(&self) -> Self {
        Self(format!("<code>{}</code>", self.0))
    }
}

impl From<&str> for Html {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Html {
    fn from(text: String) -> Self {
        Self::text(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_can_neither_open_a_tag_nor_turn_the_line_round() {
        let html = Html::text("<script>alert('x')</script>\u{202e}\u{1b}[2J & \"y\"");
        assert_eq!(
            html.as_str(),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;[2J &amp; &quot;y&quot;"
        );
    }

    #[test]
    fn a_link_leads_to_a_neighbour_whatever_its_name() {
        assert_eq!(
            Html::link("knees/model.onnx", "model").as_str(),
            "<a href=\"./knees/model.onnx\">model</a>"
        );
        assert_eq!(
            Html::link("javascript:alert(\"1\")", "<b>").as_str(),
            "<a href=\"./javascript%3Aalert%28%221%22%29\">&lt;b&gt;</a>"
        );
    }

    #[test]
    fn times_are_universal_and_what_is_no_time_stays_a_number() {
        assert!(Html::minute(0).as_str().contains(">1970-01-01 00:00<"));
        assert_eq!(Html::day(i64::MAX).as_str(), i64::MAX.to_string());
    }
}
