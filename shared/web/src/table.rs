//! Tables: a heading to each column, the same number of cells in each row.

use crate::Html;

/// One column.
pub struct Column {
    heading: Html,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Names,
    Words,
    Numbers,
}

impl Column {
    /// A column whose cells name their rows.
    #[must_use]
    pub fn names(heading: impl Into<Html>) -> Self {
        Self {
            heading: heading.into(),
            kind: Kind::Names,
        }
    }

    /// A column of words.
    #[must_use]
    pub fn words(heading: impl Into<Html>) -> Self {
        Self {
            heading: heading.into(),
            kind: Kind::Words,
        }
    }

    /// A column of numbers, set to the right.
    #[must_use]
    pub fn numbers(heading: impl Into<Html>) -> Self {
        Self {
            heading: heading.into(),
            kind: Kind::Numbers,
        }
    }
}

/// A table of `N` columns.
pub struct Table<const N: usize> {
    columns: [Column; N],
    rows: Vec<[Html; N]>,
    caption: Option<Html>,
}

impl<const N: usize> Table<N> {
    /// A table without rows.
    #[must_use]
    pub const fn new(columns: [Column; N]) -> Self {
        Self {
            columns,
            rows: Vec::new(),
            caption: None,
        }
    }

    /// What the table shows, above it; a table of a dashboard has one.
    #[must_use]
    pub fn with_caption(mut self, caption: impl Into<Html>) -> Self {
        self.caption = Some(caption.into());
        self
    }

    /// Adds a row.
    pub fn row(&mut self, cells: [Html; N]) {
        self.rows.push(cells);
    }

    /// Whether it has no row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// `name` is the table's own on its page.
    pub(crate) fn to_html(&self, name: &str) -> String {
        let class = |column: &Column| match column.kind {
            Kind::Numbers => " class=\"n\"",
            Kind::Names | Kind::Words => "",
        };
        let caption = self.caption.as_ref().map_or_else(String::new, |caption| {
            format!("<caption id=\"{name}\">{}</caption>", caption.as_str())
        });
        let mut html = format!("<table>{caption}<thead><tr>");
        for column in &self.columns {
            html += &format!("<th scope=\"col\"{}>{}</th>", class(column), column.heading.as_str());
        }
        html += "</tr></thead><tbody>\n";
        for row in &self.rows {
            html += "<tr>";
            for (column, cell) in self.columns.iter().zip(row) {
                html += &match column.kind {
                    Kind::Names => format!("<th scope=\"row\">{}</th>", cell.as_str()),
                    Kind::Words | Kind::Numbers => format!("<td{}>{}</td>", class(column), cell.as_str()),
                };
            }
            html += "</tr>\n";
        }
        html += "</tbody></table>\n";
        if self.caption.is_some() {
            // Where it is wider than the window it is moved by itself, by the keyboard too, and not the page.
            html = format!(
                "<div class=\"scroll\" role=\"region\" aria-labelledby=\"{name}\" tabindex=\"0\">{html}</div>\n"
            );
        }
        html
    }
}
