//! From identifiers to pseudonyms, UIDs and date shifts: keyed, so that nobody without the key can test a guess.

use std::fmt;

use ring::hmac;

use crate::{Domain, Pseudonym};

/// Largest shift that [`PseudonymKey::days`] gives, in days: ten years of 365.
pub const DAYS_SHIFT_MAX: i32 = 3650;

/// A project's HMAC-SHA-256 key (RFC 2104, RFC 6234), made by [`SiteSecret::project`](crate::SiteSecret::project).
#[derive(Clone)]
pub struct PseudonymKey(hmac::Key);

impl PseudonymKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The pseudonym of an identifier that the caller has normalised (trimmed, one case, issuer in front): equal text
    /// in the same domain and project always gives the same one.
    #[must_use]
    pub fn pseudonym(&self, domain: Domain, normalised: &str) -> Pseudonym {
        Pseudonym::from_bytes(mac(
            &self.0,
            &[b"pseudonym\0", domain.label(), b"\0", normalised.as_bytes()],
        ))
    }

    /// The UID that replaces `uid`: `2.25.` and the decimal form of a UUID, as DICOM PS3.5 section B.2 has it, at most
    /// 44 characters. The UUID is version 8 (RFC 9562), its other 122 bits are HMAC. The padding that DICOM allows
    /// (NUL, space) does not count, so a UID read from two encodings maps to one.
    #[must_use]
    pub fn uid(&self, uid: &str) -> String {
        let uid = uid.trim_matches(['\0', ' ']);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&mac(&self.0, &[b"uid\0", uid.as_bytes()])[..16]);
        bytes[6] = 0x80 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        format!("2.25.{}", u128::from_be_bytes(bytes))
    }

    /// A mark by which a value that was seen is known again, and from which nobody learns it without the key: 128 bits of
    /// HMAC. For sets in memory; it is no pseudonym and is not written anywhere.
    #[must_use]
    pub fn mark(&self, text: &str) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&mac(&self.0, &[b"mark\0", text.as_bytes()])[..16]);
        bytes
    }

    /// By how many whole days all dates of `patient` move: -1 to -[`DAYS_SHIFT_MAX`], the same at every import, so
    /// that intervals between a patient's examinations stay true.
    #[must_use]
    pub fn days(&self, patient: &Pseudonym) -> i32 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&mac(&self.0, &[b"days\0", patient.as_bytes()])[..8]);
        // 2^64 is so much larger than the range that the remainder is even to one part in 10^15.
        let below = u64::from_be_bytes(bytes) % u64::from(DAYS_SHIFT_MAX.unsigned_abs());
        -1 - i32::try_from(below).expect("a remainder below 3650 fits")
    }
}

/// HMAC over the parts one after the other. Each use starts with its own label that ends in NUL, so no two uses and no
/// two domains ever hash the same text.
fn mac(key: &hmac::Key, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    context.sign().as_ref().try_into().expect("hmac-sha-256 gives 32 bytes")
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PseudonymKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn key() -> PseudonymKey {
        PseudonymKey::new(&[7; 32])
    }

    #[test]
    fn the_test_cases_of_rfc_4231() {
        let cases: [(Vec<u8>, Vec<u8>, &str); 6] = [
            (vec![0x0b; 20], b"Hi There".to_vec(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe".to_vec(),
                b"what do ya want for nothing?".to_vec(),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (vec![0xaa; 20], vec![0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
            ((1..=25).collect(), vec![0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
            (
                vec![0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                vec![0xaa; 131],
                b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to \
                  be hashed before being used by the HMAC algorithm."
                    .to_vec(),
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        for (secret, data, expected) in cases {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
            let (front, back) = data.split_at(data.len() / 2);
            assert_eq!(hex::encode(mac(&key, &[front, back])), expected);
        }
    }

    /// A change of these three would orphan every pseudonym that hospitals hold. Computed with Python's `hmac`.
    #[test]
    fn the_values_never_change() {
        let patient = key().pseudonym(Domain::Patient, "1234");
        assert_eq!(
            patient.to_string(),
            "996251fe259c235c97b994761f674b8e007ace04193efa1bb87c0b30b4370325"
        );
        assert_eq!(
            key().uid("1.2.840.113619.2.1"),
            "2.25.158032316578363297390739701717024961415"
        );
        assert_eq!(key().days(&patient), -2139);
    }

    #[test]
    fn domains_are_unrelated() {
        let pseudonyms: HashSet<Pseudonym> = Domain::ALL.iter().map(|domain| key().pseudonym(*domain, "1")).collect();
        assert_eq!(pseudonyms.len(), Domain::ALL.len());
    }

    #[test]
    fn a_mark_is_stable_and_unrelated_to_the_pseudonym_of_the_same_text() {
        assert_eq!(key().mark("1234"), key().mark("1234"));
        assert_ne!(key().mark("1234"), key().mark("1235"));
        let pseudonyms = Domain::ALL.iter().map(|domain| key().pseudonym(*domain, "1234"));
        assert!(
            pseudonyms
                .into_iter()
                .all(|one| one.as_bytes()[..16] != key().mark("1234"))
        );
    }

    #[test]
    fn padding_of_a_uid_does_not_count() {
        assert_eq!(key().uid("1.2.3\0"), key().uid("1.2.3"));
        assert_eq!(key().uid("1.2.3 "), key().uid("1.2.3"));
        assert_ne!(key().uid("1.2.3"), key().uid("1.2.4"));
    }

    #[test]
    fn days_spread_over_the_whole_range() {
        let days: HashSet<i32> = (0..4000)
            .map(|number| key().days(&key().pseudonym(Domain::Patient, &number.to_string())))
            .collect();
        // 4000 draws from 3650 values leave about 2430 distinct ones.
        assert!((2250..2600).contains(&days.len()), "{}", days.len());
    }

    #[test]
    fn debug_output_holds_no_secret() {
        assert_eq!(format!("{:?}", key()), "PseudonymKey(..)");
    }

    proptest! {
        #[test]
        fn every_uid_is_valid_in_dicom(uid in ".{0,80}", secret in any::<[u8; 32]>()) {
            let key = PseudonymKey::new(&secret);
            let mapped = key.uid(&uid);
            prop_assert_eq!(&mapped, &key.uid(&uid));
            prop_assert!(mapped.len() <= 64);
            let number = mapped.strip_prefix("2.25.").unwrap();
            prop_assert!(number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0'));
            let uuid: u128 = number.parse().unwrap();
            prop_assert_eq!(uuid >> 76 & 0xf, 8, "version");
            prop_assert_eq!(uuid >> 62 & 0b11, 0b10, "variant");
        }

        #[test]
        fn every_shift_is_in_range_and_stable(patient in any::<[u8; 32]>(), secret in any::<[u8; 32]>()) {
            let (key, patient) = (PseudonymKey::new(&secret), Pseudonym::from_bytes(patient));
            let days = key.days(&patient);
            prop_assert!((-DAYS_SHIFT_MAX..=-1).contains(&days));
            prop_assert_eq!(days, PseudonymKey::new(&secret).days(&patient));
        }

        #[test]
        fn other_text_gives_another_pseudonym(one in ".{0,40}", two in ".{0,40}") {
            let equal = key().pseudonym(Domain::Study, &one) == key().pseudonym(Domain::Study, &two);
            prop_assert_eq!(equal, one == two);
        }
    }
}
