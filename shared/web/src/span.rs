//! Spans of time, in the largest unit that tells them well.

use crate::{Html, Language, Message, messages};

messages! {
    SECONDS_AGO = "{count} s ago", "il y a {count} s";
    MINUTES_AGO = "{count} min ago", "il y a {count} min";
    HOURS_AGO = "{count} h ago", "il y a {count} h";
    DAYS_AGO = "{count} days ago", "il y a {count} jours";
    SECONDS_LEFT = "{count} s left", "encore {count} s";
    MINUTES_LEFT = "{count} min left", "encore {count} min";
    HOURS_LEFT = "{count} h left", "encore {count} h";
    DAYS_LEFT = "{count} days left", "encore {count} jours";
}

/// How long ago something was, both in seconds since 1970; what lies ahead, by a clock that was set back, is now.
#[must_use]
pub fn ago(then: i64, now: i64, language: Language) -> Html {
    let seconds = now.saturating_sub(then).max(0).unsigned_abs();
    told(seconds, [SECONDS_AGO, MINUTES_AGO, HOURS_AGO, DAYS_AGO], language)
}

/// How long something still takes.
#[must_use]
pub fn left(seconds: u64, language: Language) -> Html {
    told(seconds, [SECONDS_LEFT, MINUTES_LEFT, HOURS_LEFT, DAYS_LEFT], language)
}

fn told(seconds: u64, [second, minute, hour, day]: [Message; 4], language: Language) -> Html {
    let (message, count) = match seconds {
        0..120 => (second, seconds),
        120..7_200 => (minute, seconds / 60),
        7_200..172_800 => (hour, seconds / 3_600),
        _ => (day, seconds / 86_400),
    };
    message.say(language, &[("count", Html::number(count, language))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_their_largest_unit_and_none_is_negative() {
        for (seconds, told) in [
            (0, "0</data> s ago"),
            (119, "119</data> s ago"),
            (120, "2</data> min ago"),
            (7_199, "119</data> min ago"),
            (7_200, "2</data> h ago"),
            (172_800, "2</data> days ago"),
            (-5, "0</data> s ago"),
        ] {
            let html = ago(1_000_000 - seconds, 1_000_000, Language::English);
            assert!(html.as_str().ends_with(told), "{seconds}: {}", html.as_str());
        }
        assert!(ago(i64::MIN, i64::MAX, Language::French).as_str().ends_with("jours"));
        assert!(left(300, Language::English).as_str().ends_with("5</data> min left"));
        assert!(left(u64::MAX, Language::French).as_str().ends_with("jours"));
    }

    #[test]
    fn every_text_stands_in_both_languages() {
        for (name, message) in ALL {
            assert_eq!(message.fault(), None, "{name}");
        }
    }
}
