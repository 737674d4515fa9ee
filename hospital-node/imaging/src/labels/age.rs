//! Age at the examination, in completed years, from `PatientAge` or from two dates before any date is dropped.

use jiff::civil::Date;

use crate::deidentify::evidence::LabelSource;

/// Ages above 89 stand as one band (PS3.15 E.3; 45 CFR 164.514), written as its first year.
const AGE_TOP: f32 = 90.0;
const AGE_YEARS_MAX: f32 = 120.0;
/// How far recorded and computed age may lie apart: examinations are booked before a birthday and done after it.
const DISAGREEMENT_YEARS_MAX: f32 = 2.0;

/// The age that `recorded` (AS) supports, else that of the two dates (DA). Two that contradict each other are none.
pub(super) fn years(recorded: Option<&str>, born: Option<&str>, examined: Option<&str>) -> (Option<f32>, LabelSource) {
    let recorded = recorded.and_then(age_string);
    let computed = born
        .and_then(birth_date)
        .zip(examined.and_then(date))
        .and_then(|(born, on)| between(born, on));
    match (recorded, computed) {
        (Some(age), Some(other)) if (age - other).abs() > DISAGREEMENT_YEARS_MAX => (None, LabelSource::Conflict),
        (Some(age), _) => (Some(banded(age)), LabelSource::Attribute),
        (None, Some(age)) => (Some(banded(age)), LabelSource::Dates),
        (None, None) => (None, LabelSource::Nothing),
    }
}

fn banded(years: f32) -> f32 {
    if years > 89.0 { AGE_TOP } else { years }
}

/// `nnnD`, `nnnW`, `nnnM`, `nnnY` (PS3.5 6.2); all zeros are a placeholder.
fn age_string(text: &str) -> Option<f32> {
    let text = text.trim();
    let unit = text.chars().last()?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse::<u16>().ok().filter(|number| *number > 0)?;
    let years = match unit.to_ascii_uppercase() {
        'Y' => f32::from(number),
        'M' => months(u32::from(number)),
        'W' => months(u32::from(number) * 7 * 12 / 365),
        'D' => months(u32::from(number) * 12 / 365),
        _ => return None,
    };
    (years <= AGE_YEARS_MAX).then_some(years)
}

/// Completed years; below two, completed months, which say much of a bone and little of a person.
fn months(months: u32) -> f32 {
    if months >= 24 {
        (months / 12) as f32
    } else {
        months as f32 / 12.0
    }
}

fn between(born: Date, on: Date) -> Option<f32> {
    let whole = (i32::from(on.year()) - i32::from(born.year())) * 12 + i32::from(on.month())
        - i32::from(born.month())
        - i32::from(on.day() < born.day());
    let whole = u32::try_from(whole).ok().filter(|_| on >= born)?;
    Some(months(whole)).filter(|years| *years <= AGE_YEARS_MAX)
}

/// A date of birth; New Year's Day of 1900 and everything before is a placeholder.
fn birth_date(text: &str) -> Option<Date> {
    date(text).filter(|date| *date > Date::constant(1900, 1, 1))
}

/// `YYYYMMDD`, also with dots, dashes or slashes as older devices write it.
fn date(text: &str) -> Option<Date> {
    let digits: String = text
        .trim()
        .chars()
        .filter(|letter| !matches!(letter, '.' | '-' | '/'))
        .collect();
    if digits.len() != 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| digits[range].parse::<i16>().ok();
    let (month, day) = (i8::try_from(number(4..6)?).ok()?, i8::try_from(number(6..8)?).ok()?);
    Date::new(number(0..4)?, month, day).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_age_counts_first() {
        assert_eq!(
            years(Some("054Y"), Some("19610113"), Some("20150601")),
            (Some(54.0), LabelSource::Attribute)
        );
        assert_eq!(years(Some("006M"), None, None), (Some(0.5), LabelSource::Attribute));
        assert_eq!(
            years(Some("054Y"), Some("19400101"), Some("20150601")),
            (None, LabelSource::Conflict)
        );
    }

    #[test]
    fn placeholders_support_nothing() {
        for (recorded, born) in [
            (Some("000Y"), Some("19000101")),
            (Some("Y"), Some("00010101")),
            (None, Some("19")),
            (None, None),
        ] {
            assert_eq!(years(recorded, born, Some("20150601")), (None, LabelSource::Nothing));
        }
        assert_eq!(
            years(Some("000Y"), Some("19610113"), Some("20150112")),
            (Some(53.0), LabelSource::Dates)
        );
        assert_eq!(
            years(None, Some("20200101"), Some("20150112")),
            (None, LabelSource::Nothing)
        );
    }

    #[test]
    fn birthdays_count_and_old_age_is_one_band() {
        assert_eq!(years(None, Some("1961.01.13"), Some("20150113")).0, Some(54.0));
        assert_eq!(years(None, Some("20131201"), Some("20150113")).0, Some(13.0 / 12.0));
        assert_eq!(years(Some("089Y"), None, None).0, Some(89.0));
        assert_eq!(years(Some("104Y"), None, None).0, Some(90.0));
        assert_eq!(years(Some("150Y"), None, None).0, None);
    }
}
