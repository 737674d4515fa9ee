//! What a form holds.

/// Fields that a form may have.
const FIELDS_MAX: usize = 64;

/// The fields of a form, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `application/x-www-form-urlencoded`; `None` where it has too many fields, or one of them twice.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let mut fields: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(body) {
            if fields.len() == FIELDS_MAX || fields.iter().any(|(known, _)| *known == name) {
                return None;
            }
            fields.push((name.into_owned(), value.into_owned()));
        }
        Some(Self(fields))
    }

    /// A field's text without spaces around it; `None` where it is absent or empty. Lines end as they do on Unix.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(value.trim()).filter(|text| !text.is_empty())
    }

    /// A field's text as it came, with the line ends of forms (CR LF) made those of files.
    #[must_use]
    pub fn lines(&self, name: &str) -> Option<String> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(value.replace("\r\n", "\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_it_was_filled_in() {
        let fields = Fields::parse(b"reason=+two%0D%0Alines+&box=yes&empty=++").unwrap();
        assert_eq!(fields.text("reason"), Some("two\r\nlines"));
        assert_eq!(fields.lines("reason").as_deref(), Some(" two\nlines "));
        assert_eq!(fields.text("box"), Some("yes"));
        assert_eq!((fields.text("empty"), fields.text("absent")), (None, None));
    }

    #[test]
    fn a_form_that_says_one_thing_twice_or_too_much_is_none() {
        assert_eq!(Fields::parse(b"a=1&a=2"), None);
        let many = |count: usize| {
            let pairs: Vec<String> = (0..count).map(|number| format!("f{number}=x")).collect();
            Fields::parse(pairs.join("&").as_bytes())
        };
        assert!(many(FIELDS_MAX).is_some());
        assert!(many(FIELDS_MAX + 1).is_none());
    }
}
