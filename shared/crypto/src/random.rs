//! Random bytes of the operating system.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::CryptoError;

/// `N` bytes of the operating system's generator.
///
/// # Errors
/// [`CryptoError::Randomness`] when it gives none.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| CryptoError::Randomness)?;
    Ok(bytes)
}

/// A single-use token: 32 random bytes in base64url without padding (RFC 4648), 43 characters.
///
/// # Errors
/// [`CryptoError::Randomness`] when the operating system gives no random bytes.
pub fn random_token() -> Result<String, CryptoError> {
    Ok(URL_SAFE_NO_PAD.encode(random_bytes::<32>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_hold_32_bytes() {
        let token = random_token().unwrap();
        assert_ne!(token, random_token().unwrap());
        assert_eq!(URL_SAFE_NO_PAD.decode(token).unwrap().len(), 32);
    }
}
