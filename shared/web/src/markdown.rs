//! Markdown (CommonMark with tables) as a part of a page. It comes from a file that may have passed through other hands, so that what
//! could lead elsewhere or be more than text in it is shown as text: raw HTML as it is written, links and pictures as their words.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::html::shown;

/// The part of a page; the text's own title is left out, since a page has one.
pub(crate) fn to_html(markdown: &str) -> String {
    let markdown: String = markdown.chars().filter(|character| shown(*character)).collect();
    let mut in_title = false;
    let events = Parser::new_ext(&markdown, Options::ENABLE_TABLES).filter_map(|event| match event {
        Event::Start(Tag::Heading {
            level: HeadingLevel::H1,
            ..
        }) => {
            in_title = true;
            None
        }
        Event::End(TagEnd::Heading(HeadingLevel::H1)) => {
            in_title = false;
            None
        }
        _ if in_title => None,
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::HtmlBlock)
        | Event::End(TagEnd::Link | TagEnd::Image | TagEnd::HtmlBlock) => None,
        other => Some(other),
    });
    let mut html = String::with_capacity(markdown.len() * 2);
    pulldown_cmark::html::push_html(&mut html, events);
    // A table without headings has a row of empty ones: to those who hear the page they would be headings that say nothing.
    html.replace("<th></th>", "<td></td>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Language, Page, fault};

    #[test]
    fn tables_lists_and_code_become_what_they_are() {
        let html = to_html(
            "# Title\n\nA **network**.\n\n## Sites\n\n| site | rounds |\n|---|---|\n| north | 3 |\n\n- `one`\n\n```json\n{\"a\": 1}\n```\n",
        );
        for part in [
            "<strong>network</strong>",
            "<h2>Sites</h2>",
            "<td>north</td>",
            "<li><code>one</code></li>",
            "{\"a\": 1}",
        ] {
            assert!(html.contains(part), "{part} is missing in {html}");
        }
        assert!(!html.contains("Title"), "{html}");
        let bare = to_html("| | |\n|---|---|\n| Study | knees |\n");
        assert!(bare.contains("<td></td>") && !bare.contains("<th>"), "{bare}");
    }

    #[test]
    fn nothing_in_it_is_more_than_text() {
        for hostile in [
            "<script>alert(1)</script>",
            "a <b onclick=\"x\">b</b>",
            "<!-- x -->",
            "[word](https://elsewhere.example)",
            "![word](https://elsewhere.example/x.png)",
            "<https://elsewhere.example>",
            "[word]\n\n[word]: javascript:alert(1)",
            "| <img src=x> | b |\n|---|---|\n| c | <style> |",
            "\u{202e}turned\u{1b}[2J",
            "# <script>\n\n</body></html>",
        ] {
            let mut page = Page::new(Language::English, "Page");
            page.markdown(hostile);
            let html = page.finish();
            assert_eq!(fault(&html), None, "{html}");
            for outside in [
                "<script",
                "<b ",
                "<img",
                "href",
                "src=\"",
                "<style>\n<",
                "<!--",
                "\u{202e}",
                "\u{1b}",
            ] {
                assert!(!html.contains(outside), "{outside} in {html}");
            }
        }
    }
}
