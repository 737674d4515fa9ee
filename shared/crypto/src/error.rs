//! What can go wrong. No message holds any part of a key, a secret or the text that was to be parsed.

/// A key, signature, secret or pseudonym that could not be made, read or verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CryptoError {
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Randomness,
    /// Not an Ed25519 key in PKCS#8 (RFC 8410), or its two halves do not belong together.
    #[error("not an ed25519 private key in pkcs#8, or its public half does not belong to it")]
    PrivateKeyMalformed,
    /// Not one `PRIVATE KEY` block of PEM (RFC 7468).
    #[error("not a pem file with exactly one PRIVATE KEY block")]
    PemMalformed,
    /// Not 32 bytes in standard base64.
    #[error("a public key is written as 44 characters of base64")]
    PublicKeyMalformed,
    /// Not 64 bytes in standard base64.
    #[error("a signature is written as 88 characters of base64")]
    SignatureMalformed,
    /// The signature is not the key's over this message.
    #[error("the signature does not belong to this message and key")]
    SignatureMismatch,
    /// Not 32 bytes in hexadecimal.
    #[error("a site secret is written as 64 hexadecimal digits")]
    SecretMalformed,
    /// Not 32 bytes in lower-case hexadecimal.
    #[error("a pseudonym is written as 64 lower-case hexadecimal digits")]
    PseudonymMalformed,
    /// A passphrase too short or too long to keep a key by.
    #[error("a passphrase has 12 to 1024 characters")]
    PassphraseUnfit,
    /// A wrapped key or secret that this program cannot open, or will not: it asks for far more work than ours do.
    #[error("not a key or secret wrapped by scrypt or pbkdf2 within bounds (rfc 8018)")]
    WrappingMalformed,
    /// The passphrase does not open it.
    #[error("the passphrase is not the one that it was wrapped with, or the file was changed")]
    PassphraseWrong,
    /// A sealed piece does not open.
    #[error("the key is another, or the sealed content was changed or moved")]
    SealBroken,
    /// Content longer than one piece may be.
    #[error("a sealed piece holds at most 64 gib")]
    SealTooLong,
}
