//! The round machine: one type and one file a phase, from draft to released.
//!
//! ```text
//! draft -> recruiting -> collecting -> aggregating -> collecting ... -> reviewing -> released
//!              `------------- aborted, or no quorum while recruiting -------------> abandoned
//! ```
//!
//! Every phase between draft and the end may rest for a while: [`Paused`].
//!
//! No fault of one site ends a study: a round without its quorum stays open, and says so.

mod abandoned;
mod addition;
mod aggregating;
mod collecting;
mod draft;
mod event;
#[cfg(test)]
mod invariants;
mod paused;
mod recruiting;
mod released;
mod reviewing;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use snowball_protocol::{
    Problem, ProblemCode, RoundNumber, Sha256Digest, SiteName, StudyPlan,
    ids::UnixSeconds,
    session::{ControlReference, PhaseName},
};

pub use abandoned::Abandoned;
pub use addition::Addition;
pub use aggregating::Aggregating;
pub use collecting::Collecting;
pub(crate) use collecting::used_before;
pub use draft::Draft;
pub use event::{Effect, Event};
pub use paused::Paused;
pub use recruiting::Recruiting;
pub use released::Released;
pub use reviewing::Reviewing;

/// Where a study stands: the whole state of its rounds. What is serialised is what a restart goes on from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// Created, not started.
    Draft(Draft),
    /// Sites join.
    Recruiting(Recruiting),
    /// Updates of a round come in.
    Collecting(Collecting),
    /// A round's updates become the next model.
    Aggregating(Aggregating),
    /// All rounds are done; the final model is evaluated and reviewed.
    Reviewing(Reviewing),
    /// A release was signed.
    Released(Released),
    /// Resting in one of the phases before, until the coordinator has it go on.
    Paused(Paused),
    /// Ended without a release.
    Abandoned(Abandoned),
}

/// A global model, named by the round that made it (0: the initial one) and its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Model {
    /// The round that made it.
    pub round: RoundNumber,
    /// SHA-256 of its little-endian f32 bytes.
    pub digest: Sha256Digest,
    /// Under SCAFFOLD: the control variate that goes with it. Absent: it is zero, as each site's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<ControlReference>,
}

/// What one site brought to the round under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Weight {
    /// Training examples that it counts with.
    pub examples: u64,
    /// When it was admitted.
    pub received: UnixSeconds,
    /// By how many rounds the model that it was trained from is older than the round's.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub behind: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A model that an update may still be trained from, although the round that it began is over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Earlier {
    /// Digest of its bytes.
    pub model: Sha256Digest,
    /// Whose update from it has counted: no site's counts twice.
    pub used_by: BTreeSet<SiteName>,
}

/// What one site should do now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duty {
    /// Nothing yet.
    Wait,
    /// Train from `model` and send the update for `round`.
    Train {
        /// Which round.
        round: RoundNumber,
        /// From which model.
        model: Model,
        /// When the round may close without this site.
        deadline: UnixSeconds,
    },
    /// Evaluate the final model.
    Evaluate {
        /// The final model.
        model: Model,
    },
    /// The study is over for this site.
    Done {
        /// The newest model, unless there never was one.
        model: Option<Model>,
    },
}

/// What an event led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Where the study stands now.
    pub phase: Phase,
    /// What is to be done because of it, once the phase is durable.
    pub effects: Vec<Effect>,
    /// Whether the phase differs from the one before; where it does not, there is nothing to keep.
    pub changed: bool,
}

/// What a phase makes of an event: the next phase, and what is to be done.
type Next = Result<(Phase, Vec<Effect>), Problem>;

impl Phase {
    /// A study as it is created.
    #[must_use]
    pub const fn draft() -> Self {
        Self::Draft(Draft {})
    }

    /// Takes in one event at the time `now`. [`Event::Tick`] and [`Event::Left`] are never refused.
    ///
    /// # Errors
    /// When the event does not fit the phase; nothing has changed then.
    pub fn handle(&self, event: Event, now: UnixSeconds, plan: &StudyPlan) -> Result<Step, Problem> {
        let (phase, effects) = match (self.clone(), event) {
            (phase, Event::Paused { reason }) if phase.may_rest() => Paused::begin(phase, reason, now),
            (phase, event) => phase.handle_inside(event, now, plan)?,
        };
        let changed = phase != *self;
        Ok(Step {
            phase,
            effects,
            changed,
        })
    }

    fn handle_inside(self, event: Event, now: UnixSeconds, plan: &StudyPlan) -> Next {
        match self {
            Self::Draft(phase) => phase.handle(event, now, plan),
            Self::Recruiting(phase) => phase.handle(event, now, plan),
            Self::Collecting(phase) => phase.handle(event, now, plan),
            Self::Aggregating(phase) => phase.handle(event, now, plan),
            Self::Reviewing(phase) => phase.handle(event, now),
            Self::Released(phase) => phase.handle(event),
            Self::Paused(phase) => phase.handle(event, now, plan),
            Self::Abandoned(phase) => phase.handle(event),
        }
    }

    /// The phase itself, or the one that a paused study rests in.
    #[must_use]
    pub fn within(&self) -> &Self {
        match self {
            Self::Paused(phase) => &phase.within,
            phase => phase,
        }
    }

    /// Since when and why the study rests, if it does.
    #[must_use]
    pub const fn paused(&self) -> Option<&Paused> {
        match self {
            Self::Paused(phase) => Some(phase),
            _ => None,
        }
    }

    const fn may_rest(&self) -> bool {
        match self {
            Self::Recruiting(_) | Self::Collecting(_) | Self::Aggregating(_) | Self::Reviewing(_) => true,
            Self::Draft(_) | Self::Released(_) | Self::Paused(_) | Self::Abandoned(_) => false,
        }
    }

    /// The same phase with every time of it so many seconds later.
    fn later_by(self, seconds: UnixSeconds) -> Self {
        let later = |time: UnixSeconds| time.saturating_add(seconds);
        match self {
            Self::Recruiting(phase) => Self::Recruiting(Recruiting {
                opened: later(phase.opened),
                ..phase
            }),
            Self::Collecting(phase) => Self::Collecting(Collecting {
                opened: later(phase.opened),
                deadline: later(phase.deadline),
                ..phase
            }),
            Self::Aggregating(phase) => Self::Aggregating(Aggregating {
                opened: later(phase.opened),
                closed: later(phase.closed),
                ..phase
            }),
            Self::Reviewing(phase) => Self::Reviewing(Reviewing {
                opened: later(phase.opened),
                deadline: later(phase.deadline),
                closed: phase.closed.map(later),
                ..phase
            }),
            phase @ (Self::Draft(_) | Self::Released(_) | Self::Paused(_) | Self::Abandoned(_)) => phase,
        }
    }

    /// The phase's name, as the protocol has it.
    #[must_use]
    pub fn name(&self) -> PhaseName {
        match self {
            Self::Draft(_) => PhaseName::Draft,
            Self::Recruiting(_) => PhaseName::Recruiting,
            Self::Collecting(_) => PhaseName::Collecting,
            Self::Aggregating(_) => PhaseName::Aggregating,
            Self::Reviewing(_) => PhaseName::Reviewing,
            Self::Released(_) => PhaseName::Released,
            Self::Paused(phase) => phase.within.name(),
            Self::Abandoned(_) => PhaseName::Abandoned,
        }
    }

    /// The round under way, or the last one; 0 before the first.
    #[must_use]
    pub fn round(&self) -> RoundNumber {
        match self {
            Self::Draft(_) | Self::Recruiting(_) => RoundNumber(0),
            Self::Collecting(phase) => phase.round,
            Self::Aggregating(phase) => phase.round,
            Self::Reviewing(phase) => phase.model.round,
            Self::Released(phase) => phase.model.round,
            Self::Paused(phase) => phase.within.round(),
            Self::Abandoned(phase) => phase.round,
        }
    }

    /// The newest global model: what the round under way starts from, or the final one.
    #[must_use]
    pub fn model(&self) -> Option<Model> {
        match self {
            Self::Draft(_) => None,
            Self::Recruiting(phase) => Some(phase.model),
            Self::Collecting(phase) => Some(phase.model),
            Self::Aggregating(phase) => Some(phase.model),
            Self::Reviewing(phase) => Some(phase.model),
            Self::Released(phase) => Some(phase.model),
            Self::Paused(phase) => phase.within.model(),
            Self::Abandoned(phase) => phase.model,
        }
    }

    /// Everybody who has joined and not left, those who wait for the next round too. Empty once the study is over.
    #[must_use]
    pub fn members(&self) -> BTreeSet<SiteName> {
        match self {
            Self::Draft(_) | Self::Released(_) | Self::Abandoned(_) => BTreeSet::new(),
            Self::Recruiting(phase) => phase.sites.clone(),
            Self::Collecting(phase) => phase.sites.union(&phase.waiting).cloned().collect(),
            Self::Aggregating(phase) => phase.sites.clone(),
            Self::Reviewing(phase) => phase.sites.clone(),
            Self::Paused(phase) => phase.within.members(),
        }
    }

    /// Whether `site` has joined and not left.
    #[must_use]
    pub fn is_member(&self, site: &SiteName) -> bool {
        match self {
            Self::Draft(_) | Self::Released(_) | Self::Abandoned(_) => false,
            Self::Recruiting(phase) => phase.sites.contains(site),
            Self::Collecting(phase) => phase.sites.contains(site) || phase.waiting.contains(site),
            Self::Aggregating(phase) => phase.sites.contains(site),
            Self::Reviewing(phase) => phase.sites.contains(site),
            Self::Paused(phase) => phase.within.is_member(site),
        }
    }

    /// Whether an update of `site` counts in the round under way.
    #[must_use]
    pub fn has_contributed(&self, site: &SiteName) -> bool {
        self.contributions().contains_key(site)
    }

    /// Who has contributed to the round under way; empty where none is.
    #[must_use]
    pub fn contributions(&self) -> &BTreeMap<SiteName, Weight> {
        static NONE: BTreeMap<SiteName, Weight> = BTreeMap::new();
        match self {
            Self::Collecting(phase) => &phase.contributions,
            Self::Aggregating(phase) => &phase.contributions,
            Self::Paused(phase) => phase.within.contributions(),
            _ => &NONE,
        }
    }

    /// What `site` should do now. A stranger waits: joining is its own request.
    #[must_use]
    pub fn duty(&self, site: &SiteName) -> Duty {
        match self {
            Self::Draft(_) | Self::Recruiting(_) | Self::Aggregating(_) | Self::Paused(_) => Duty::Wait,
            Self::Collecting(phase) => phase.duty(site),
            Self::Reviewing(phase) => phase.duty(site),
            Self::Released(phase) => Duty::Done {
                model: Some(phase.model),
            },
            Self::Abandoned(phase) => Duty::Done { model: phase.model },
        }
    }

    /// When time alone may next move this study: an [`Event::Tick`] then, or later, is due. `None`: only events can.
    #[must_use]
    pub fn next_wake(&self, plan: &StudyPlan) -> Option<UnixSeconds> {
        match self {
            Self::Recruiting(phase) => Some(phase.next_wake(plan)),
            Self::Collecting(phase) => Some(phase.next_wake(plan)),
            Self::Reviewing(phase) => phase.next_wake(),
            Self::Draft(_) | Self::Aggregating(_) | Self::Released(_) | Self::Paused(_) | Self::Abandoned(_) => None,
        }
    }

    /// The effect that whoever starts up in this phase has to carry out again, if any: a round that closed and whose
    /// model may not have been made.
    #[must_use]
    pub fn resume(&self) -> Option<Effect> {
        match self {
            Self::Aggregating(phase) => Some(phase.close_round()),
            Self::Paused(phase) => phase.within.resume(),
            _ => None,
        }
    }
}

/// `time` and some seconds of a plan.
fn after(time: UnixSeconds, seconds: u32) -> UnixSeconds {
    time.saturating_add(UnixSeconds::from(seconds))
}

/// Whether a count of a plan is reached.
fn reaches(count: usize, bound: u32) -> bool {
    count >= usize::try_from(bound).unwrap_or(usize::MAX)
}

/// An event that `phase` has no place for.
fn misplaced(event: &Event, phase: &'static str) -> Problem {
    let (code, what) = match event {
        Event::Started { .. } => (ProblemCode::StudyClosed, "cannot be started"),
        Event::Joined { .. } => (ProblemCode::StudyClosed, "takes no new sites"),
        Event::UpdateAdmitted { .. } => (ProblemCode::RoundClosed, "takes no updates"),
        Event::Aggregated { .. } => (ProblemCode::RoundClosed, "has no round to finish"),
        Event::Evaluated { .. } => (ProblemCode::StudyClosed, "takes no final evaluation"),
        Event::ReleaseSigned { .. } => (ProblemCode::StudyClosed, "cannot be released"),
        Event::Paused { .. } => (ProblemCode::StudyClosed, "cannot be paused"),
        Event::Resumed => (ProblemCode::StudyClosed, "is not paused and cannot be resumed"),
        Event::Aborted { .. } => (ProblemCode::StudyClosed, "cannot be aborted"),
        Event::Left { .. } | Event::Tick => (ProblemCode::Internal, "takes no such event"),
    };
    Problem::new(code, format!("the study {what} while {phase}"))
}

/// The refusal of a site that is one too many.
fn full(plan: &StudyPlan) -> Problem {
    Problem::new(
        ProblemCode::StudyClosed,
        format!("the study takes at most {} sites", plan.rounds.sites.max),
    )
    .with_remedy("ask the coordinator whether a place is free")
}

/// The refusal of a site that has not joined.
fn not_joined(site: &SiteName) -> Problem {
    Problem::new(ProblemCode::NotJoined, format!("{site} has not joined this study"))
}
