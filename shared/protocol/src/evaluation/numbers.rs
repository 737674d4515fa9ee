//! Numbers of which every program writes and reads the same digits, so that a digest over them can be computed again by whoever has them.
//!
//! Of a number with seventeen digits a quick reader may get the neighbour. With twelve, and no decimal place beyond the twenty-second, the
//! nearest number is one division of two exact ones, and any reader gets it. No sum of an evaluation is known better than that.

use serde_json::{Number, Value};

use super::Evaluation;

/// Digits that are kept.
const DIGITS: i32 = 12;
/// Decimal places that are kept: powers of ten up to this one are exact in 64 bits.
const PLACES: i32 = 22;

impl Evaluation {
    /// The same with every number rounded, so that it has one spelling. What is no number any more stays as it is, to be refused as such.
    #[must_use]
    pub fn rounded(self) -> Self {
        let value = serde_json::to_value(&self).ok();
        let rounded = value.map(|value| serde_json::from_value(with_few_digits(value)));
        match rounded {
            Some(Ok(rounded)) => rounded,
            _ => self,
        }
    }
}

fn with_few_digits(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, with_few_digits(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(with_few_digits).collect(),
        Value::Number(number) if number.is_f64() => {
            let rounded = number.as_f64().map(few_digits).and_then(Number::from_f64);
            Value::Number(rounded.unwrap_or(number))
        }
        other => other,
    }
}

fn few_digits(number: f64) -> f64 {
    if number == 0.0 || !number.is_finite() {
        return number;
    }
    let digits = (PLACES + 1 + number.abs().log10().floor() as i32).min(DIGITS);
    match usize::try_from(digits - 1) {
        // What was written here in digits reads back as a number.
        Ok(after_the_first) => format!("{number:.after_the_first$e}").parse().unwrap_or(number),
        Err(_) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Sha256Digest, evaluation::HeadEvaluation, labels::LabelName, plan::canonical_json};

    fn evaluation(loss_sum: f64) -> Evaluation {
        Evaluation {
            model_digest: Sha256Digest::of(b"m"),
            images: 1 << 60,
            heads: vec![HeadEvaluation::Regression {
                label: LabelName::Age,
                loss_sum,
                images: 3,
                absolute_error_sum: 12.0,
                constant_absolute_error_sum: 1.0 / 3.0,
                absolute_error_square_sum: None,
            }],
            reconstruction: None,
            contrast: None,
        }
    }

    #[test]
    fn counts_and_short_numbers_stay_and_long_ones_get_twelve_digits() {
        let rounded = evaluation(0.1 + 0.2).rounded();
        let mut expected = evaluation(0.3);
        if let HeadEvaluation::Regression {
            constant_absolute_error_sum,
            ..
        } = &mut expected.heads[0]
        {
            *constant_absolute_error_sum = 0.333_333_333_333;
        }
        assert_eq!(rounded, expected);
        assert_eq!(few_digits(1.234_567e-30), 0.0);
        assert!(
            evaluation(f64::NAN).rounded().heads[0]
                .mean_loss()
                .is_some_and(f64::is_nan)
        );
    }

    proptest! {
        #[test]
        fn what_was_rounded_is_read_as_it_was_written(mantissa in -1.0_f64..1.0, exponent in -40_i32..30) {
            let number = mantissa * 10_f64.powi(exponent);
            let rounded = evaluation(number).rounded();
            let text = canonical_json(&rounded);
            let read: Evaluation = serde_json::from_slice(&text).unwrap();
            prop_assert_eq!(&read, &rounded);
            prop_assert_eq!(canonical_json(&read), text);
            prop_assert_eq!(rounded.clone().rounded(), rounded);
            prop_assert!((few_digits(number) - number).abs() <= (number.abs() * 1e-11).max(1e-22));
        }
    }
}
