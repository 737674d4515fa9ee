//! In French. Numbers are grouped by a narrow space that does not break, as French typography has it.

use super::{binary, grouped, joined};
use crate::{date::PolicyDate, document::Stage};

const MONTHS: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];
const SPACE: char = '\u{202f}';

/// `1 patient`, `60 000 patients`; zero is singular. The noun forms its plural with an s.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number < 2 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number, SPACE))
}

/// `1 048 576 octets (1 Mio)`.
pub(crate) fn bytes(number: u64) -> String {
    let exact = count(number, "octet");
    let Some((whole, tenths, unit)) = binary(number) else {
        return exact;
    };
    let unit = ["Kio", "Mio", "Gio"][unit - 1];
    let fraction = if tenths == 0 {
        String::new()
    } else {
        format!(",{tenths}")
    };
    format!("{exact} ({}{fraction} {unit})", grouped(whole, SPACE))
}

/// `1er mars 2026`.
pub(crate) fn date(date: Option<PolicyDate>) -> String {
    date.map_or_else(String::new, |date| {
        let (day, month, year) = date.parts();
        let first = if day == 1 { "er" } else { "" };
        format!("{day}{first} {} {year}", MONTHS[month])
    })
}

/// `a`, `a et b`, `a, b et c`.
pub(crate) fn list(items: &[impl AsRef<str>]) -> String {
    joined(items, "rien", "et")
}

/// `au stade de la collaboration (collaboration)`: in words, and as the file has it.
pub(crate) fn of_stage(stage: Stage) -> String {
    let words = match stage {
        Stage::Local => "au stade local",
        Stage::ProofOfConcept => "au stade de la preuve de concept",
        Stage::Collaboration => "au stade de la collaboration",
        Stage::Publication => "au stade de la publication",
    };
    format!("{words} ({stage})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_they_are_said() {
        assert_eq!(count(0, "patient"), "0 patient");
        assert_eq!(count(1, "patient"), "1 patient");
        assert_eq!(count(2, "patient"), "2 patients");
        assert_eq!(count(1_234_567, "patient"), "1\u{202f}234\u{202f}567 patients");
        assert_eq!(bytes(1_572_864), "1\u{202f}572\u{202f}864 octets (1,5 Mio)");
    }

    #[test]
    fn lists_read_as_they_are_said() {
        let none: [&str; 0] = [];
        assert_eq!(list(&none), "rien");
        assert_eq!(
            list(&["l'âge", "le sexe", "l'incidence"]),
            "l'âge, le sexe et l'incidence"
        );
    }
}
