//! Sizes and fractions, as each language writes them.

use crate::{Html, Language, messages};

messages! {
    BYTES = "{count} bytes", "{count} octets";
}

/// A size, in the unit that a person reads.
#[must_use]
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
#[must_use]
pub fn decimal(written: &str, language: Language) -> String {
    match language {
        Language::English => written.to_owned(),
        Language::French => written.replace('.', ","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_each_language_does() {
        assert_eq!(
            size(12, Language::English).as_str(),
            "<data value=\"12\">12</data> bytes"
        );
        assert_eq!(size(1_572_864, Language::English).as_str(), "1.5\u{a0}MiB");
        assert_eq!(size(1_572_864, Language::French).as_str(), "1,5\u{a0}Mio");
        assert_eq!(size(300 << 30, Language::English).as_str(), "300\u{a0}GiB");
        assert_eq!(size(u64::MAX, Language::English).as_str(), "16777216\u{a0}TiB");
        for (name, message) in ALL {
            assert_eq!(message.fault(), None, "{name}");
        }
    }
}
