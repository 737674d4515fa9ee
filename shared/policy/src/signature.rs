//! The detached signature of a policy: who vouches for exactly these bytes.

use snowball_crypto::{Signature, SigningKey, VerifyingKey};
use snowball_protocol::{Sha256Digest, limits::POLICY_BYTES_MAX};

use crate::{fault::PolicyFault, policy::Policy, read};

/// Stands before the signed bytes, so that no signature over anything else is one over a policy.
const DOMAIN: &[u8] = b"snowball policy v1\n";
/// Opens the one line of a signature file.
const OPENING: &str = "snowball policy v1 ";
/// Longest signature file, in bytes; one line has 185.
const SIGNATURE_BYTES_MAX: usize = 1024;

/// A policy that the site's ethics key vouches for; made by [`verify`] only.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct SignedPolicy {
    /// What it permits.
    pub policy: Policy,
    /// The digest of the file's exact bytes, as ledgers name it.
    pub digest: Sha256Digest,
}

/// The digest of a policy file's exact bytes, as ledgers name it.
#[must_use]
pub fn digest(toml_bytes: &[u8]) -> Sha256Digest {
    Sha256Digest::of(toml_bytes)
}

/// The content of `policy.toml.sig` for exactly these bytes: one line with the key's fingerprint and the signature.
///
/// It signs whatever it is given; the tool that signs should [`parse`](crate::parse) the file first.
#[must_use]
pub fn sign(toml_bytes: &[u8], key: &SigningKey) -> String {
    format!(
        "{OPENING}{} {}\n",
        key.verifying_key().fingerprint(),
        key.sign(&signed_bytes(toml_bytes))
    )
}

/// Reads a policy that the site's ethics key signed. Nothing of the file is interpreted before its signature held.
///
/// # Errors
/// When the file is empty or too large, the signature is absent, unreadable, of another key or of other bytes, or the
/// signed file breaks a rule of the format. A file that is not there at all is [`PolicyFault::Missing`], which only
/// the caller can tell.
pub fn verify(
    toml_bytes: &[u8],
    signature_text: Option<&str>,
    ethics_key: &VerifyingKey,
) -> Result<SignedPolicy, PolicyFault> {
    if toml_bytes.len() > POLICY_BYTES_MAX {
        return Err(PolicyFault::TooLarge {
            bytes: toml_bytes.len(),
        });
    }
    if toml_bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(PolicyFault::Empty);
    }
    let (signed_by, signature) = read_signature(signature_text.ok_or(PolicyFault::Unsigned)?)?;
    let expected = ethics_key.fingerprint();
    if signed_by != expected {
        return Err(PolicyFault::WrongKey { signed_by, expected });
    }
    ethics_key
        .verify(&signed_bytes(toml_bytes), &signature)
        .map_err(|_| PolicyFault::SignatureInvalid)?;
    let text = std::str::from_utf8(toml_bytes).map_err(|error| PolicyFault::NotText {
        line: 1 + toml_bytes[..error.valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count(),
    })?;
    Ok(SignedPolicy {
        policy: read::parse(text)?,
        digest: digest(toml_bytes),
    })
}

fn signed_bytes(toml_bytes: &[u8]) -> Vec<u8> {
    [DOMAIN, toml_bytes].concat()
}

fn read_signature(text: &str) -> Result<(Sha256Digest, Signature), PolicyFault> {
    let unreadable = PolicyFault::SignatureUnreadable;
    if text.trim().is_empty() {
        return Err(PolicyFault::Unsigned);
    }
    if text.len() > SIGNATURE_BYTES_MAX {
        return Err(unreadable);
    }
    let line = text
        .strip_suffix("\r\n")
        .or_else(|| text.strip_suffix('\n'))
        .unwrap_or(text);
    let (fingerprint, signature) = line
        .strip_prefix(OPENING)
        .and_then(|rest| rest.split_once(' '))
        .ok_or_else(|| unreadable.clone())?;
    let fingerprint = fingerprint.parse().map_err(|_| unreadable.clone())?;
    let signature = signature.parse().map_err(|_| unreadable)?;
    Ok((fingerprint, signature))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::COLLABORATION;

    fn keys() -> (SigningKey, SigningKey) {
        (SigningKey::generate().unwrap(), SigningKey::generate().unwrap())
    }

    #[test]
    fn what_was_signed_verifies_and_keeps_its_digest() {
        let (key, _) = keys();
        let text = sign(COLLABORATION.as_bytes(), &key);
        assert_eq!(text.lines().count(), 1);
        let signed = verify(COLLABORATION.as_bytes(), Some(&text), &key.verifying_key()).unwrap();
        assert_eq!(signed.digest, Sha256Digest::of(COLLABORATION.as_bytes()));
        assert_eq!(signed.policy.version(), 3);
        for variant in [text.trim_end().to_owned(), text.replace('\n', "\r\n")] {
            assert!(verify(COLLABORATION.as_bytes(), Some(&variant), &key.verifying_key()).is_ok());
        }
    }

    #[test]
    fn any_change_of_the_file_is_told_as_altered() {
        let (key, _) = keys();
        let text = sign(COLLABORATION.as_bytes(), &key);
        for index in (0..COLLABORATION.len()).step_by(37) {
            let mut bytes = COLLABORATION.as_bytes().to_vec();
            bytes[index] ^= 1;
            assert_eq!(
                verify(&bytes, Some(&text), &key.verifying_key()),
                Err(PolicyFault::SignatureInvalid),
                "byte {index}"
            );
        }
        let longer = format!("{COLLABORATION}\n");
        assert_eq!(
            verify(longer.as_bytes(), Some(&text), &key.verifying_key()),
            Err(PolicyFault::SignatureInvalid)
        );
    }

    #[test]
    fn unsigned_unreadable_and_foreign_signatures_are_told_apart() {
        let (key, other) = keys();
        let bytes = COLLABORATION.as_bytes();
        let ethics = key.verifying_key();
        assert_eq!(verify(bytes, None, &ethics), Err(PolicyFault::Unsigned));
        assert_eq!(verify(bytes, Some(" \n"), &ethics), Err(PolicyFault::Unsigned));
        let text = sign(bytes, &key);
        for broken in [
            "hello",
            &text[..text.len() - 9],
            &format!("{text}{text}"),
            &"x".repeat(5000),
            &text.replace("v1", "v2"),
        ] {
            assert_eq!(
                verify(bytes, Some(broken), &ethics),
                Err(PolicyFault::SignatureUnreadable),
                "{broken}"
            );
        }
        let foreign = sign(bytes, &other);
        let fault = PolicyFault::WrongKey {
            signed_by: other.verifying_key().fingerprint(),
            expected: ethics.fingerprint(),
        };
        assert_eq!(verify(bytes, Some(&foreign), &ethics), Err(fault));
        // Another's signature under the right fingerprint.
        let forged = foreign.replace(
            &other.verifying_key().fingerprint().to_string(),
            &ethics.fingerprint().to_string(),
        );
        assert_eq!(
            verify(bytes, Some(&forged), &ethics),
            Err(PolicyFault::SignatureInvalid)
        );
    }

    #[test]
    fn a_signature_over_the_bare_bytes_is_none_over_a_policy() {
        let (key, _) = keys();
        let bytes = COLLABORATION.as_bytes();
        let bare = format!("{OPENING}{} {}\n", key.verifying_key().fingerprint(), key.sign(bytes));
        assert_eq!(
            verify(bytes, Some(&bare), &key.verifying_key()),
            Err(PolicyFault::SignatureInvalid)
        );
    }

    #[test]
    fn a_signed_file_must_still_keep_the_format() {
        let (key, _) = keys();
        let read = |bytes: &[u8]| verify(bytes, Some(&sign(bytes, &key)), &key.verifying_key());
        assert_eq!(read(b""), Err(PolicyFault::Empty));
        assert_eq!(read(b"# nothing\n"), Err(PolicyFault::Empty));
        assert_eq!(read(b"format = 1\n\xff"), Err(PolicyFault::NotText { line: 2 }));
        assert!(matches!(read(b"format = 1\n"), Err(PolicyFault::Malformed { .. })));
        assert!(matches!(
            read(&vec![b'#'; POLICY_BYTES_MAX + 1]),
            Err(PolicyFault::TooLarge { .. })
        ));
    }
}
