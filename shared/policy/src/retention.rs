//! How long the node keeps what can be made again or has served its purpose. Decided here, carried out by the node.

use snowball_protocol::ids::UnixSeconds;

use crate::policy::Policy;

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// What is kept for a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Keepsake {
    /// The frozen dataset of a study.
    Dataset,
    /// Evidence of de-identification: reviews, self-tests, records of written DICOM.
    Evidence,
    /// An update that waits to be sent.
    Outbox,
}

impl Policy {
    /// For how many days it is kept.
    #[must_use]
    pub const fn kept_days(&self, keepsake: Keepsake) -> u32 {
        let retention = &self.0.retention;
        match keepsake {
            Keepsake::Dataset => retention.datasets_days,
            Keepsake::Evidence => retention.evidence_days,
            Keepsake::Outbox => retention.outbox_days,
        }
    }

    /// Whether what was made at `since` may no longer be kept at `now`.
    #[must_use]
    pub fn is_over(&self, keepsake: Keepsake, since: UnixSeconds, now: UnixSeconds) -> bool {
        let kept = i64::from(self.kept_days(keepsake)) * DAY_SECONDS;
        now.saturating_sub(since) >= kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parse, testing::COLLABORATION};

    #[test]
    fn what_is_as_old_as_the_policy_says_is_over_and_not_a_second_sooner() {
        let policy = parse(COLLABORATION).unwrap();
        let since = 1_780_272_000;
        for (keepsake, days) in [
            (Keepsake::Dataset, 90),
            (Keepsake::Evidence, 3650),
            (Keepsake::Outbox, 14),
        ] {
            assert_eq!(policy.kept_days(keepsake), days);
            let end = since + i64::from(days) * 86_400;
            assert!(policy.is_over(keepsake, since, end) && !policy.is_over(keepsake, since, end - 1));
            assert!(
                !policy.is_over(keepsake, since, since),
                "a clock that went back removes nothing"
            );
            assert!(!policy.is_over(keepsake, i64::MAX, i64::MIN) && policy.is_over(keepsake, i64::MIN, i64::MAX));
        }
    }
}
