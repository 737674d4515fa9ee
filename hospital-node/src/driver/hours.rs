//! Waits for the hours that the policy names.

use anyhow::Result;
use snowball_protocol::RoundNumber;

use super::{Driver, MEND_PAUSE, study::Study};
use crate::events::Event;

impl Driver {
    /// Whether the policy's hours let nothing be done about this round now: neither trained, nor sent what waits in the outbox.
    pub(super) fn waits(&self, study: &Study, round: Option<RoundNumber>) -> Result<bool> {
        let door = self.egress.door();
        Ok(match round {
            Some(round) if self.egress.holds(&study.plan, round)? || self.egress.holds_late(&study.plan, round)? => {
                door.waits_to_send()
            }
            _ => door.waits_to_train(),
        })
    }

    /// Says once that it waits, and waits a little.
    pub(super) async fn wait_for_hours(&self, study: &Study, is_waiting: &mut bool) {
        if !std::mem::replace(is_waiting, true) {
            self.voice.say(&Event::Waiting {
                study: study.plan.study.clone(),
            });
        }
        tokio::time::sleep(MEND_PAUSE).await;
    }

    /// Waits for the hours in which something may leave.
    pub(super) async fn until_it_may_leave(&self, study: &Study) {
        let mut is_waiting = false;
        while self.egress.door().waits_to_send() {
            self.wait_for_hours(study, &mut is_waiting).await;
        }
    }

    /// Waits for the hours in which something may be trained.
    pub(super) async fn until_it_may_train(&self, study: &Study) {
        let mut is_waiting = false;
        while self.egress.door().waits_to_train() {
            self.wait_for_hours(study, &mut is_waiting).await;
        }
    }
}
