//! One text in every language, and the macro that makes a table of them.

use crate::{Html, Language};

/// A text in both languages. `{name}` stands for a value; what stands between back ticks is set as code.
///
/// French is written with ordinary spaces; the ones before `: ; ? ! »` and after `«` become spaces that do not break.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// English.
    pub english: &'static str,
    /// French.
    pub french: &'static str,
}

/// A table of [`Message`]s, one constant a row: `NAME = "English", "French";`. A row without its translation does not
/// compile. Tests find all rows in `ALL`.
#[macro_export]
macro_rules! messages {
    ($($name:ident = $english:literal, $french:literal;)+) => {
        $(pub const $name: $crate::Message = $crate::Message { english: $english, french: $french };)+

        /// Every row, by name.
        #[cfg(test)]
        pub const ALL: &[(&str, $crate::Message)] = &[$((stringify!($name), $name)),+];
    };
}

impl Message {
    /// The text as it stands, without values.
    #[must_use]
    pub fn text(self, language: Language) -> String {
        match language {
            Language::English => self.english.to_owned(),
            Language::French => unbroken(self.french),
        }
    }

    /// The text, set.
    #[must_use]
    pub fn html(self, language: Language) -> Html {
        self.say(language, &[])
    }

    /// The text with `values` in their places.
    #[must_use]
    pub fn say(self, language: Language, values: &[(&str, Html)]) -> Html {
        let text = self.text(language);
        let mut html = Html::default();
        for (place, piece) in text.split('`').enumerate() {
            let filled = fill(piece, values);
            html = html.and(if place % 2 == 1 { filled.as_code() } else { filled });
        }
        html
    }

    /// What is wrong with the pair: a text is missing, the languages name other values, or a back tick is alone.
    #[must_use]
    pub fn fault(self) -> Option<String> {
        let texts = [self.english, self.french];
        if texts.iter().any(|text| text.trim().is_empty()) {
            return Some("a text is missing".to_owned());
        }
        if texts.iter().any(|text| text.matches('`').count() % 2 == 1) {
            return Some("a back tick is alone".to_owned());
        }
        let [mut english, mut french] = texts.map(names);
        english.sort_unstable();
        french.sort_unstable();
        (english != french).then(|| format!("English names {english:?}, French names {french:?}"))
    }
}

/// The names of values in a text.
fn names(text: &str) -> Vec<&str> {
    let after = text.split('{').skip(1);
    after
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name)
        .collect()
}

fn fill(text: &str, values: &[(&str, Html)]) -> Html {
    let mut html = Html::default();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        html = html.and(Html::text(before));
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        html = html.and(match values.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => value.clone(),
            // Left as it stands, where a test sees it.
            None => Html::text(&format!("{{{name}}}")),
        });
        rest = after;
    }
    html.and(Html::text(rest))
}

/// The spaces of French punctuation, made such that no line breaks at them.
fn unbroken(text: &str) -> String {
    let mut text = text.replace("« ", "«\u{a0}").replace(" »", "\u{a0}»");
    for mark in [':', ';', '?', '!', '%'] {
        text = text.replace(&format!(" {mark}"), &format!("\u{a0}{mark}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::messages! {
        GREETING = "Dear {name}: run `ledger verify`.", "Cher {name} : exécutez `ledger verify`.";
    }

    #[test]
    fn values_and_code_are_put_in_their_places_and_escaped() {
        let name = Html::text("<b>&");
        let english = GREETING.say(Language::English, &[("name", name.clone())]);
        assert_eq!(english.as_str(), "Dear &lt;b&gt;&amp;: run <code>ledger verify</code>.");
        let french = GREETING.say(Language::French, &[("name", name)]);
        assert_eq!(
            french.as_str(),
            "Cher &lt;b&gt;&amp;\u{a0}: exécutez <code>ledger verify</code>."
        );
        assert!(GREETING.html(Language::English).as_str().contains("{name}"));
    }

    #[test]
    fn a_value_with_back_ticks_and_braces_stays_a_value() {
        let html = GREETING.say(Language::English, &[("name", Html::text("`{name}`"))]);
        assert!(html.as_str().starts_with("Dear `{name}`: run"), "{}", html.as_str());
    }

    #[test]
    fn a_pair_that_does_not_fit_is_found() {
        assert_eq!(GREETING.fault(), None);
        assert_eq!(ALL.len(), 1);
        let pair = |english, french| Message { english, french };
        assert!(pair("a {x}", "a").fault().is_some());
        assert!(pair("a {x}", "a {y}").fault().is_some());
        assert!(pair("a", " ").fault().is_some());
        assert!(pair("a `b", "a").fault().is_some());
    }
}
