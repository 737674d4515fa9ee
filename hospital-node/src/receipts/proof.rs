//! A receipt as one file that a stranger verifies: the aggregator's public key is all that it takes. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use snowball_crypto::VerifyingKey;
use snowball_protocol::{limits::JSON_BYTES_MAX, outcome::SignedOutcome, plan::canonical_json, receipt::SignedReceipt};

/// Largest file that is read.
pub const PROOF_BYTES_MAX: usize = JSON_BYTES_MAX;
const FORMAT: u16 = 1;

/// What the aggregator signed about one update.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Version of this format: 1.
    format: u16,
    pub receipt: SignedReceipt,
    /// What came of the round; none while it had not ended.
    pub outcome: Option<SignedOutcome>,
}

/// Why a receipt does not verify.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofFault {
    /// It is not a receipt of this format.
    #[error("it is no receipt of this format: {0}")]
    Malformed(String),
    /// It holds something that nobody signed.
    #[error("it holds more than what is signed")]
    Unsigned,
    /// The receipt's signature.
    #[error("the receipt is not signed by this key")]
    Receipt,
    /// The outcome's signature.
    #[error("the outcome of the round is not signed by this key")]
    Outcome,
    /// Both are signed and do not belong together.
    #[error("the outcome is of another round than the receipt")]
    Apart,
}

impl Proof {
    pub const fn of(receipt: SignedReceipt, outcome: Option<SignedOutcome>) -> Self {
        Self {
            format: FORMAT,
            receipt,
            outcome,
        }
    }

    /// Reads a file; nothing may stand in it that is not part of a proof.
    pub fn read(bytes: &[u8]) -> Result<Self, ProofFault> {
        let malformed = |fault: serde_json::Error| ProofFault::Malformed(fault.to_string());
        let value: Value = serde_json::from_slice(bytes).map_err(malformed)?;
        let proof: Self = serde_json::from_value(value.clone()).map_err(malformed)?;
        if proof.format != FORMAT {
            return Err(ProofFault::Malformed(format!("format {}", proof.format)));
        }
        // A name that a reader of ours skips might be read by another program.
        if canonical_json(&proof) == canonical_json(&value) {
            Ok(proof)
        } else {
            Err(ProofFault::Unsigned)
        }
    }

    /// Whether the aggregator whose key is `key` signed all of it, and it belongs together.
    pub fn verify(&self, key: &VerifyingKey) -> Result<(), ProofFault> {
        let is_signed = |bytes: Vec<u8>, signature: &str| {
            let parsed = signature.parse();
            parsed.is_ok_and(|signature| key.verify(&bytes, &signature).is_ok())
        };
        let receipt = &self.receipt.receipt;
        if !is_signed(receipt.signed_bytes(), &self.receipt.signature) {
            return Err(ProofFault::Receipt);
        }
        let Some(signed) = &self.outcome else { return Ok(()) };
        let outcome = &signed.outcome;
        if !is_signed(outcome.signed_bytes(), &signed.signature) {
            return Err(ProofFault::Outcome);
        }
        let belongs = outcome.study == receipt.study
            && outcome.round == receipt.round
            && outcome.plan_digest == receipt.plan_digest
            // A late update was trained from an older model than its round's.
            && (receipt.behind > 0 || outcome.model_in == receipt.model_in);
        if belongs { Ok(()) } else { Err(ProofFault::Apart) }
    }
}

#[cfg(test)]
pub mod tests {
    use snowball_crypto::SigningKey;
    use snowball_protocol::{
        Attempt, RoundNumber, Sha256Digest, outcome::RoundOutcome, receipt::Receipt, session::ControlReference,
    };

    use super::*;

    /// A receipt and its round's outcome, signed.
    pub fn signed(key: &SigningKey) -> (SignedReceipt, SignedOutcome) {
        let digest = |text: &str| Sha256Digest::of(text.as_bytes());
        let receipt = Receipt {
            study: "body-parts".parse().unwrap(),
            round: RoundNumber(3),
            site: "north".parse().unwrap(),
            attempt: Attempt(1),
            plan_digest: digest("plan"),
            policy_digest: digest("policy"),
            model_in: digest("model 2"),
            behind: 0,
            update_digest: digest("update"),
            update_bytes: 12,
            examples: 65,
            control_from: Some(RoundNumber(2)),
            ledger_head: digest("head"),
            received: 1_800_000_000,
        };
        let outcome = RoundOutcome {
            study: receipt.study.clone(),
            round: receipt.round,
            plan_digest: receipt.plan_digest,
            model_in: receipt.model_in,
            model_out: digest("model 3"),
            control: Some(ControlReference {
                digest: digest("control 3"),
                since: RoundNumber(1),
            }),
            contributions: 4,
            closed: 1_800_000_060,
        };
        let receipt = SignedReceipt {
            signature: key.sign(&receipt.signed_bytes()).to_string(),
            receipt,
        };
        let outcome = SignedOutcome {
            signature: key.sign(&outcome.signed_bytes()).to_string(),
            outcome,
        };
        (receipt, outcome)
    }

    fn file(key: &SigningKey) -> Value {
        let (receipt, outcome) = signed(key);
        serde_json::to_value(Proof::of(receipt, Some(outcome))).unwrap()
    }

    fn verdict(file: &Value, key: &VerifyingKey) -> Result<(), ProofFault> {
        Proof::read(&serde_json::to_vec(file).unwrap())?.verify(key)
    }

    /// Every leaf of `value`, by its place.
    fn leaves(value: &Value, place: String, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => fields
                .iter()
                .for_each(|(name, inner)| leaves(inner, format!("{place}/{name}"), found)),
            _ => found.push(place),
        }
    }

    #[test]
    fn any_field_that_is_changed_dropped_or_added_is_found() {
        let key = SigningKey::generate().unwrap();
        let public = key.verifying_key();
        let sound = file(&key);
        assert_eq!(verdict(&sound, &public), Ok(()));
        let mut places = Vec::new();
        leaves(&sound, String::new(), &mut places);
        assert!(places.len() >= 25, "{places:?}");
        for place in places {
            let mut changed = sound.clone();
            let leaf = changed.pointer_mut(&place).unwrap();
            *leaf = match leaf.clone() {
                Value::Number(number) => Value::from(number.as_u64().unwrap() + 1),
                Value::String(text) => {
                    // The last letter of a name or digest; of a signature one within, where every bit counts.
                    let at = if place.ends_with("signature") {
                        10
                    } else {
                        text.len() - 1
                    };
                    let mut letters = text.into_bytes();
                    letters[at] = if letters[at] == b'a' { b'b' } else { b'a' };
                    Value::from(String::from_utf8(letters).unwrap())
                }
                other => panic!("{place}: {other}"),
            };
            assert!(verdict(&changed, &public).is_err(), "{place} was changed");

            let mut dropped = sound.clone();
            let (parent, name) = place.rsplit_once('/').unwrap();
            let parent = if parent.is_empty() {
                dropped.as_object_mut()
            } else {
                dropped.pointer_mut(parent).unwrap().as_object_mut()
            };
            parent.unwrap().remove(name);
            assert!(verdict(&dropped, &public).is_err(), "{place} was dropped");
        }
        for parent in ["", "/receipt", "/receipt/receipt", "/outcome", "/outcome/outcome"] {
            let mut added = sound.clone();
            let object = added.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            object.insert("weight".to_owned(), Value::from(1));
            assert!(verdict(&added, &public).is_err(), "something was added to {parent}");
        }
    }

    #[test]
    fn another_key_and_an_outcome_of_another_round_do_not_verify() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        assert_eq!(verdict(&file(&key), &other.verifying_key()), Err(ProofFault::Receipt));
        let (receipt, outcome) = signed(&key);
        let foreign = signed(&other).1;
        let proof = Proof::of(receipt.clone(), Some(foreign));
        assert_eq!(proof.verify(&key.verifying_key()), Err(ProofFault::Outcome));
        for change in [
            |outcome: &mut RoundOutcome| outcome.round = RoundNumber(4),
            |outcome: &mut RoundOutcome| outcome.model_in = Sha256Digest::of(b"other"),
            |outcome: &mut RoundOutcome| outcome.plan_digest = Sha256Digest::of(b"other"),
            |outcome: &mut RoundOutcome| outcome.study = "other".parse().unwrap(),
        ] {
            let mut outcome = outcome.outcome.clone();
            change(&mut outcome);
            let signature = key.sign(&outcome.signed_bytes()).to_string();
            let proof = Proof::of(receipt.clone(), Some(SignedOutcome { outcome, signature }));
            assert_eq!(proof.verify(&key.verifying_key()), Err(ProofFault::Apart));
        }
        assert_eq!(Proof::of(receipt, None).verify(&key.verifying_key()), Ok(()));
    }
}
