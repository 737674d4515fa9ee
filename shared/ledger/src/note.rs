//! A signed head as it travels: the checkpoint's text, and below its signature those of others who saw it, in the form of
//! C2SP `tlog-cosignature`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use snowball_crypto::{Signature, SigningKey, VerifyingKey};
use snowball_protocol::ids::UnixSeconds;

use crate::{
    Head, VerifyError,
    checkpoint::{self, ORIGIN, key_id},
    head::is_owner,
};

/// Longest note that is read, in bytes.
pub const NOTE_BYTES_MAX: usize = 4096;
/// The byte that tlog-cosignature gives Ed25519 with a time.
const ALGORITHM: u8 = 0x04;
/// Lines of the note before the first cosignature.
const OWN_LINES: usize = 5;

/// A head and the note that proves it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedHead {
    /// What was signed.
    pub head: Head,
    /// The signed note, with every signature.
    pub note: String,
}

impl SignedHead {
    /// Signs `head` with its owner's key.
    #[must_use]
    pub fn sign(head: Head, key: &SigningKey) -> Self {
        let note = checkpoint::sign(&head, key);
        Self { head, note }
    }

    /// Reads a note and checks its owner's signature with `key`. Lines of others below it are kept, not judged.
    ///
    /// # Errors
    /// When it is no signed note of a ledger, or another key signed it.
    pub fn read(note: &str, key: &VerifyingKey) -> Result<Self, VerifyError> {
        let malformed = |reason| VerifyError::CheckpointMalformed { reason };
        if note.len() > NOTE_BYTES_MAX {
            return Err(malformed("it is too long"));
        }
        let lines: Vec<&str> = note.split_inclusive('\n').collect();
        let (own, others) = lines
            .split_at_checked(OWN_LINES)
            .ok_or_else(|| malformed("it does not have five lines"))?;
        let head = checkpoint::verify(own.concat().as_bytes(), key)?;
        if others.iter().any(|line| parts(line).is_none()) {
            return Err(malformed("a line below its signature is no cosignature"));
        }
        Ok(Self {
            head,
            note: note.to_owned(),
        })
    }

    /// The same note with one more signature: `cosigner` saw this head at `time`, and it did not contradict what it had
    /// kept before.
    #[must_use]
    pub fn cosigned(&self, cosigner: &str, key: &SigningKey, time: UnixSeconds) -> Self {
        let name = format!("{ORIGIN}{cosigner}");
        let seconds = u64::try_from(time).unwrap_or_default();
        let signature = key.sign(&message(&self.head, seconds));
        let id = key_id(&name, ALGORITHM, &key.verifying_key());
        let signed = [&id[..], &seconds.to_be_bytes(), signature.as_bytes()].concat();
        Self {
            head: self.head.clone(),
            note: format!("{}\u{2014} {name} {}\n", self.note, STANDARD.encode(signed)),
        }
    }

    /// When `cosigner` saw this head, once its signature holds.
    #[must_use]
    pub fn cosigned_at(&self, cosigner: &str, key: &VerifyingKey) -> Option<UnixSeconds> {
        let expected = key_id(&format!("{ORIGIN}{cosigner}"), ALGORITHM, key);
        let lines = self.note.split_inclusive('\n').skip(OWN_LINES);
        lines.filter_map(parts).find_map(|cosignature| {
            let holds = cosignature.name == cosigner
                && cosignature.id == expected
                && key
                    .verify(&message(&self.head, cosignature.seconds), &cosignature.signature)
                    .is_ok();
            holds.then(|| UnixSeconds::try_from(cosignature.seconds).ok()).flatten()
        })
    }
}

/// One line below the owner's signature.
struct Cosignature<'a> {
    name: &'a str,
    id: [u8; 4],
    seconds: u64,
    signature: Signature,
}

fn parts(line: &str) -> Option<Cosignature<'_>> {
    let (name, signed) = line.strip_prefix("\u{2014} ")?.strip_suffix('\n')?.split_once(' ')?;
    let bytes: [u8; 76] = STANDARD.decode(signed).ok()?.try_into().ok()?;
    let (id, rest) = bytes.split_first_chunk::<4>()?;
    let (seconds, signature) = rest.split_first_chunk::<8>()?;
    Some(Cosignature {
        name: name.strip_prefix(ORIGIN).filter(|owner| is_owner(owner))?,
        id: *id,
        seconds: u64::from_be_bytes(*seconds),
        signature: Signature::from_bytes(signature.try_into().ok()?),
    })
}

fn message(head: &Head, seconds: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {seconds}\n{}", checkpoint::text(head)).into_bytes()
}

#[cfg(test)]
mod tests {
    use snowball_protocol::Sha256Digest;

    use super::*;

    fn signed() -> (SignedHead, VerifyingKey) {
        let key = SigningKey::generate().unwrap();
        let head = Head {
            owner: "north".to_owned(),
            entries: 12,
            hash: Sha256Digest::of(b"x"),
        };
        (SignedHead::sign(head, &key), key.verifying_key())
    }

    #[test]
    fn a_cosigned_head_survives_and_says_who_saw_it_when() {
        let (head, key) = signed();
        let (one, two) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let cosigned = head
            .cosigned("aggregator", &one, 1_800_000_000)
            .cosigned("east", &two, 7);
        let read = SignedHead::read(&cosigned.note, &key).unwrap();
        assert_eq!(read, cosigned);
        assert_eq!(
            read.cosigned_at("aggregator", &one.verifying_key()),
            Some(1_800_000_000)
        );
        assert_eq!(read.cosigned_at("east", &two.verifying_key()), Some(7));
        assert_eq!(read.cosigned_at("east", &one.verifying_key()), None);
        assert_eq!(read.cosigned_at("aggregator", &two.verifying_key()), None);
        assert!(read.note.len() < NOTE_BYTES_MAX);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let (head, key) = signed();
        let other = SigningKey::generate().unwrap();
        let note = head.cosigned("aggregator", &other, 1_800_000_000).note;
        let holds = |bytes: &[u8]| {
            std::str::from_utf8(bytes)
                .ok()
                .and_then(|note| SignedHead::read(note, &key).ok())
                .is_some_and(|read| read.cosigned_at("aggregator", &other.verifying_key()).is_some())
        };
        assert!(holds(note.as_bytes()));
        for bit in 0..note.len() * 8 {
            let mut bytes = note.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!holds(&bytes), "bit {bit}");
        }
        assert!((0..note.len()).all(|length| !holds(&note.as_bytes()[..length])));
    }
}
