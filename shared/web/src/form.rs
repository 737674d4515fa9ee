//! Forms of a dashboard: what a person may change. None can be made without the session's token.

use crate::{Html, Language, Page, Route, messages};

/// Longest line that a form takes, in characters.
pub const LINE_CHARACTERS_MAX: usize = 200;
/// Longest reason that a form takes, in characters. A record keeps 500, of which the rest is for who decided and where.
pub const REASON_CHARACTERS_MAX: usize = 400;
/// Under which name a form carries its token.
pub const TOKEN_FIELD: &str = "form-token";
/// Under which name a form carries a reason.
pub const REASON_FIELD: &str = "reason";

messages! {
    REASON = "Reason, for the record", "Motif, pour le registre";
    REASON_HINT = "One sentence. Name no patient.", "Une phrase. Ne nommez aucun patient.";
    BACK = "Go back, change nothing", "Revenir sans rien changer";
    WILL_HAPPEN = "What will happen", "Ce qui va se passer";
}

/// What proves that a form came from a page of this session. Only a session that may act has one.
#[derive(Clone)]
pub struct FormToken(String);

impl FormToken {
    /// The token of a session; the sessions' keeper alone has reason to call this.
    #[must_use]
    pub const fn new(token: String) -> Self {
        Self(token)
    }

    /// As the form carries it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A form under growth: `Form::new(token, route).line(…).button(…)`, then [`Page::form`].
pub struct Form {
    html: String,
    fields: usize,
    stem: String,
}

impl Form {
    /// A form that is sent to `route` by POST.
    #[must_use]
    pub fn new(token: &FormToken, route: &Route) -> Self {
        Self {
            html: format!(
                "<form method=\"post\" action=\"{}\">\n<input type=\"hidden\" name=\"{TOKEN_FIELD}\" value=\"{}\">\n",
                Html::text(route.as_str()).as_str(),
                Html::text(token.as_str()).as_str()
            ),
            fields: 0,
            stem: stem(route),
        }
    }

    /// The one form for somebody who is not signed in: that which signs in.
    #[must_use]
    pub fn for_strangers(route: &Route) -> Self {
        Self {
            html: format!(
                "<form method=\"post\" action=\"{}\">\n",
                Html::text(route.as_str()).as_str()
            ),
            fields: 0,
            stem: stem(route),
        }
    }

    /// A value that is sent along unseen.
    #[must_use]
    pub fn hidden(mut self, name: &str, value: &str) -> Self {
        let (name, value) = (Html::text(name), Html::text(value));
        self.html += &format!(
            "<input type=\"hidden\" name=\"{}\" value=\"{}\">\n",
            name.as_str(),
            value.as_str()
        );
        self
    }

    /// One line of text.
    #[must_use]
    pub fn line(self, name: &str, label: impl Into<Html>, hint: Option<Html>, value: &str) -> Self {
        let value = Html::text(value);
        self.field(name, label, hint, |attributes| {
            format!(
                "<input type=\"text\" maxlength=\"{LINE_CHARACTERS_MAX}\" autocomplete=\"off\" required value=\"{}\"{attributes}>",
                value.as_str()
            )
        })
    }

    /// Several lines of text.
    #[must_use]
    pub fn lines(self, name: &str, label: impl Into<Html>, hint: Option<Html>, value: &str) -> Self {
        let value = Html::text(value);
        self.field(name, label, hint, |attributes| {
            format!(
                "<textarea rows=\"10\" required{attributes}>\n{}</textarea>",
                value.as_str()
            )
        })
    }

    /// A reason, under the name [`REASON_FIELD`]; it must be given.
    #[must_use]
    pub fn reason(self, language: Language) -> Self {
        self.field(
            REASON_FIELD,
            REASON.html(language),
            Some(REASON_HINT.html(language)),
            |attributes| {
                format!("<textarea rows=\"3\" maxlength=\"{REASON_CHARACTERS_MAX}\" required{attributes}></textarea>")
            },
        )
    }

    /// The button that sends the form.
    #[must_use]
    pub fn button(self, text: impl Into<Html>) -> Finished {
        self.ended("", text.into())
    }

    /// The button of a form that cannot be undone; it looks like that.
    #[must_use]
    pub fn grave_button(self, text: impl Into<Html>) -> Finished {
        self.ended(" class=\"grave\"", text.into())
    }

    fn ended(mut self, class: &str, text: Html) -> Finished {
        self.html += &format!(
            "<p><button type=\"submit\"{class}>{}</button></p>\n</form>\n",
            text.as_str()
        );
        Finished(self.html)
    }

    fn field(
        mut self,
        name: &str,
        label: impl Into<Html>,
        hint: Option<Html>,
        control: impl FnOnce(&str) -> String,
    ) -> Self {
        let id = self.next_id();
        let mut attributes = format!(" id=\"{id}\" name=\"{}\"", Html::text(name).as_str());
        self.html += &format!(
            "<div class=\"field\"><label for=\"{id}\">{}</label>\n",
            label.into().as_str()
        );
        if let Some(hint) = hint {
            attributes += &format!(" aria-describedby=\"{id}-hint\"");
            self.html += &format!("<p class=\"hint\" id=\"{id}-hint\">{}</p>\n", hint.as_str());
        }
        self.html += &control(&attributes);
        self.html += "</div>\n";
        self
    }

    /// Different on a page for forms that lead to different routes.
    fn next_id(&mut self) -> String {
        self.fields += 1;
        format!("{}-{}", self.stem, self.fields)
    }
}

fn stem(route: &Route) -> String {
    let letters = route.as_str().chars();
    let stem = letters.map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
    format!("f{}", stem.collect::<String>())
}

/// A form with its button.
pub struct Finished(String);

impl Finished {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A line that somebody fills in before they confirm.
pub struct Asked<'a> {
    /// Under which name the form carries it.
    pub name: &'a str,
    /// What it is.
    pub label: Html,
    /// How to fill it in.
    pub hint: Option<Html>,
    /// What stands there already.
    pub value: &'a str,
}

/// What the page asks before something that cannot be undone.
pub struct Confirmation<'a> {
    /// What will happen, a sentence each.
    pub will_happen: Vec<Html>,
    /// Where the form leads.
    pub route: Route,
    /// What is sent along unseen.
    pub hidden: &'a [(&'a str, &'a str)],
    /// What somebody has to say of themselves or of what they decide on, before the reason.
    pub asks_line: Option<Asked<'a>>,
    /// Whether a reason must be given.
    pub asks_reason: bool,
    /// The button.
    pub button: Html,
    /// Where somebody who changes their mind goes.
    pub back: Route,
}

impl Page {
    /// What will happen, fields for a line and the reason where they are asked for, a button, and a way back.
    pub fn confirmation(&mut self, token: &FormToken, confirmation: Confirmation<'_>) {
        let language = self.language();
        self.section(WILL_HAPPEN.html(language));
        self.list(confirmation.will_happen);
        let mut form = Form::new(token, &confirmation.route);
        for (name, value) in confirmation.hidden {
            form = form.hidden(name, value);
        }
        if let Some(line) = confirmation.asks_line {
            form = form.line(line.name, line.label, line.hint, line.value);
        }
        if confirmation.asks_reason {
            form = form.reason(language);
        }
        self.form(form.grave_button(confirmation.button));
        self.say(Html::route(&confirmation.back, BACK.html(language)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault;

    #[test]
    fn every_text_stands_in_both_languages() {
        for (name, message) in ALL {
            assert_eq!(message.fault(), None, "{name}");
        }
    }

    #[test]
    fn a_form_carries_its_token_and_every_field_has_a_label_of_its_own() {
        let token = FormToken::new("t\"<".to_owned());
        let form = Form::new(&token, &Route::of(["studies", "knees"]))
            .hidden("what", "\"><script>")
            .line("name", "Name", Some("Short.".into()), "\"x\"")
            .lines("text", "Text", None, "</textarea>\n<b>")
            .reason(Language::French)
            .grave_button("Go");
        let html = form.as_str();
        assert_eq!(fault(&format!("<!doctype html>\n<html>{html}</html>")), None, "{html}");
        assert!(html.starts_with("<form method=\"post\" action=\"/studies/knees\">"));
        assert!(html.contains("name=\"form-token\" value=\"t&quot;&lt;\""));
        let ids: Vec<&str> = html
            .split(" id=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let controls: Vec<&&str> = ids.iter().filter(|id| !id.ends_with("-hint")).collect();
        assert_eq!(controls.len(), 3);
        for id in controls {
            assert_eq!(html.matches(&format!("<label for=\"{id}\">")).count(), 1, "{id}");
        }
    }

    #[test]
    fn before_something_grave_a_page_says_what_will_happen_and_leads_back() {
        let mut page = Page::new(Language::English, "Abort");
        let confirmation = Confirmation {
            will_happen: vec!["The study ends.".into()],
            route: Route::of(["studies", "knees", "abort"]),
            hidden: &[("round", "3")],
            asks_line: Some(Asked {
                name: "who",
                label: "Who decides".into(),
                hint: None,
                value: "Curie",
            }),
            asks_reason: true,
            button: "Abort the study".into(),
            back: Route::of(["studies", "knees"]),
        };
        page.confirmation(&FormToken::new("t".to_owned()), confirmation);
        let html = page.finish();
        for piece in [
            "<li>The study ends.</li>",
            "name=\"round\" value=\"3\"",
            "name=\"who\"",
            "value=\"Curie\"",
            "name=\"reason\"",
            "class=\"grave\">Abort the study</button>",
            "<a href=\"/studies/knees\">",
        ] {
            assert!(html.contains(piece), "{piece}");
        }
        assert_eq!(fault(&html), None);
    }
}
