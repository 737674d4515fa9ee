//! What a person typed against what waits.

use snowball_protocol::{Sha256Digest, SiteName};
use snowball_registry::Enrolment;

/// Fewer digits would not keep two keys apart.
const DIGITS_MIN: usize = 16;
/// So many wrong digits are a slip, not another key: by chance sixteen digits agree in one.
const SLIPS_MAX: usize = 3;

/// Which of the waiting requests has the fingerprint that begins with `typed`; or the words for a person.
pub fn choose(site: &SiteName, pending: &[Enrolment], typed: &str) -> Result<usize, String> {
    let digits = digits(typed)?;
    let keys: Vec<String> = pending.iter().map(|one| hex_of(&one.key_fingerprint)).collect();
    if let Some(place) = keys.iter().position(|key| key.starts_with(&digits)) {
        return Ok(place);
    }
    let waiting = pending
        .iter()
        .map(|one| one.key_fingerprint.spoken())
        .collect::<Vec<_>>()
        .join(" and ");
    let slips = keys
        .iter()
        .map(|key| differing(key, &digits))
        .min()
        .unwrap_or(usize::MAX);
    let advice = if slips <= SLIPS_MAX {
        format!(
            "{slips} of its digits differ: have the site read it again, and type what you hear; if it reads exactly this, it is \
             another key"
        )
    } else {
        format!(
            "it is another key: if the site reads exactly this, somebody else asked in its name: aggregator refuse {site} --reason \
             fingerprints-differ, then invite it anew"
        )
    };
    Err(format!(
        "{} is not the fingerprint of what waits ({waiting}); nothing was approved. {advice}",
        typed.trim()
    ))
}

fn digits(typed: &str) -> Result<String, String> {
    let bare = typed.trim().strip_prefix("sha256:").unwrap_or(typed.trim());
    let digits: String = bare
        .chars()
        .filter(|character| !matches!(character, '-' | ':' | ' '))
        .map(|character| character.to_ascii_lowercase())
        .collect();
    if let Some(wrong) = digits.chars().find(|character| !character.is_ascii_hexdigit()) {
        return Err(format!(
            "a fingerprint has the digits 0 to 9 and a to f only, not {wrong:?} (0 is a digit, o is none); type it again"
        ));
    }
    if digits.len() < DIGITS_MIN {
        return Err(format!(
            "{} digits do not say which key it is; type all {DIGITS_MIN} that the site reads out",
            digits.len()
        ));
    }
    Ok(digits)
}

fn hex_of(fingerprint: &Sha256Digest) -> String {
    hex::encode(fingerprint.as_bytes())
}

fn differing(key: &str, digits: &str) -> usize {
    key.bytes()
        .zip(digits.bytes())
        .filter(|(one, other)| one != other)
        .count()
        + digits.len().saturating_sub(key.len())
}

#[cfg(test)]
mod tests {
    use snowball_protocol::ids::EnrolmentId;
    use snowball_registry::Decision;

    use super::*;

    fn waiting(key: &str) -> Enrolment {
        Enrolment {
            id: EnrolmentId(key.to_owned()),
            site: "north".parse().unwrap(),
            csr_pem: String::new(),
            key_fingerprint: Sha256Digest::of(key.as_bytes()),
            ledger_key: String::new(),
            requested: 0,
            decision: Decision::Pending,
        }
    }

    #[test]
    fn the_request_with_the_fingerprint_is_chosen_whichever_came_last() {
        let (site, pending) = ("north".parse().unwrap(), [waiting("second"), waiting("first")]);
        for (place, one) in pending.iter().enumerate() {
            let fingerprint = one.key_fingerprint;
            for typed in [
                fingerprint.spoken(),
                fingerprint.spoken().to_uppercase(),
                fingerprint.spoken().replace('-', " "),
                fingerprint.to_string(),
                hex_of(&fingerprint),
            ] {
                assert_eq!(choose(&site, &pending, &typed), Ok(place), "{typed}");
            }
        }
    }

    #[test]
    fn each_way_to_be_wrong_has_its_own_words() {
        let (site, pending) = ("north".parse().unwrap(), [waiting("key")]);
        let right = pending[0].key_fingerprint.spoken();
        let says = |typed: &str| choose(&site, &pending, typed).unwrap_err();
        let other = if right.starts_with('0') { "1" } else { "0" };
        let slip = format!("{other}{}", &right[1..]);
        assert!(says(&slip).contains("1 of its digits differ"), "{}", says(&slip));
        let stranger = Sha256Digest::of(b"stranger").spoken();
        assert!(says(&stranger).contains("aggregator refuse north") && says(&stranger).contains(&right));
        assert!(says("").contains("0 digits") && says(&right[..18]).contains("15 digits"));
        assert!(says(&right.replace(&right[..1], "o")).contains("o is none"));
        let long = format!("{right}{}", "0".repeat(100));
        assert!(says(&long).contains("nothing was approved"));
    }
}
