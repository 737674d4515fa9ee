//! HKDF-SHA-256 (RFC 5869).

use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// `N` bytes of key, extracted from `secret` under `salt` and expanded for `info`. `N` is at most 255 * 32.
pub fn derive<const N: usize>(salt: &[u8], secret: &[u8], info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    let mut key = Zeroizing::new([0; N]);
    Salt::new(HKDF_SHA256, salt)
        .extract(secret)
        .expand(info, Length(N))
        .and_then(|output| output.fill(&mut key[..]))
        .expect("hkdf-sha-256 gives up to 8160 bytes and this crate asks for less");
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_test_case_of_rfc_5869() {
        let salt = hex::decode("000102030405060708090a0b0c").unwrap();
        let info = hex::decode("f0f1f2f3f4f5f6f7f8f9").unwrap();
        let key = derive::<42>(&salt, &[0x0b; 22], &[&info]);
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
        assert_eq!(hex::encode(&key[..]), expected);
    }

    #[test]
    fn the_second_test_case_of_rfc_5869_with_long_inputs() {
        let range = |from: u8, to: u8| (from..=to).collect::<Vec<u8>>();
        let key = derive::<82>(&range(0x60, 0xaf), &range(0x00, 0x4f), &[&range(0xb0, 0xff)]);
        let expected = "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09\
                        da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87";
        assert_eq!(hex::encode(&key[..]), expected);
    }

    #[test]
    fn the_third_test_case_of_rfc_5869_without_salt_and_info() {
        let key = derive::<42>(&[], &[0x0b; 22], &[]);
        let expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8";
        assert_eq!(hex::encode(&key[..]), expected);
    }
}
