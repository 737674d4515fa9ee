//! Counts, sizes and lists in plain words.

/// `1 patient`, `60,000 patients`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// `1,048,576 bytes (1 MiB)`.
pub(crate) fn bytes(number: u64) -> String {
    let exact = count(number, "byte");
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.iter().find(|(shift, _)| number >> shift > 0) {
        Some((shift, unit)) => {
            let whole = number >> shift;
            let tenths = ((u128::from(number) * 10) >> shift) % 10;
            let fraction = if tenths == 0 {
                String::new()
            } else {
                format!(".{tenths}")
            };
            format!("{exact} ({}{fraction} {unit})", grouped(whole))
        }
        None => exact,
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(items: &[impl AsRef<str>]) -> String {
    match items {
        [] => "nothing".to_owned(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            format!(
                "{} and {}",
                first.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "),
                last.as_ref()
            )
        }
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
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
