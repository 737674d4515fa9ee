//! What lies on a disk sealed: AES-256-GCM (NIST SP 800-38D) under a key that is not on that disk in the clear.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::{CryptoError, random_bytes};

/// How many bytes sealing adds: the nonce before the content and the tag behind it.
pub const SEAL_BYTES: usize = NONCE_LEN + 16;

/// A key that seals pieces and opens them again. Who changes, swaps or moves a piece is found out.
///
/// A sealed piece is 12 bytes of nonce, the encrypted content and 16 bytes of tag. Nonces are 96 random bits, so that no
/// counter can go back after a crash or a restored copy. SP 800-38D section 8.3 bounds this at 2^32 pieces a key: a site with
/// 500,000 radiographs seals some 2^21, and the chance that any two of 2^32 share a nonce is below 2^-32.
pub struct SealingKey(LessSafeKey);

impl SealingKey {
    /// The key that these bytes are. The copy that `ring` expands from them is not overwritten when it is dropped.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, bytes).expect("aes-256-gcm takes every 32 bytes");
        Self(LessSafeKey::new(key))
    }

    /// Seals `content`, tied to `additional`: it opens only where the same is said again.
    ///
    /// # Errors
    /// [`CryptoError::Randomness`] when the operating system gives no nonce; [`CryptoError::SealTooLong`] beyond 64 GiB.
    pub fn seal(&self, additional: &[u8], content: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let nonce: [u8; NONCE_LEN] = random_bytes()?;
        let mut sealed = Vec::with_capacity(content.len() + SEAL_BYTES);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(content);
        let tag = self
            .0
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(additional),
                &mut sealed[NONCE_LEN..],
            )
            .map_err(|_| CryptoError::SealTooLong)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens a sealed piece.
    ///
    /// # Errors
    /// [`CryptoError::SealBroken`] when the key or `additional` is another, or a bit was changed; it cannot be told which.
    pub fn open(&self, additional: &[u8], mut sealed: Vec<u8>) -> Result<Vec<u8>, CryptoError> {
        if sealed.len() < SEAL_BYTES {
            return Err(CryptoError::SealBroken);
        }
        let nonce = Nonce::try_assume_unique_for_key(&sealed[..NONCE_LEN]).map_err(|_| CryptoError::SealBroken)?;
        let length = self
            .0
            .open_within(nonce, Aad::from(additional), &mut sealed, NONCE_LEN..)
            .map_err(|_| CryptoError::SealBroken)?
            .len();
        sealed.truncate(length);
        Ok(sealed)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SealingKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_seal_of_another_program_opens() {
        // Test case 16 of McGrew and Viega, "The Galois/Counter Mode of Operation": key, nonce, additional data, text.
        let key: [u8; 32] = hex::decode("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")
            .unwrap()
            .try_into()
            .unwrap();
        let plain = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
        let sealed = "cafebabefacedbaddecaf888\
                      522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662\
                      76fc6ece0f4e1768cddf8853bb2d551b";
        let opened = SealingKey::new(&key).open(
            &hex::decode("feedfacedeadbeeffeedfacedeadbeefabaddad2").unwrap(),
            hex::decode(sealed).unwrap(),
        );
        assert_eq!(hex::encode(opened.unwrap()), plain);
    }

    #[test]
    fn the_same_content_never_looks_the_same() {
        let key = SealingKey::new(&[7; 32]);
        assert_ne!(key.seal(b"", b"pixels").unwrap(), key.seal(b"", b"pixels").unwrap());
        assert_eq!(format!("{key:?}"), "SealingKey(..)");
    }

    proptest! {
        #[test]
        fn only_the_same_key_and_place_open_an_unchanged_piece(
            content in proptest::collection::vec(any::<u8>(), 0..200), place in any::<u64>(), flip in any::<(usize, u8)>(),
        ) {
            let key = SealingKey::new(&[7; 32]);
            let sealed = key.seal(&place.to_le_bytes(), &content).unwrap();
            prop_assert_eq!(sealed.len(), content.len() + SEAL_BYTES);
            prop_assert_eq!(key.open(&place.to_le_bytes(), sealed.clone()).unwrap(), content);
            let broken = Err(CryptoError::SealBroken);
            prop_assert_eq!(key.open(&place.wrapping_add(1).to_le_bytes(), sealed.clone()), broken.clone());
            prop_assert_eq!(SealingKey::new(&[8; 32]).open(&place.to_le_bytes(), sealed.clone()), broken.clone());
            prop_assert_eq!(key.open(&place.to_le_bytes(), sealed[..sealed.len() - 1].to_vec()), broken.clone());
            let mut changed = sealed;
            let position = flip.0 % changed.len();
            changed[position] ^= 1 << (flip.1 % 8);
            prop_assert_eq!(key.open(&place.to_le_bytes(), changed), broken);
        }
    }
}
