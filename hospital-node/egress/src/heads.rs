//! The heads of both ledgers: this side shows its own, and holds the aggregator to the one that it showed before.

use std::sync::PoisonError;

use snowball_crypto::VerifyingKey;
use snowball_ledger::{AGGREGATOR, Course, Entry, Head, Record, SignedHead};
use snowball_protocol::heads::HeadsAnswer;

use crate::{
    door::Door,
    error::EgressError,
    message::{self, Message},
};

/// The newest head of the aggregator's ledger that this site's ledger holds, signed with `key`.
#[must_use]
pub fn last_kept(records: &[Record], key: &VerifyingKey) -> Option<Head> {
    records.iter().rev().find_map(|record| match &record.entry {
        Entry::HeadsExchanged { aggregator_head, .. } => {
            SignedHead::read(aggregator_head, key).ok().map(|signed| signed.head)
        }
        _ => None,
    })
}

impl Door {
    /// Shows the aggregator where this ledger stands, and keeps what it shows of its own.
    ///
    /// # Errors
    /// When the aggregator refuses the head or shows one that contradicts what it showed before; when the ledger
    /// cannot be written, or the aggregator cannot be reached.
    pub async fn exchange_heads(&self) -> Result<(), EgressError> {
        self.exchange_heads_before(None).await
    }

    /// The same where `next` is to leave right after it: that is recorded in the same write as the heads, and may then be sent.
    pub(crate) async fn exchange_heads_before(&self, next: Option<&Message>) -> Result<(), EgressError> {
        let mut kept = self.aggregator_head.lock().await;
        let (ours, key) = {
            let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
            (
                ledger.signed_head().map_err(EgressError::Ledger)?,
                ledger.verifying_key(),
            )
        };
        let answer: HeadsAnswer = self.disclose(message::ledger_head(ours.note.clone())).await?;
        let theirs = check(&answer, &ours, &key, &self.aggregator_key)?;
        if let Some((course, before)) = kept.as_ref().map(|kept| (theirs.head.course(kept), kept))
            && let Some(code) = course.refusal()
        {
            let reason = contradiction(course, &theirs.head, before);
            self.record(Entry::HeadRefused {
                owner: AGGREGATOR.to_owned(),
                head: theirs.note,
                code,
            })?;
            return Err(EgressError::HeadRefused { reason });
        }
        let mut entries = vec![Entry::HeadsExchanged {
            site_head: answer.site_head,
            aggregator_head: theirs.note,
        }];
        entries.extend(next.map(Message::disclosure));
        self.record_all(entries)?;
        *kept = Some(theirs.head);
        Ok(())
    }
}

/// The aggregator's head, once both notes say what they should.
fn check(
    answer: &HeadsAnswer,
    ours: &SignedHead,
    key: &VerifyingKey,
    aggregator_key: &VerifyingKey,
) -> Result<SignedHead, EgressError> {
    let unusable = |reason: String| EgressError::Answer { reason };
    let countersigned = SignedHead::read(&answer.site_head, key)
        .is_ok_and(|back| back.head == ours.head && back.cosigned_at(AGGREGATOR, aggregator_key).is_some());
    if !countersigned {
        return Err(unusable("it did not countersign the head of this ledger".to_owned()));
    }
    SignedHead::read(&answer.aggregator_head, aggregator_key)
        .map_err(|fault| fault.to_string())
        .and_then(|theirs| {
            let is_its_own = theirs.head.owner == AGGREGATOR;
            is_its_own
                .then_some(theirs)
                .ok_or_else(|| "its head is of another ledger".to_owned())
        })
        .map_err(unusable)
}

fn contradiction(course: Course, shown: &Head, kept: &Head) -> String {
    match course {
        Course::Rewound => format!("it has {} records now and had {}", shown.entries, kept.entries),
        _ => format!("its record {} is another one now", kept.entries.saturating_sub(1)),
    }
}

#[cfg(test)]
mod tests {
    use snowball_crypto::SigningKey;
    use snowball_protocol::Sha256Digest;

    use super::*;

    fn signed(owner: &str, key: &SigningKey) -> SignedHead {
        let head = Head {
            owner: owner.to_owned(),
            entries: 3,
            hash: Sha256Digest::of(b"head"),
        };
        SignedHead::sign(head, key)
    }

    #[test]
    fn an_answer_counts_only_with_both_signatures_over_the_right_heads() {
        let (site, aggregator, other) = (
            SigningKey::generate().unwrap(),
            SigningKey::generate().unwrap(),
            SigningKey::generate().unwrap(),
        );
        let ours = signed("north", &site);
        let judge = |site_head: String, aggregator_head: String| {
            let answer = HeadsAnswer {
                site_head,
                aggregator_head,
            };
            check(&answer, &ours, &site.verifying_key(), &aggregator.verifying_key()).is_ok()
        };
        let countersigned = ours.cosigned(AGGREGATOR, &aggregator, 7).note;
        let theirs = signed(AGGREGATOR, &aggregator).note;
        assert!(judge(countersigned.clone(), theirs.clone()));
        assert!(!judge(ours.note.clone(), theirs.clone()), "no cosignature");
        assert!(!judge(ours.cosigned(AGGREGATOR, &other, 7).note, theirs.clone()));
        let elsewhere = signed("south", &site).cosigned(AGGREGATOR, &aggregator, 7).note;
        assert!(!judge(elsewhere, theirs));
        assert!(!judge(countersigned.clone(), signed(AGGREGATOR, &other).note));
        assert!(!judge(countersigned, signed("north", &aggregator).note));
    }
}
