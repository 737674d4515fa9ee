//! How pages write sizes, spans of time and whether something is as it should be.

use snowball_protocol::ids::UnixSeconds;
use snowball_web::{Html, Language, Message, messages};

messages! {
    BYTES = "{count} bytes", "{count} octets";
    JUST_NOW = "just now", "à l’instant";
    MINUTES_AGO = "{count} min ago", "il y a {count} min";
    HOURS_AGO = "{count} h ago", "il y a {count} h";
    DAYS_AGO = "{count} days ago", "il y a {count} jours";
    SECONDS_LEFT = "{count} s left", "encore {count} s";
    HIDDEN = "(hidden)", "(masqué)";
    MINUTES_LEFT = "{count} min left", "encore {count} min";
}

/// A size, in the unit that a person reads.
pub fn size(bytes: u64, language: Language) -> Html {
    let units = match language {
        Language::English => ["KiB", "MiB", "GiB", "TiB"],
        Language::French => ["Kio", "Mio", "Gio", "Tio"],
    };
    if bytes < 1_024 {
        return BYTES.say(language, &[("count", Html::number(bytes, language))]);
    }
    let mut amount = bytes as f64 / 1_024.0;
    let mut place = 0;
    while amount >= 1_024.0 && place + 1 < units.len() {
        amount /= 1_024.0;
        place += 1;
    }
    let written = if amount < 100.0 {
        format!("{amount:.1}")
    } else {
        format!("{amount:.0}")
    };
    Html::text(&format!("{}\u{a0}{}", decimal(&written, language), units[place]))
}

/// A number with a fraction, as the language writes it.
pub fn decimal(written: &str, language: Language) -> String {
    match language {
        Language::English => written.to_owned(),
        Language::French => written.replace('.', ","),
    }
}

/// How long ago something was.
pub fn ago(then: UnixSeconds, now: UnixSeconds, language: Language) -> Html {
    let seconds = now.saturating_sub(then).max(0).unsigned_abs();
    let (message, count) = match seconds {
        0..=59 => return JUST_NOW.html(language),
        60..=7_199 => (MINUTES_AGO, seconds / 60),
        7_200..=172_799 => (HOURS_AGO, seconds / 3_600),
        _ => (DAYS_AGO, seconds / 86_400),
    };
    counted(message, count, language)
}

/// How long something still takes.
pub fn left(seconds: f64, language: Language) -> Html {
    let seconds = seconds.clamp(0.0, 1e9) as u64;
    if seconds < 120 {
        counted(SECONDS_LEFT, seconds, language)
    } else {
        counted(MINUTES_LEFT, seconds / 60, language)
    }
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
    fn sizes_and_times_are_written_as_each_language_does() {
        assert_eq!(
            size(12, Language::English).as_str(),
            "<data value=\"12\">12</data> bytes"
        );
        assert_eq!(size(1_572_864, Language::English).as_str(), "1.5\u{a0}MiB");
        assert_eq!(size(1_572_864, Language::French).as_str(), "1,5\u{a0}Mio");
        assert_eq!(size(300 << 30, Language::English).as_str(), "300\u{a0}GiB");
        assert_eq!(size(u64::MAX, Language::English).as_str(), "16777216\u{a0}TiB");
        assert_eq!(ago(100, 50, Language::English).as_str(), "just now");
        assert!(ago(0, 3 * 86_400, Language::French).as_str().contains("jours"));
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
