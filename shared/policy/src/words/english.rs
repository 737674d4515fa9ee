//! In English.

use super::{binary, grouped, joined};
use crate::date::PolicyDate;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `1 patient`, `60,000 patients`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number, ','))
}

/// `1,048,576 bytes (1 MiB)`.
pub(crate) fn bytes(number: u64) -> String {
    let exact = count(number, "byte");
    let Some((whole, tenths, unit)) = binary(number) else {
        return exact;
    };
    let unit = ["KiB", "MiB", "GiB"][unit - 1];
    let fraction = if tenths == 0 {
        String::new()
    } else {
        format!(".{tenths}")
    };
    format!("{exact} ({}{fraction} {unit})", grouped(whole, ','))
}

/// `1 March 2026`.
pub(crate) fn date(date: Option<PolicyDate>) -> String {
    date.map_or_else(String::new, |date| {
        let (day, month, year) = date.parts();
        format!("{day} {} {year}", MONTHS[month])
    })
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(items: &[impl AsRef<str>]) -> String {
    joined(items, "nothing", "and")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_they_are_said() {
        assert_eq!(count(1, "patient"), "1 patient");
        assert_eq!(count(0, "patient"), "0 patients");
        assert_eq!(count(1_234_567, "patient"), "1,234,567 patients");
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(1_572_864), "1,572,864 bytes (1.5 MiB)");
        assert_eq!(bytes(64 << 20), "67,108,864 bytes (64 MiB)");
        assert_eq!(
            bytes(u64::MAX),
            "18,446,744,073,709,551,615 bytes (17,179,869,183.9 GiB)"
        );
    }

    #[test]
    fn lists_read_as_they_are_said() {
        let none: [&str; 0] = [];
        assert_eq!(list(&none), "nothing");
        assert_eq!(list(&["age"]), "age");
        assert_eq!(list(&["age", "sex", "view"]), "age, sex and view");
    }
}
