//! Single values: dummies, shifted dates, capped ages, and whether a value is one that its representation permits.

use dicom_core::{PrimitiveValue, VR};
use jiff::{ToSpan as _, civil::Date};

/// What stands for a text that went.
pub(super) const DUMMY_TEXT: &str = "ANONYMIZED";
/// What stands for a date that went.
pub(super) const DUMMY_DATE: &str = "19000101";
/// Ages above 89 are one class (45 CFR 164.514).
const AGE_YEARS_TOP: u32 = 90;

/// A fixed value that `vr` permits (PS3.5 section 6.2); `None` where only an empty one exists.
pub(super) fn dummy(vr: VR) -> Option<PrimitiveValue> {
    Some(match vr {
        VR::DA => DUMMY_DATE.into(),
        VR::TM => "000000".into(),
        VR::DT => "19000101000000".into(),
        VR::AS => "000Y".into(),
        VR::DS | VR::IS => "0".into(),
        VR::UR => "urn:anonymized".into(),
        VR::US => PrimitiveValue::from(0_u16),
        VR::SS => PrimitiveValue::from(0_i16),
        VR::UL => PrimitiveValue::from(0_u32),
        VR::SL => PrimitiveValue::from(0_i32),
        VR::UV => PrimitiveValue::from(0_u64),
        VR::SV => PrimitiveValue::from(0_i64),
        VR::FL => PrimitiveValue::from(0.0_f32),
        VR::FD => PrimitiveValue::from(0.0_f64),
        VR::OB | VR::OW | VR::OF | VR::OD | VR::OL | VR::OV | VR::UN => PrimitiveValue::U8([0_u8; 8].as_slice().into()),
        VR::AE | VR::CS | VR::LO | VR::LT | VR::PN | VR::SH | VR::ST | VR::UC | VR::UT => DUMMY_TEXT.into(),
        VR::AT | VR::SQ | VR::UI => return None,
    })
}

/// The eight digits that begin a date (DA) or date and time (DT), also as older devices write dates.
pub(super) fn date_digits(text: &str) -> Option<String> {
    let text = text.trim_matches([' ', '\0']);
    let dotted = text.len() == 10 && matches!(text.as_bytes().get(4), Some(b'.' | b'-' | b'/'));
    let digits: String = if dotted {
        text.chars().filter(char::is_ascii_digit).collect()
    } else {
        text.chars().take(8).collect()
    };
    (digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// A date (DA) or date and time (DT) moved by `days`; times stay. `None` for what does not read as one.
pub(super) fn shift(text: &str, days: i32) -> Option<String> {
    let digits = date_digits(text)?;
    let part = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i16>().ok();
    let (month, day) = (i8::try_from(part(4..6)?).ok()?, i8::try_from(part(6..8)?).ok()?);
    let date = Date::new(part(0..4)?, month, day).ok()?.checked_add(days.days()).ok()?;
    let text = text.trim_matches([' ', '\0']);
    let time = if text.len() > 10 || text.get(..8) == Some(&digits) {
        text.get(8..)?
    } else {
        ""
    };
    let is_time = |letter: char| letter.is_ascii_digit() || matches!(letter, '.' | '+' | '-');
    time.chars()
        .all(is_time)
        .then(|| format!("{:04}{:02}{:02}{time}", date.year(), date.month(), date.day()))
}

/// An age (AS) as it may stay: above 89 years it is 90 years.
pub(super) fn cap_age(text: &str) -> Option<String> {
    let text = text.trim_matches([' ', '\0']);
    let (number, unit) = text.split_at_checked(3)?;
    let number: u32 = number
        .parse()
        .ok()
        .filter(|_| number.bytes().all(|byte| byte.is_ascii_digit()))?;
    let years = match unit {
        "Y" => number,
        "M" => number / 12,
        "W" => number / 53,
        "D" => number / 366,
        _ => return None,
    };
    Some(if years >= AGE_YEARS_TOP {
        format!("{AGE_YEARS_TOP:03}Y")
    } else {
        text.to_owned()
    })
}

/// Whether one value is of the form that `vr` demands, so that nothing else travels in it.
pub(super) fn is_of_form(vr: VR, value: &str) -> bool {
    let all = |allowed: fn(u8) -> bool| value.bytes().all(allowed);
    match vr {
        VR::CS => {
            value.len() <= 16 && all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b" _".contains(&byte))
        }
        VR::DS => value.is_empty() || (value.len() <= 32 && value.trim().parse::<f64>().is_ok_and(f64::is_finite)),
        VR::IS => value.is_empty() || value.trim().parse::<i32>().is_ok(),
        VR::TM => value.len() <= 16 && all(|byte| byte.is_ascii_digit() || b".:".contains(&byte)),
        VR::DA | VR::DT => value.is_empty() || shift(value, 0).is_some(),
        VR::AS => value.is_empty() || cap_age(value).is_some(),
        VR::UI => value.len() <= 64 && all(|byte| byte.is_ascii_digit() || byte == b'.'),
        VR::AE => value.len() <= 16 && all(|byte| (0x20..0x7F).contains(&byte)),
        _ => value.len() <= 10_240 && !value.contains(['\0', '\u{1b}']),
    }
}

/// The words of a binary value as typed numbers; `None` if its length is not a whole number of them.
pub(super) fn binary(vr: VR, bytes: &[u8], big: bool) -> Option<PrimitiveValue> {
    fn words<const N: usize, T>(bytes: &[u8], big: bool, read: fn([u8; N]) -> T) -> Option<Vec<T>> {
        let chunks = bytes.chunks_exact(N);
        let whole = chunks.remainder().is_empty();
        let read = chunks.map(|chunk| {
            let mut word = [0; N];
            word.copy_from_slice(chunk);
            if big {
                word.reverse();
            }
            read(word)
        });
        whole.then(|| read.collect())
    }
    Some(match vr {
        VR::OB | VR::UN => PrimitiveValue::U8(bytes.into()),
        VR::OW | VR::US => PrimitiveValue::U16(words(bytes, big, u16::from_le_bytes)?.into()),
        VR::SS => PrimitiveValue::I16(words(bytes, big, i16::from_le_bytes)?.into()),
        VR::OL | VR::UL => PrimitiveValue::U32(words(bytes, big, u32::from_le_bytes)?.into()),
        VR::SL => PrimitiveValue::I32(words(bytes, big, i32::from_le_bytes)?.into()),
        VR::OV | VR::UV => PrimitiveValue::U64(words(bytes, big, u64::from_le_bytes)?.into()),
        VR::SV => PrimitiveValue::I64(words(bytes, big, i64::from_le_bytes)?.into()),
        VR::OF | VR::FL => PrimitiveValue::F32(words(bytes, big, f32::from_le_bytes)?.into()),
        VR::OD | VR::FD => PrimitiveValue::F64(words(bytes, big, f64::from_le_bytes)?.into()),
        VR::AT => {
            let words = words(bytes, big, u16::from_le_bytes)?;
            let tags = words.chunks_exact(2).map(|pair| dicom_core::Tag(pair[0], pair[1]));
            PrimitiveValue::Tags(tags.collect())
        }
        _ => return None,
    })
}

/// Whether `vr` holds text.
pub(super) const fn is_text(vr: VR) -> bool {
    matches!(
        vr,
        VR::AE
            | VR::AS
            | VR::CS
            | VR::DA
            | VR::DS
            | VR::DT
            | VR::IS
            | VR::LO
            | VR::LT
            | VR::PN
            | VR::SH
            | VR::ST
            | VR::TM
            | VR::UC
            | VR::UI
            | VR::UR
            | VR::UT
    )
}

/// Whether a backslash parts values in `vr`; in the others it is a letter (PS3.5 section 6.2).
pub(super) const fn is_multiple(vr: VR) -> bool {
    !matches!(vr, VR::LT | VR::ST | VR::UT | VR::UR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_move_and_times_stay() {
        assert_eq!(shift("20140617", -17).as_deref(), Some("20140531"));
        assert_eq!(shift("2014.06.17", -17).as_deref(), Some("20140531"));
        assert_eq!(
            shift("20140301120000.5+0500", -1).as_deref(),
            Some("20140228120000.5+0500")
        );
        for text in ["", "2014", "20141301", "201406171 Jane", "tomorrow"] {
            assert_eq!(shift(text, -1), None, "{text}");
        }
    }

    #[test]
    fn old_age_is_one_class() {
        for (age, kept) in [
            ("089Y", Some("089Y")),
            ("090Y", Some("090Y")),
            ("101Y", Some("090Y")),
            ("999M", Some("999M")),
            ("006W", Some("006W")),
            ("xx1Y", None),
            ("12", None),
            ("+12Y", None),
        ] {
            assert_eq!(cap_age(age).as_deref(), kept, "{age}");
        }
    }

    #[test]
    fn every_dummy_is_of_the_form_that_its_representation_demands() {
        for vr in [
            VR::DA,
            VR::TM,
            VR::DT,
            VR::AS,
            VR::DS,
            VR::IS,
            VR::CS,
            VR::AE,
            VR::LO,
            VR::PN,
            VR::UR,
        ] {
            let text = dummy(vr).unwrap().to_str().into_owned();
            assert!(is_of_form(vr, &text) && !text.is_empty(), "{vr:?} {text}");
        }
    }

    #[test]
    fn text_does_not_travel_in_codes_and_numbers() {
        for (vr, value) in [
            (VR::CS, "Jane Doe"),
            (VR::IS, "12 Main"),
            (VR::DS, "NaN"),
            (VR::UI, "1.2.Jane"),
            (VR::TM, "noon"),
            (VR::LO, "a\u{1b}$B"),
        ] {
            assert!(!is_of_form(vr, value), "{value}");
        }
        assert!(is_of_form(VR::CS, "DERIVED") && is_of_form(VR::DS, " 0.139 ") && is_of_form(VR::UI, "1.2"));
    }

    #[test]
    fn words_turn_round_and_odd_lengths_are_refused() {
        assert_eq!(
            binary(VR::US, &[1, 2], true),
            Some(PrimitiveValue::U16([0x0102].as_slice().into()))
        );
        assert_eq!(binary(VR::US, &[1, 2, 3], false), None);
    }
}
