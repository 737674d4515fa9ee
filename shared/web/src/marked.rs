//! A picture that stands in the page itself, so that nothing else is fetched and nothing is kept, with places marked on it.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::Html;

/// A PNG with its size, and rectangles on it: columns to the left, rows above, columns, rows.
pub struct Marked<'a> {
    /// The picture.
    pub png: &'a [u8],
    /// Pixels in a row.
    pub columns: u32,
    /// Rows.
    pub rows: u32,
    /// What is marked.
    pub places: &'a [[u32; 4]],
    /// What the picture shows, for those who do not see it.
    pub shows: Html,
}

impl Marked<'_> {
    pub(crate) fn to_html(&self) -> String {
        let (columns, rows) = (self.columns, self.rows);
        let mut svg = format!(
            "<figure class=\"marked\"><svg viewBox=\"0 0 {columns} {rows}\" role=\"img\" aria-label=\"{}\">\n\
             <image width=\"{columns}\" height=\"{rows}\" href=\"data:image/png;base64,{}\"></image>\n",
            self.shows.as_str(),
            BASE64_STANDARD.encode(self.png)
        );
        // A little larger than the place, so that the frame hides nothing of it.
        let edge = (columns.max(rows) / 200).max(2);
        for [x, y, width, height] in self.places {
            svg += &format!(
                "<rect class=\"mark\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" stroke-width=\"{}\"></rect>\n",
                i64::from(*x) - i64::from(edge),
                i64::from(*y) - i64::from(edge),
                u64::from(*width) + 2 * u64::from(edge),
                u64::from(*height) + 2 * u64::from(edge),
                (edge / 2).max(1)
            );
        }
        svg + "</svg></figure>\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Language, Page, fault};

    #[test]
    fn a_picture_stands_in_the_page_with_a_frame_around_each_place() {
        let mut page = Page::new(Language::English, "Picture");
        page.marked(&Marked {
            png: b"\x89PNG",
            columns: 400,
            rows: 300,
            places: &[[0, 0, 10, 5], [390, 290, 10, 10]],
            shows: Html::text("a \"radiograph\""),
        });
        let html = page.finish();
        assert_eq!(fault(&html), None, "{html}");
        assert!(html.contains("href=\"data:image/png;base64,iVBORw==\""), "{html}");
        assert!(html.contains("x=\"-2\" y=\"-2\" width=\"14\" height=\"9\""), "{html}");
        assert_eq!(html.matches("class=\"mark\"").count(), 2);
    }
}
