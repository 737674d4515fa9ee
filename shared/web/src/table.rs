//! Tables: a heading to each column, the same number of cells in each row.

use crate::Html;

/// One column.
pub struct Column {
    heading: Html,
    is_number: bool,
}

impl Column {
    /// A column of words.
    #[must_use]
    pub fn words(heading: impl Into<Html>) -> Self {
        Self {
            heading: heading.into(),
            is_number: false,
        }
    }

    /// A column of numbers, set to the right.
    #[must_use]
    pub fn numbers(heading: impl Into<Html>) -> Self {
        Self {
            heading: heading.into(),
            is_number: true,
        }
    }
}

/// A table of `N` columns.
pub struct Table<const N: usize> {
    columns: [Column; N],
    rows: Vec<[Html; N]>,
}

impl<const N: usize> Table<N> {
    /// A table without rows.
    #[must_use]
    pub const fn new(columns: [Column; N]) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
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

    pub(crate) fn to_html(&self) -> String {
        let class = |column: &Column| if column.is_number { " class=\"n\"" } else { "" };
        let mut html = String::from("<table><thead><tr>");
        for column in &self.columns {
            html += &format!("<th{}>{}</th>", class(column), column.heading.as_str());
        }
        html += "</tr></thead><tbody>\n";
        for row in &self.rows {
            html += "<tr>";
            for (column, cell) in self.columns.iter().zip(row) {
                html += &format!("<td{}>{}</td>", class(column), cell.as_str());
            }
            html += "</tr>\n";
        }
        html + "</tbody></table>\n"
    }
}
