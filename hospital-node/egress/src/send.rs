//! Send: announce, then chunk by chunk from where the aggregator stands, until there is a receipt.

use std::time::Duration;

use snowball_ledger::Entry;
use snowball_policy::Clause;
use snowball_protocol::{
    ProblemCode, StudyPlan,
    limits::UPLOAD_CHUNK_BYTES_MAX,
    plan::Late,
    receipt::SignedReceipt,
    update::{UpdateHeader, UploadState},
};

use crate::{
    door::Door,
    error::EgressError,
    message,
    outbox::Outbox,
    progress::{Direction, Meter},
    record::ApprovedUpdate,
    residuals::Residuals,
};

const PAUSE_MILLISECONDS_MIN: u64 = 100;
const PAUSE_MILLISECONDS_MAX: u64 = 15_000;

/// Sends until there is a receipt or a refusal. A broken line is waited out: the caller drops this future to stop earlier.
pub(crate) async fn send(
    door: &Door,
    (outbox, residuals): (&Outbox, &Residuals),
    plan: &StudyPlan,
    update: ApprovedUpdate,
) -> Result<SignedReceipt, EgressError> {
    let mut pause = PAUSE_MILLISECONDS_MIN;
    loop {
        match attempt(door, &update).await {
            Ok(receipt) => {
                return keep(door, (outbox, residuals), plan, (&update.header, receipt));
            }
            Err(fault) => match fate(&fault, plan.rounds.late) {
                Fate::Again => {
                    tracing::warn!(study = %update.header.study, round = %update.header.round, %fault, "sending goes on soon");
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    pause = (pause * 2).min(PAUSE_MILLISECONDS_MAX);
                }
                Fate::Waits => return Err(fault),
                Fate::Over => {
                    residuals.reject(plan, update.header.digest)?;
                    outbox.forget(&update.header.study, update.header.round)?;
                    return Err(fault);
                }
            },
        }
    }
}

/// Writes the receipt down, and forgets what waited for it.
pub(crate) fn keep(
    door: &Door,
    (outbox, residuals): (&Outbox, &Residuals),
    plan: &StudyPlan,
    (header, receipt): (&UpdateHeader, SignedReceipt),
) -> Result<SignedReceipt, EgressError> {
    check(door, header, &receipt)?;
    door.record(Entry::ReceiptKept {
        receipt: receipt.clone(),
    })?;
    // Before the update is forgotten: until then it would be announced again after a crash, and settled then.
    residuals.settle(plan, header.digest)?;
    outbox.forget(&header.study, header.round)?;
    Ok(receipt)
}

/// What a fault means for an update that was recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// It is sent again soon.
    Again,
    /// It waits in the outbox, to leave another time as it is. One that was trained anew would be another update under the
    /// same number, which the aggregator refuses.
    Waits,
    /// It never counts.
    Over,
}

/// Whether an update that met this fault never counts.
pub(crate) const fn is_over(fault: &EgressError, late: Late) -> bool {
    matches!(fate(fault, late), Fate::Over)
}

const fn fate(fault: &EgressError, late: Late) -> Fate {
    match fault {
        // It may count in the round that is open.
        EgressError::Refused(problem)
            if matches!(problem.code, ProblemCode::RoundClosed) && matches!(late, Late::Fold { .. }) =>
        {
            Fate::Waits
        }
        EgressError::Refused(problem) if says_where_to_go_on(problem.code) => Fate::Again,
        _ if fault.is_transient() => Fate::Again,
        EgressError::Refused(_) | EgressError::Unfit { .. } | EgressError::HeadRefused { .. } => Fate::Over,
        _ => Fate::Waits,
    }
}

/// An offset that does not fit means that the aggregator restarted and stands elsewhere, a missing head that an older one came
/// late, after a newer one: announcing again behind a new head tells where to go on.
const fn says_where_to_go_on(code: ProblemCode) -> bool {
    matches!(code, ProblemCode::OffsetMismatch | ProblemCode::LedgerHeadMissing)
}

async fn attempt(door: &Door, update: &ApprovedUpdate) -> Result<SignedReceipt, EgressError> {
    let header = &update.header;
    // The aggregator takes an update only after a signed head that holds its record.
    let announcement = message::update_header(header);
    door.exchange_heads_before(Some(&announcement)).await?;
    let mut state: UploadState = door.transport.post(&announcement.path, &announcement.body).await?;
    let mut meter = Meter::new(header.study.clone(), header.round, Direction::Sending, header.bytes);
    loop {
        door.tell(&mut meter, state.offset);
        if let Some(receipt) = state.receipt {
            return Ok(receipt);
        }
        stands(door)?;
        let from = usize::try_from(state.offset).unwrap_or(usize::MAX);
        if from >= update.bytes.len() {
            return Err(EgressError::Answer {
                reason: "it holds all bytes and gives no receipt".to_owned(),
            });
        }
        let chunk = usize::try_from(state.chunk_bytes_max)
            .unwrap_or(usize::MAX)
            .clamp(1, UPLOAD_CHUNK_BYTES_MAX);
        let chunk = door.transport.turn_to_send(chunk.min(update.bytes.len() - from)).await;
        // The wait may have been long.
        stands(door)?;
        let to = from + chunk;
        let chunk = message::chunk(&state.upload.0, from, update.bytes.slice(from..to));
        let next: UploadState = door.transport.patch(&chunk.path, chunk.body.into_bytes()).await?;
        if next.receipt.is_none() && next.offset <= state.offset {
            return Err(EgressError::Answer {
                reason: "an upload that does not move".to_owned(),
            });
        }
        state = next;
    }
}

/// A long transfer stops between two pieces where the policy was taken away or the hours for sending are over.
fn stands(door: &Door) -> Result<(), EgressError> {
    let policy = (door.read_policy)();
    let (clause, reason, remedy) = match &policy {
        Err(fault) => (Clause::Policy, fault.reason(), fault.remedy()),
        Ok(signed) if !signed.policy.is_hour_for_sending((door.clock)()) => (
            Clause::HoursSending,
            "the hours for sending were over before everything had left".to_owned(),
            "wait: the rest leaves by itself when they begin again",
        ),
        Ok(_) => return Ok(()),
    };
    Err(EgressError::Denied {
        clause,
        reason,
        remedy: remedy.to_owned(),
        public_words: format!("the site's policy does not permit it by its clause {clause}"),
    })
}

/// A receipt counts only if it is signed by the enrolment's aggregator and says what was sent.
fn check(door: &Door, header: &UpdateHeader, signed: &SignedReceipt) -> Result<(), EgressError> {
    let receipt = &signed.receipt;
    let is_signed = signed
        .signature
        .parse()
        .is_ok_and(|signature| door.aggregator_key.verify(&receipt.signed_bytes(), &signature).is_ok());
    if receipt.is_for(header, &door.site) && is_signed {
        Ok(())
    } else {
        Err(EgressError::Answer {
            reason: "the receipt is not for this update or not signed by the aggregator".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::Problem;

    use super::*;

    #[test]
    fn only_what_the_aggregator_refused_is_over_and_what_somebody_can_mend_waits_as_it_is() {
        let fate = |fault: &EgressError| super::fate(fault, Late::Drop);
        let refused = |code| fate(&EgressError::Refused(Problem::new(code, "")));
        let closed = EgressError::Refused(Problem::new(ProblemCode::RoundClosed, ""));
        assert_eq!(super::fate(&closed, Late::Fold { rounds: 1 }), Fate::Waits);
        for code in [
            ProblemCode::Busy,
            ProblemCode::Internal,
            ProblemCode::OffsetMismatch,
            ProblemCode::LedgerHeadMissing,
        ] {
            assert_eq!(refused(code), Fate::Again, "{code:?}");
        }
        for code in [
            ProblemCode::RoundClosed,
            ProblemCode::AlreadyContributed,
            ProblemCode::NormExceeded,
            ProblemCode::LedgerForked,
        ] {
            assert_eq!(refused(code), Fate::Over, "{code:?}");
        }
        let reason = String::new;
        assert_eq!(fate(&EgressError::Unreachable { reason: reason() }), Fate::Again);
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let mendable = [
            EgressError::Outbox {
                path: "outbox".into(),
                source: full,
            },
            EgressError::Answer { reason: reason() },
            EgressError::Stranger {
                reason: reason(),
                remedy: "",
            },
            EgressError::Denied {
                clause: Clause::Policy,
                reason: reason(),
                remedy: reason(),
                public_words: reason(),
            },
        ];
        for fault in mendable {
            assert_eq!(fate(&fault), Fate::Waits, "{fault}");
        }
        assert_eq!(fate(&EgressError::HeadRefused { reason: reason() }), Fate::Over);
    }
}
