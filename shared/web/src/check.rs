//! Reading a page again, for tests: whether it is well formed, and which numbers it tells.

/// Elements without an end.
const VOID: [&str; 6] = ["meta", "br", "img", "hr", "input", "link"];

/// The first place where a page is not well formed; `None` where it is: each tag is ended, in order, and no other `<` stands
/// anywhere.
#[must_use]
pub fn fault(html: &str) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    let Some(mut rest) = html.strip_prefix("<!doctype html>\n") else {
        return Some("it does not begin as a page does".to_owned());
    };
    while let Some((_, after)) = rest.split_once('<') {
        let Some((tag, next)) = after.split_once('>') else {
            return Some("a tag without an end".to_owned());
        };
        rest = next;
        let name = tag
            .trim_start_matches('/')
            .split_whitespace()
            .next()
            .unwrap_or_default();
        if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_alphanumeric()) {
            return Some(format!("no tag: <{tag}>"));
        }
        if tag.matches('"').count() % 2 == 1 {
            return Some(format!("an attribute without an end: <{tag}>"));
        }
        if tag.starts_with('/') {
            match open.pop() {
                Some(opened) if opened == name => {}
                other => return Some(format!("</{name}> where {other:?} is open")),
            }
        } else if !VOID.contains(&name) {
            open.push(name);
        }
    }
    (!open.is_empty()).then(|| format!("never ended: {open:?}"))
}

/// Every number that the page tells, in order, once it was found to be shown as it is.
///
/// # Panics
/// Where a number is shown otherwise than it is.
#[must_use]
pub fn numbers(html: &str) -> Vec<u64> {
    let marked = html.split("<data value=\"").skip(1);
    marked
        .filter_map(|rest| {
            let (value, rest) = rest.split_once("\">")?;
            let (shown, _) = rest.split_once("</data>")?;
            let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
            assert_eq!(digits, value, "a number is shown otherwise than it is");
            value.parse().ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_well_formed_is_found() {
        let page = |body: &str| format!("<!doctype html>\n<html>{body}</html>");
        assert_eq!(fault(&page("<p>a<br>b</p>")), None);
        assert!(fault("<html></html>").is_some());
        for body in [
            "<p>",
            "</p>",
            "<p><b></p></b>",
            "a < b",
            "<p class=\"x>a</p>",
            "<!-- -->",
        ] {
            assert!(fault(&page(body)).is_some(), "{body}");
        }
    }
}
