//! What a site does next in a study, decided without a clock, a file, a socket or a runtime: from what the aggregator asks and
//! what the site holds to one action.
//!
//! The node's driver carries the actions out; the simulation in `tests` carries out the very same ones over a network that
//! loses and repeats. No decision about a site's part in a study may be taken anywhere else.
//!
//! Start at [`interest`] (whether a study concerns this site), then [`next`] (what a task leads to).
#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::collections::BTreeSet;

use snowball_protocol::{
    RoundNumber,
    plan::Late,
    session::{ControlReference, ModelReference, PhaseName, StudySummary, Task},
};

/// What to do about a study that the aggregator lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interest {
    /// Take part, if the policy permits it.
    Join,
    /// Go on where this site was.
    Follow,
    /// The study is over: only what was signed about its rounds while this site was off is still asked for.
    Remember,
    /// Nothing to do here.
    Ignore,
}

/// Whether a listed study concerns this site.
#[must_use]
pub const fn interest(summary: &StudySummary) -> Interest {
    match (summary.phase, summary.joined) {
        (PhaseName::Released | PhaseName::Abandoned, true) => Interest::Remember,
        (PhaseName::Draft | PhaseName::Released | PhaseName::Abandoned, _) | (PhaseName::Reviewing, false) => {
            Interest::Ignore
        }
        (_, true) => Interest::Follow,
        (_, false) => Interest::Join,
    }
}

/// What this site has done in a study since it started.
#[derive(Clone, Default, Debug)]
pub struct Progress {
    /// The round of the last update that was settled: taken in, refused or not permitted.
    pub settled: Option<RoundNumber>,
    /// Whether the final model was evaluated.
    pub evaluated: bool,
}

/// Why a round brought this site no receipt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The aggregator refused.
    Refused,
    /// The update is not fit to leave.
    Unfit,
    /// The aggregator's ledger contradicts the head of it that this site keeps.
    HeadRefused,
    /// Anything else, which somebody may mend: the policy, the trainer, the disk.
    Mendable,
}

/// Whether a round in which something went wrong is over for this site.
///
/// What the aggregator refused, or what is not fit to be sent, would be the same another time. A policy can be installed, a
/// trainer mended: those rounds are tried again for as long as the aggregator asks.
#[must_use]
pub const fn is_settled(fault: Fault) -> bool {
    matches!(fault, Fault::Refused | Fault::Unfit | Fault::HeadRefused)
}

/// What becomes of the parameters that a site keeps for itself, where they belong to an update of which nobody here saw how it
/// ended: a crash came in between, or it was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeptParameters {
    /// The update counts: the next round begins with them.
    Settle,
    /// The update may count: it is sent again as that of the round that it lies in the outbox for, and the answer decides.
    Send(RoundNumber),
    /// The update never counts: the next round begins with those before.
    Drop,
}

/// Decides it; `waiting` is the round that the update lies in the outbox for. Before an update is sent it lies there, and it lies there
/// until the ledger has its receipt or it was refused.
#[must_use]
pub const fn kept_parameters(has_receipt: bool, waiting: Option<RoundNumber>) -> KeptParameters {
    match (has_receipt, waiting) {
        (true, _) => KeptParameters::Settle,
        (false, Some(round)) => KeptParameters::Send(round),
        (false, None) => KeptParameters::Drop,
    }
}

/// What a round is trained from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Start {
    /// The round's model.
    pub model: ModelReference,
    /// Under SCAFFOLD: the control variate of all sites; none where all begin at zero.
    pub control: Option<ControlReference>,
}

/// One thing to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Ask again.
    Ask,
    /// Ask again after a pause: the answer did not change and did not wait.
    Pause,
    /// Send the update of this round that is in the outbox, else train from `start` and send.
    Contribute {
        /// Which round.
        round: RoundNumber,
        /// From what.
        start: Start,
    },
    /// Evaluate the final model and say how good it is.
    Evaluate {
        /// Which model.
        model: ModelReference,
    },
    /// The study is over for this site.
    Leave {
        /// How it ended.
        phase: PhaseName,
        /// The final model, if there is one.
        model: Option<ModelReference>,
    },
}

/// The last round that made a model, as far as a task tells.
#[must_use]
pub const fn ended(task: &Task) -> Option<RoundNumber> {
    match task {
        Task::Train { model, .. } | Task::Evaluate { model } | Task::Done { model: Some(model), .. } => {
            Some(model.round)
        }
        Task::Wait { .. } | Task::Done { model: None, .. } => None,
    }
}

/// What to do about a task. A round that was settled here is never trained again, whatever the aggregator asks.
#[must_use]
pub fn next(task: Task, progress: &Progress) -> Action {
    match task {
        Task::Wait { .. } => Action::Ask,
        Task::Train { round, .. } if progress.settled >= Some(round) => Action::Pause,
        Task::Train {
            round, model, control, ..
        } => Action::Contribute {
            round,
            start: Start { model, control },
        },
        Task::Evaluate { .. } if progress.evaluated => Action::Pause,
        Task::Evaluate { model } => Action::Evaluate { model },
        Task::Done { phase, model } => Action::Leave { phase, model },
    }
}

/// What to do about updates of earlier rounds that wait in the outbox, before a round is trained.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waiting {
    /// Send the update of this round as it is: it may have counted, and a crash kept its receipt from being heard.
    Ask(RoundNumber),
    /// Its own round is over: send it for the round that is open.
    Bring(RoundNumber),
    /// Forget those that are left, and train.
    Nothing,
}

/// What to do about the updates of the earlier rounds `held`, in order. `closed` are those whose round the aggregator has said to be
/// over.
#[must_use]
pub fn waiting(held: &[RoundNumber], closed: &BTreeSet<RoundNumber>, late: Late) -> Waiting {
    if let Some(unasked) = held.iter().find(|round| !closed.contains(round)) {
        return Waiting::Ask(*unasked);
    }
    match (held.last(), late) {
        (Some(newest), Late::Fold { .. }) => Waiting::Bring(*newest),
        _ => Waiting::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::Sha256Digest;

    use super::*;

    fn train(round: u32) -> Task {
        let digest = Sha256Digest::of(b"model");
        let model = ModelReference {
            round: RoundNumber(round - 1),
            digest,
            bytes: 4,
            layout_digest: digest,
        };
        Task::Train {
            round: RoundNumber(round),
            model,
            deadline: 0,
            control: None,
        }
    }

    #[test]
    fn a_settled_round_is_not_trained_again_and_a_new_one_is() {
        let mut progress = Progress::default();
        assert!(matches!(
            next(train(1), &progress),
            Action::Contribute {
                round: RoundNumber(1),
                ..
            }
        ));
        progress.settled = Some(RoundNumber(1));
        assert_eq!(next(train(1), &progress), Action::Pause);
        assert!(matches!(
            next(train(2), &progress),
            Action::Contribute {
                round: RoundNumber(2),
                ..
            }
        ));
    }

    #[test]
    fn what_waits_is_asked_about_first_and_the_newest_brought_where_the_plan_says_so() {
        let held = [RoundNumber(2), RoundNumber(4)];
        let closed = |rounds: &[u32]| rounds.iter().copied().map(RoundNumber).collect::<BTreeSet<_>>();
        let fold = Late::Fold { rounds: 1 };
        assert_eq!(waiting(&held, &closed(&[]), fold), Waiting::Ask(RoundNumber(2)));
        assert_eq!(waiting(&held, &closed(&[2]), Late::Drop), Waiting::Ask(RoundNumber(4)));
        assert_eq!(waiting(&held, &closed(&[2, 4]), fold), Waiting::Bring(RoundNumber(4)));
        assert_eq!(waiting(&held, &closed(&[2, 4]), Late::Drop), Waiting::Nothing);
        assert_eq!(waiting(&[], &closed(&[]), fold), Waiting::Nothing);
    }

    #[test]
    fn what_somebody_can_mend_is_tried_again() {
        assert!(
            [Fault::Refused, Fault::Unfit, Fault::HeadRefused]
                .into_iter()
                .all(is_settled)
        );
        assert!(!is_settled(Fault::Mendable));
    }

    #[test]
    fn what_belongs_to_an_update_that_may_count_is_not_thrown_away() {
        let waiting = Some(RoundNumber(3));
        assert_eq!(kept_parameters(true, waiting), KeptParameters::Settle);
        assert_eq!(kept_parameters(true, None), KeptParameters::Settle);
        assert_eq!(kept_parameters(false, waiting), KeptParameters::Send(RoundNumber(3)));
        assert_eq!(kept_parameters(false, None), KeptParameters::Drop);
    }

    #[test]
    fn studies_that_are_over_or_not_begun_are_ignored() {
        let summary = |phase, joined| StudySummary {
            study: "s".parse().unwrap(),
            plan_digest: Sha256Digest::of(b"plan"),
            phase,
            round: RoundNumber(0),
            joined,
            paused: false,
        };
        assert_eq!(interest(&summary(PhaseName::Draft, false)), Interest::Ignore);
        assert_eq!(interest(&summary(PhaseName::Recruiting, false)), Interest::Join);
        assert_eq!(interest(&summary(PhaseName::Collecting, false)), Interest::Join);
        assert_eq!(interest(&summary(PhaseName::Collecting, true)), Interest::Follow);
        assert_eq!(interest(&summary(PhaseName::Reviewing, false)), Interest::Ignore);
        assert_eq!(interest(&summary(PhaseName::Abandoned, false)), Interest::Ignore);
        for over in [PhaseName::Released, PhaseName::Abandoned] {
            assert_eq!(interest(&summary(over, true)), Interest::Remember);
        }
    }
}
