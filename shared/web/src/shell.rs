//! What stands around a page of a dashboard: where one is, where one can go, who one is.

use crate::{FormToken, Html, Language, Page, Route, form::TOKEN_FIELD, messages};

/// The style of dashboards, after that of all pages; see [`crate::STYLE`].
pub const DASHBOARD_STYLE: &str = include_str!("dashboard.css");
/// The one script: it replaces parts of the page that changed, and says when it cannot.
pub const DASHBOARD_SCRIPT: &str = include_str!("dashboard.js");
/// Under which path the style is given out.
pub const STYLE_PATH: &str = "/dashboard.css";
/// Under which path the script is given out.
pub const SCRIPT_PATH: &str = "/dashboard.js";
/// Where a ticket becomes a session.
pub const ENTER_PATH: &str = "/enter";
/// Where a session ends.
pub const SIGN_OUT_PATH: &str = "/sign-out";
/// Under which name a language is asked for: `?language=fr`.
pub const LANGUAGE_QUERY: &str = "language";

messages! {
    SKIP = "Skip to the content", "Aller au contenu";
    PAGES = "Pages", "Pages";
    SIGN_OUT = "Sign out", "Se déconnecter";
    SIGNED_IN = "Signed in as {role}", "Connecté en tant que {role}";
    LIVE_LOST = "Connection lost, trying again. What you see may be old.",
        "Connexion perdue, nouvelle tentative. Ce que vous voyez peut être ancien.";
    LIVE_BACK = "Connected again; the page is up to date.", "Connexion rétablie ; la page est à jour.";
    LIVE_STILL = "This page renews itself no more. Load it again to see what is there now.",
        "Cette page ne se renouvelle plus. Rechargez-la pour voir ce qu'il en est.";
    LIVE_ENDED = "You are signed out. Sign in again to see what is new.",
        "Vous êtes déconnecté. Connectez-vous à nouveau pour voir les nouveautés.";
}

/// What a dashboard's shell needs to know about one page.
pub struct Shell<'a> {
    /// The program, and whose it is, as the header and the title name it.
    pub name: Html,
    /// The pages that one can go to.
    pub navigation: &'a [(Route, Html)],
    /// The page that this is, with what was asked, without the language.
    pub here: Route,
    /// Who is signed in; nobody is on the page where one signs in.
    pub visitor: Option<Visitor<'a>>,
    /// What was done by the request before this one.
    pub told: Option<Html>,
}

/// Somebody who is signed in.
pub struct Visitor<'a> {
    /// As what, and who where that is known.
    pub role: Html,
    /// For the form that signs out; other forms have the token from the session, where it may act.
    pub token: &'a FormToken,
}

impl Page {
    /// The whole page of a dashboard. Style and script come from the dashboard itself; nothing stands in the page that a
    /// strict policy would not let run.
    #[must_use]
    pub fn dashboard(self, shell: &Shell<'_>) -> String {
        let language = self.language();
        let live = if self.parts().is_empty() {
            String::new()
        } else {
            format!(
                "<p id=\"connection\" role=\"status\" aria-live=\"polite\" data-lost=\"{}\" data-back=\"{}\" data-ended=\"{}\" data-still=\"{}\"></p>\n",
                LIVE_LOST.html(language).as_str(),
                LIVE_BACK.html(language).as_str(),
                LIVE_ENDED.html(language).as_str(),
                LIVE_STILL.html(language).as_str()
            )
        };
        let told = shell.told.as_ref().map_or_else(String::new, |told| {
            format!("<p class=\"told\" role=\"status\">{}</p>\n", told.as_str())
        });
        format!(
            "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{} · {}</title>\n\
             <link rel=\"stylesheet\" href=\"{STYLE_PATH}\">\n<script src=\"{SCRIPT_PATH}\" defer></script>\n</head>\n\
             <body class=\"dashboard\">\n<a class=\"skip\" href=\"#content\">{}</a>\n{}{}\
             <main id=\"content\" tabindex=\"-1\">\n{told}{live}{}</main>\n</body>\n</html>\n",
            language.code(),
            self.title().as_str(),
            shell.name.as_str(),
            SKIP.html(language).as_str(),
            header(shell, language),
            navigation(shell, language),
            self.body(),
        )
    }
}

fn header(shell: &Shell<'_>, language: Language) -> String {
    let mut html = format!("<header>\n<p class=\"name\">{}</p>\n", shell.name.as_str());
    html += "<p class=\"languages\">";
    for other in Language::ALL {
        let name = Html::text(other.own_name());
        if other == language {
            html += &format!("<span aria-current=\"true\">{}</span> ", name.as_str());
        } else {
            let there = shell.here.clone().with(LANGUAGE_QUERY, other.code());
            html += &format!(
                "<a href=\"{}\" lang=\"{code}\" hreflang=\"{code}\">{}</a> ",
                Html::text(there.as_str()).as_str(),
                name.as_str(),
                code = other.code()
            );
        }
    }
    html += "</p>\n";
    if let Some(visitor) = &shell.visitor {
        html += &format!(
            "<form method=\"post\" action=\"{SIGN_OUT_PATH}\" class=\"visitor\">\
             <input type=\"hidden\" name=\"{TOKEN_FIELD}\" value=\"{}\"><span>{}</span> \
             <button type=\"submit\">{}</button></form>\n",
            Html::text(visitor.token.as_str()).as_str(),
            SIGNED_IN.say(language, &[("role", visitor.role.clone())]).as_str(),
            SIGN_OUT.html(language).as_str()
        );
    }
    html + "</header>\n"
}

fn navigation(shell: &Shell<'_>, language: Language) -> String {
    if shell.visitor.is_none() || shell.navigation.is_empty() {
        return String::new();
    }
    let mut html = format!("<nav aria-label=\"{}\">\n<ul>\n", PAGES.html(language).as_str());
    for (route, name) in shell.navigation {
        let current = match standing(route, &shell.here) {
            Standing::Here => " aria-current=\"page\"",
            Standing::Below => " aria-current=\"true\"",
            Standing::Elsewhere => "",
        };
        html += &format!(
            "<li><a href=\"{}\"{current}>{}</a></li>\n",
            Html::text(route.as_str()).as_str(),
            name.as_str()
        );
    }
    html + "</ul>\n</nav>\n"
}

enum Standing {
    Here,
    Below,
    Elsewhere,
}

fn standing(entry: &Route, here: &Route) -> Standing {
    let (entry, here) = (entry.path(), here.path());
    match here.strip_prefix(entry) {
        Some("") => Standing::Here,
        Some(rest) if entry != "/" && rest.starts_with('/') => Standing::Below,
        _ => Standing::Elsewhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, Table, fault};

    fn page(language: Language, word: &str, here: Route, is_signed_in: bool) -> String {
        let mut page = Page::new(language, word);
        page.live("part", |part| {
            let mut table = Table::new([Column::names(word), Column::numbers(word)]).with_caption(word);
            table.row([word.into(), Html::number(7, language)]);
            part.table(&table);
        });
        page.alert(word);
        page.folded(word, |page| page.say(word));
        let token = FormToken::new(word.to_owned());
        page.dashboard(&Shell {
            name: word.into(),
            navigation: &[(Route::root(), word.into()), (Route::of(["studies"]), word.into())],
            here,
            visitor: is_signed_in.then(|| Visitor {
                role: word.into(),
                token: &token,
            }),
            told: Some(word.into()),
        })
    }

    #[test]
    fn every_text_stands_in_both_languages() {
        for (name, message) in ALL {
            assert_eq!(message.fault(), None, "{name}");
        }
    }

    #[test]
    fn a_page_is_well_formed_whatever_stands_in_it() {
        for language in Language::ALL {
            for word in ["plain", "<script>alert(1)</script>", "\"'&<!--", "]]> </pre>"] {
                for is_signed_in in [false, true] {
                    let html = page(language, word, Route::of([word]), is_signed_in);
                    assert_eq!(fault(&html), None, "{html}");
                    assert_eq!(html.matches("<script").count(), 1, "{html}");
                    assert_eq!(html.contains(SIGN_OUT_PATH), is_signed_in);
                }
            }
        }
    }

    #[test]
    fn the_navigation_says_where_one_is() {
        let of = |here| page(Language::English, "x", here, true);
        let html = of(Route::root());
        assert!(html.contains("<a href=\"/\" aria-current=\"page\">") && html.contains("<a href=\"/studies\">"));
        let html = of(Route::of(["studies"]).with("page", "2"));
        assert!(html.contains("<a href=\"/studies\" aria-current=\"page\">") && html.contains("<a href=\"/\">"));
        let html = of(Route::of(["studies", "knees"]));
        assert!(html.contains("<a href=\"/studies\" aria-current=\"true\">"));
        let html = of(Route::of(["studies-of-old"]));
        assert!(html.contains("<a href=\"/studies\">") && html.contains("<a href=\"/\">"));
    }

    #[test]
    fn a_live_part_is_the_same_in_the_page_and_by_itself() {
        let mut page = Page::new(Language::English, "x");
        page.live("one", |part| part.say("word"));
        assert_eq!(page.parts(), [("one", "<p>word</p>\n".to_owned())]);
        assert!(
            page.finish()
                .contains("<div id=\"one\" data-live>\n<p>word</p>\n</div>")
        );
    }

    #[test]
    fn the_script_is_small_and_fetches_from_its_own_page_alone() {
        assert!(DASHBOARD_SCRIPT.lines().count() <= 100);
        for outside in ["http:", "https:", "fetch(", "import", "eval", "Function("] {
            assert!(!DASHBOARD_SCRIPT.contains(outside), "{outside}");
        }
    }
}
