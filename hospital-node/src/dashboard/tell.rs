//! How pages write counts, days and digests.

use snowball_protocol::ids::UnixSeconds;
use snowball_web::{Html, Language, Message, messages};

messages! {
    HIDDEN = "(hidden)", "(masqué)";
}

/// A count, unless it is hidden.
pub fn unless(is_hidden: bool, count: u64, language: Language) -> Html {
    if is_hidden {
        HIDDEN.html(language).soft()
    } else {
        Html::number(count, language)
    }
}

/// A message with its one count.
pub fn counted(message: Message, count: u64, language: Language) -> Html {
    message.say(language, &[("count", Html::number(count, language))])
}

/// One message where there is one, another for all other numbers.
pub fn plural(one: Message, many: Message, count: u64, language: Language) -> Html {
    counted(if count == 1 { one } else { many }, count, language)
}

/// Whole days from `now` to `then`; negative where it is over.
pub const fn days(then: UnixSeconds, now: UnixSeconds) -> i64 {
    then.saturating_sub(now).div_euclid(86_400)
}

/// A text in which digests are set as code, which breaks where a column is narrow.
pub fn with_digests(text: &str) -> Html {
    let mut html = Html::default();
    let mut rest = text;
    while let Some(place) = rest.find("sha256:") {
        let (before, digest) = rest.split_at(place);
        let digits = digest
            .char_indices()
            .skip(7)
            .find(|(_, letter)| !letter.is_ascii_hexdigit());
        let (digest, after) = digest.split_at(digits.map_or(digest.len(), |(end, _)| end));
        html = html.and(before).and(Html::code(digest));
        rest = after;
    }
    html.and(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_whole_and_negative_where_it_is_over() {
        assert_eq!(days(86_399, 0), 0);
        assert_eq!(days(-1, 0), -1);
    }

    #[test]
    fn a_digest_within_a_sentence_is_code_and_no_letter_of_the_sentence_is_lost() {
        let digest = snowball_protocol::Sha256Digest::of(b"plan").to_string();
        let html = with_digests(&format!("add \"{digest}\" & sign; sha256:"));
        let told = format!("add &quot;<code>{digest}</code>&quot; &amp; sign; <code class=\"short\">sha256:</code>");
        assert_eq!(html.as_str(), told);
        assert_eq!(with_digests("nothing <here>").as_str(), "nothing &lt;here&gt;");
    }
}
