//! Counts, sizes, dates and lists in plain words, in one file a language.

pub(crate) mod english;
pub(crate) mod french;

/// `number` with `mark` between groups of three digits.
fn grouped(number: u64, mark: char) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(mark);
        }
        text.push(digit);
    }
    text
}

/// How many whole units and tenths of the largest binary unit fit into `bytes`, and which unit: 1 for 1024, 2, 3.
fn binary(bytes: u64) -> Option<(u64, u64, usize)> {
    let unit = (1..=3).rev().find(|unit| bytes >> (10 * unit) > 0)?;
    let shift = 10 * unit;
    let tenths = ((u128::from(bytes) * 10) >> shift) % 10;
    Some((bytes >> shift, u64::try_from(tenths).unwrap_or_default(), unit))
}

fn joined(items: &[impl AsRef<str>], nothing: &str, and: &str) -> String {
    match items {
        [] => nothing.to_owned(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} {and} {}", first.join(", "), last.as_ref())
        }
    }
}
