//! The signed head: a note in the form of C2SP `signed-note` and `tlog-checkpoint`, with one signature. `FORMAT.md` has an example.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use snowball_crypto::{Signature, SigningKey, VerifyingKey};
use snowball_protocol::Sha256Digest;

use crate::{Head, VerifyError, head::is_owner};

pub const ORIGIN: &str = "snowball/ledger/";
/// The byte that signed-note gives Ed25519.
const ALGORITHM: u8 = 0x01;
/// A checkpoint takes about 300 bytes.
pub const BYTES_MAX: u64 = 4096;

/// The file's text for `head`.
pub fn sign(head: &Head, key: &SigningKey) -> String {
    let text = text(head);
    let name = format!("{ORIGIN}{}", head.owner);
    let signature = key.sign(text.as_bytes());
    let signed = [
        &key_id(&name, ALGORITHM, &key.verifying_key())[..],
        signature.as_bytes(),
    ]
    .concat();
    format!("{text}\n\u{2014} {name} {}\n", STANDARD.encode(signed))
}

/// The head in the file's bytes, once its signature holds.
pub fn verify(bytes: &[u8], key: &VerifyingKey) -> Result<Head, VerifyError> {
    let (head, found, signature) = parse(bytes).map_err(|reason| VerifyError::CheckpointMalformed { reason })?;
    let expected = key_id(&format!("{ORIGIN}{}", head.owner), ALGORITHM, key);
    if key.verify(text(&head).as_bytes(), &signature).is_ok() && found == expected {
        return Ok(head);
    }
    let owner = head.owner;
    Err(if found == expected {
        VerifyError::SignatureInvalid { owner }
    } else {
        VerifyError::WrongKey {
            owner,
            found: hex(found),
            expected: hex(expected),
        }
    })
}

/// What is signed.
pub fn text(head: &Head) -> String {
    format!(
        "{ORIGIN}{}\n{}\n{}\n",
        head.owner,
        head.entries,
        STANDARD.encode(head.hash.as_bytes())
    )
}

/// The first four bytes of SHA-256 over name, line end, algorithm and key: a hint which key signed, no proof.
pub fn key_id(name: &str, algorithm: u8, key: &VerifyingKey) -> [u8; 4] {
    let digest = Sha256Digest::of(&[name.as_bytes(), b"\n", &[algorithm], key.as_bytes()].concat());
    let [a, b, c, d, ..] = *digest.as_bytes();
    [a, b, c, d]
}

fn hex(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

fn parse(bytes: &[u8]) -> Result<(Head, [u8; 4], Signature), &'static str> {
    let note = std::str::from_utf8(bytes).map_err(|_| "not text")?;
    let note = note.strip_suffix('\n').ok_or("its last line has no end")?;
    let lines: Vec<&str> = note.splitn(6, '\n').collect();
    let [origin, entries, hash, "", signed] = lines[..] else {
        return Err("it does not have five lines");
    };

    let owner = origin
        .strip_prefix(ORIGIN)
        .filter(|owner| is_owner(owner))
        .ok_or("its first line names no ledger")?;
    let count: u64 = entries.parse().map_err(|_| "its second line is no count")?;
    if count.to_string() != entries {
        return Err("its second line is no count");
    }
    let hash: [u8; 32] = STANDARD
        .decode(hash)
        .ok()
        .and_then(|hash| hash.try_into().ok())
        .ok_or("its third line is no hash")?;

    let signed = signed
        .strip_prefix("\u{2014} ")
        .ok_or("its last line is no signature")?;
    let (name, signed) = signed.split_once(' ').ok_or("its last line is no signature")?;
    if name != origin {
        return Err("its signature has another name");
    }
    let signed = STANDARD.decode(signed).map_err(|_| "its signature is not base64")?;
    let (id, signature) = signed.split_first_chunk::<4>().ok_or("its signature is too short")?;
    let signature: [u8; 64] = signature.try_into().map_err(|_| "its signature has another length")?;
    let head = Head {
        owner: owner.to_owned(),
        entries: count,
        hash: Sha256Digest::from_bytes(hash),
    };
    Ok((head, *id, Signature::from_bytes(signature)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head {
            owner: "north".to_owned(),
            entries: 12,
            hash: Sha256Digest::of(b"x"),
        }
    }

    #[test]
    fn a_signed_head_survives_and_fits() {
        let key = SigningKey::generate().unwrap();
        let note = sign(&head(), &key);
        assert!((note.len() as u64) < BYTES_MAX);
        assert_eq!(verify(note.as_bytes(), &key.verifying_key()).unwrap(), head());
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let key = SigningKey::generate().unwrap();
        let note = sign(&head(), &key);
        for bit in 0..note.len() * 8 {
            let mut bytes = note.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(&bytes, &key.verifying_key()).is_err(), "bit {bit}");
        }
        for length in 0..note.len() {
            assert!(
                verify(&note.as_bytes()[..length], &key.verifying_key()).is_err(),
                "{length} bytes"
            );
        }
    }

    #[test]
    fn another_key_and_an_altered_text_are_told_apart() {
        let (key, other) = (
            SigningKey::generate().unwrap(),
            SigningKey::generate().unwrap().verifying_key(),
        );
        let note = sign(&head(), &key);
        assert!(matches!(
            verify(note.as_bytes(), &other),
            Err(VerifyError::WrongKey { .. })
        ));
        let fewer = note.replace("\n12\n", "\n11\n");
        assert!(matches!(
            verify(fewer.as_bytes(), &key.verifying_key()),
            Err(VerifyError::SignatureInvalid { .. })
        ));
        let spelled = note.replace("\n12\n", "\n+12\n");
        assert!(matches!(
            verify(spelled.as_bytes(), &key.verifying_key()),
            Err(VerifyError::CheckpointMalformed { .. })
        ));
    }

    /// The key id of the example in C2SP's signed-note document (PeterNeumann, key id c74f20a3).
    #[test]
    fn the_key_id_is_the_one_of_signed_note() {
        let key: [u8; 33] = STANDARD
            .decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
            .unwrap()
            .try_into()
            .unwrap();
        let (algorithm, key) = key.split_first().unwrap();
        assert_eq!(*algorithm, ALGORITHM);
        let key = VerifyingKey::from_bytes(key.try_into().unwrap());
        assert_eq!(hex(key_id("PeterNeumann", ALGORITHM, &key)), "c74f20a3");
    }
}
