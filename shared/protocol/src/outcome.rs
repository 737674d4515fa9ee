//! What the aggregator signs for every round that ended: which model it made of which.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    digest::Sha256Digest,
    ids::{RoundNumber, StudyName, UnixSeconds},
    session::ControlReference,
};

/// What came of one round. With the receipt of an update it says into which model that update went.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoundOutcome {
    /// Which study.
    pub study: StudyName,
    /// Which round.
    pub round: RoundNumber,
    /// The plan.
    pub plan_digest: Sha256Digest,
    /// The model that the round started from.
    pub model_in: Sha256Digest,
    /// The model that it made.
    pub model_out: Sha256Digest,
    /// Under SCAFFOLD: the control variate of all sites that the next round begins with. Absent: it begins at zero, or the plan has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<ControlReference>,
    /// How many updates are in it.
    pub contributions: u64,
    /// When the round closed.
    pub closed: UnixSeconds,
}

impl RoundOutcome {
    /// The bytes that are signed: canonical JSON behind a line that says what they are.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = b"snowball round outcome v1\n".to_vec();
        bytes.extend(crate::plan::canonical_json(self));
        bytes
    }
}

/// `GET /v1/studies/{study}/rounds/{round}/outcome`: an outcome with the aggregator's signature.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedOutcome {
    /// What is attested.
    pub outcome: RoundOutcome,
    /// Ed25519 (RFC 8032) over [`RoundOutcome::signed_bytes`], base64.
    pub signature: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(control: Option<ControlReference>) -> RoundOutcome {
        let digest = |text: &str| Sha256Digest::of(text.as_bytes());
        RoundOutcome {
            study: "body-parts".parse().unwrap(),
            round: RoundNumber(3),
            plan_digest: digest("plan"),
            model_in: digest("model 2"),
            model_out: digest("model 3"),
            control,
            contributions: 4,
            closed: 1_800_000_060,
        }
    }

    /// Signatures of before there was this field hold.
    #[test]
    fn an_outcome_without_a_control_variate_is_signed_as_it_always_was() {
        let signed = String::from_utf8(outcome(None).signed_bytes()).unwrap();
        assert!(!signed.contains("control"), "{signed}");
        let (_, document) = signed.split_once('\n').unwrap();
        assert_eq!(serde_json::from_str::<RoundOutcome>(document).unwrap(), outcome(None));
    }

    #[test]
    fn both_the_control_variate_and_where_it_begins_are_signed() {
        let control = |text: &str, since| {
            let digest = Sha256Digest::of(text.as_bytes());
            outcome(Some(ControlReference {
                digest,
                since: RoundNumber(since),
            }))
            .signed_bytes()
        };
        let signed = control("c", 1);
        for other in [outcome(None).signed_bytes(), control("another", 1), control("c", 2)] {
            assert_ne!(signed, other);
        }
        let more = String::from_utf8(signed)
            .unwrap()
            .replace("\"since\":1", "\"since\":1,\"weight\":1");
        let (_, document) = more.split_once('\n').unwrap();
        assert!(
            serde_json::from_str::<RoundOutcome>(document).is_err(),
            "nothing unsigned rides along"
        );
    }
}
