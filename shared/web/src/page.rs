//! The shell of a page and what it is built of.

use crate::{Bars, Curves, Differences, Html, Language, Marked, Measured, Table, form::Finished, markdown};

/// The one style of all pages.
pub const STYLE: &str = include_str!("style.css");
/// What a page may load: pictures that stand in it, and its own style.
pub const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// A page that grows from the top.
pub struct Page {
    language: Language,
    title: Html,
    body: String,
    /// What a dashboard sends anew when it changes: the part's id and what stands in it.
    parts: Vec<(&'static str, String)>,
    /// The live part that this is, or the page: names of what stands in it begin so.
    name: &'static str,
    tables: usize,
}

impl Page {
    /// A page with its title.
    #[must_use]
    pub fn new(language: Language, title: impl Into<Html>) -> Self {
        let title = title.into();
        Self {
            language,
            body: format!("<h1>{}</h1>\n", title.as_str()),
            title,
            parts: Vec::new(),
            name: "page",
            tables: 0,
        }
    }

    /// The language that it is written in.
    #[must_use]
    pub const fn language(&self) -> Language {
        self.language
    }

    /// The paragraph under the title.
    pub fn lead(&mut self, text: impl Into<Html>) {
        self.body += &format!("<p class=\"lead\">{}</p>\n", text.into().as_str());
    }

    /// A heading.
    pub fn section(&mut self, heading: impl Into<Html>) {
        self.body += &format!("<h2>{}</h2>\n", heading.into().as_str());
    }

    /// A heading below that.
    pub fn part(&mut self, heading: impl Into<Html>) {
        self.body += &format!("<h3>{}</h3>\n", heading.into().as_str());
    }

    /// A paragraph.
    pub fn say(&mut self, text: impl Into<Html>) {
        self.body += &format!("<p>{}</p>\n", text.into().as_str());
    }

    /// Few figures, large, each with what it is.
    pub fn tiles(&mut self, tiles: impl IntoIterator<Item = (Html, Html)>) {
        self.body += "<div class=\"tiles\">\n";
        for (figure, what) in tiles {
            self.body += &format!(
                "<div class=\"tile\"><b>{}</b><span>{}</span></div>\n",
                figure.as_str(),
                what.as_str()
            );
        }
        self.body += "</div>\n";
    }

    /// A table; one without rows is left out.
    pub fn table<const N: usize>(&mut self, table: &Table<N>) {
        if !table.is_empty() {
            self.tables += 1;
            self.body += &table.to_html(&format!("{}-table-{}", self.name, self.tables));
        }
    }

    /// Facts, one a line: what it is and what it says.
    pub fn facts(&mut self, facts: impl IntoIterator<Item = (Html, Html)>) {
        self.body += "<table class=\"facts\"><tbody>\n";
        for (what, says) in facts {
            self.body += &format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n",
                what.as_str(),
                says.as_str()
            );
        }
        self.body += "</tbody></table>\n";
    }

    /// Sentences, each with a point before it.
    pub fn list(&mut self, items: impl IntoIterator<Item = Html>) {
        self.body += "<ul>\n";
        for item in items {
            self.body += &format!("<li>{}</li>\n", item.as_str());
        }
        self.body += "</ul>\n";
    }

    /// Commands or a file, as they stand.
    pub fn verbatim(&mut self, text: &str) {
        self.body += &format!("<pre>{}</pre>\n", Html::text(text).as_str());
    }

    /// A text in Markdown (CommonMark with tables), without its own title; links, pictures and raw HTML in it are shown as text.
    pub fn markdown(&mut self, text: &str) {
        self.body += &markdown::to_html(text);
    }

    /// A plot; one without bars is left out.
    pub fn bars(&mut self, bars: &Bars) {
        if !bars.bars.is_empty() {
            self.body += &bars.to_html();
        }
    }

    /// A plot of curves; one without values is left out.
    pub fn curves(&mut self, curves: &Curves) {
        self.body += &curves.to_html();
    }

    /// A plot of measured values; one without values is left out.
    pub fn measured(&mut self, measured: &Measured) {
        self.body += &measured.to_html();
    }

    /// A plot of differences; one without rows is left out.
    pub fn differences(&mut self, differences: &Differences) {
        self.body += &differences.to_html();
    }

    /// A part that a dashboard sends anew when what stands in it changes. `id` is the part's own on its page; no form stands in
    /// it, since what somebody is typing would be lost. On paper and in files it is like any other part.
    pub fn live(&mut self, id: &'static str, build: impl FnOnce(&mut Self)) {
        let mut part = Self {
            language: self.language,
            title: Html::default(),
            body: String::new(),
            parts: Vec::new(),
            name: id,
            tables: 0,
        };
        build(&mut part);
        self.body += &format!("<div id=\"{id}\" data-live>\n{}</div>\n", part.body);
        self.parts.push((id, part.body));
    }

    /// The live parts, each by its id.
    #[must_use]
    pub fn parts(&self) -> &[(&'static str, String)] {
        &self.parts
    }

    /// A picture that stands in the page itself, with places marked on it.
    pub fn marked(&mut self, marked: &Marked<'_>) {
        self.body += &marked.to_html();
    }

    /// A form; only dashboards have any.
    pub fn form(&mut self, form: Finished) {
        self.body += form.as_str();
    }

    /// Something that keeps the reader from what they wanted; it is spoken at once.
    pub fn alert(&mut self, text: impl Into<Html>) {
        self.body += &format!("<p class=\"alert\" role=\"alert\">{}</p>\n", text.into().as_str());
    }

    /// What opens when it is asked for.
    pub fn folded(&mut self, summary: impl Into<Html>, build: impl FnOnce(&mut Self)) {
        self.body += &format!("<details>\n<summary>{}</summary>\n", summary.into().as_str());
        build(self);
        self.body += "</details>\n";
    }

    pub(crate) const fn title(&self) -> &Html {
        &self.title
    }

    pub(crate) fn body(&self) -> &str {
        &self.body
    }

    /// The whole file.
    #[must_use]
    pub fn finish(self) -> String {
        format!(
            "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
            self.language.code(),
            self.title.as_str(),
            self.body,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bar, Column, fault, numbers};

    fn page(language: Language, word: &str) -> String {
        let mut page = Page::new(language, word);
        page.lead(word);
        page.section(word);
        page.part(word);
        page.say(Html::text(word).good().and(" ").and(Html::code(word)));
        page.tiles([(Html::number(12_345, language), word.into())]);
        let mut table = Table::new([Column::words(word), Column::numbers(word)]);
        page.table(&table);
        table.row([word.into(), Html::number(7, language)]);
        page.table(&table);
        page.facts([(word.into(), Html::minute(0))]);
        page.list([word.into()]);
        page.verbatim(word);
        let bars = |bars| Bars {
            label: word.to_owned(),
            legend: [word.to_owned(), word.to_owned()],
            bars,
        };
        page.bars(&bars(Vec::new()));
        page.bars(&bars(vec![Bar {
            name: word.to_owned(),
            parts: [3, 1],
            told: word.to_owned(),
        }]));
        page.finish()
    }

    #[test]
    fn a_page_is_well_formed_whatever_stands_in_it() {
        for language in Language::ALL {
            for word in ["plain", "<script>alert(1)</script>", "\"'&<!--", "]]> </pre>"] {
                let html = page(language, word);
                assert_eq!(fault(&html), None, "{html}");
                assert!(!html.contains("<script"), "{html}");
                assert_eq!(numbers(&html), [12_345, 7]);
            }
        }
    }

    #[test]
    fn a_page_fetches_nothing() {
        let html = page(Language::English, "word");
        for outside in ["http:", "https:", "src=", "href=", "url(", "@import"] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
