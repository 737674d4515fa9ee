//! What moves a study, and what a study asks to have done.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use snowball_protocol::{RoundNumber, Sha256Digest, SiteName, ids::UnixSeconds, session::ControlReference};

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The coordinator starts the study; the initial model is durable.
    Started {
        /// Digest of the initial model.
        model: Sha256Digest,
    },
    /// A site joined. Again by the same site: nothing changes.
    Joined {
        /// Which site.
        site: SiteName,
    },
    /// A site left, or was revoked. What it has given to the round under way counts; nobody waits for it any more.
    Left {
        /// Which site.
        site: SiteName,
    },
    /// An update passed the intake.
    UpdateAdmitted {
        /// Whose.
        site: SiteName,
        /// For which round.
        round: RoundNumber,
        /// Training examples that it counts with.
        examples: u64,
        /// By how many rounds the model that it was trained from is older than the round's.
        #[serde(default)]
        behind: u32,
    },
    /// Time has passed.
    Tick,
    /// The model of a closed round is durable.
    Aggregated {
        /// Which round.
        round: RoundNumber,
        /// Digest of the new global model.
        model: Sha256Digest,
        /// The control variate that goes with it, durable as well, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        control: Option<ControlReference>,
    },
    /// A site answered for the final model, with numbers or without.
    Evaluated {
        /// Which site.
        site: SiteName,
    },
    /// The coordinator signed the release.
    ReleaseSigned {
        /// Digest of the released file.
        release: Sha256Digest,
    },
    /// The coordinator has the study rest.
    Paused {
        /// Why, for people.
        reason: String,
    },
    /// The coordinator has it go on.
    Resumed,
    /// The coordinator ends the study.
    Aborted {
        /// Why, for people.
        reason: String,
    },
}

/// What is to be done now that the phase is durable. Each may be carried out twice without harm.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Sites may join.
    OpenRecruiting {
        /// When the study is abandoned without its quorum.
        closes: UnixSeconds,
    },
    /// A round begins.
    OpenRound {
        /// Which.
        round: RoundNumber,
        /// The model that it starts from.
        model: Sha256Digest,
        /// Who takes part.
        sites: BTreeSet<SiteName>,
        /// When it closes, if it has its quorum.
        deadline: UnixSeconds,
    },
    /// A round had no quorum at its deadline and stays open. Sites that were waiting for the next one take part now.
    ExtendRound {
        /// Which.
        round: RoundNumber,
        /// The new deadline.
        deadline: UnixSeconds,
        /// How often it was extended, this time included.
        extensions: u32,
    },
    /// A round is closed: fold the contributors' updates, make the new model durable, then [`Event::Aggregated`].
    CloseRound {
        /// Which.
        round: RoundNumber,
        /// Whose updates count.
        contributors: BTreeSet<SiteName>,
        /// Who took part and sent nothing.
        silent: BTreeSet<SiteName>,
    },
    /// The final model goes to the sites for evaluation.
    OpenReview {
        /// The final model.
        model: Sha256Digest,
        /// When the review goes on without those who have not answered.
        deadline: UnixSeconds,
    },
    /// The final evaluation is over; the coordinator may sign a release.
    CloseReview {
        /// Who answered.
        evaluated: BTreeSet<SiteName>,
        /// Who did not.
        silent: BTreeSet<SiteName>,
    },
    /// No site is asked for anything until further notice.
    Pause {
        /// Why, for people.
        reason: String,
    },
    /// The study goes on where it rested.
    Resume,
    /// The study ended with a release.
    Finish {
        /// Digest of the released file.
        release: Sha256Digest,
    },
    /// The study ended without one.
    Abandon {
        /// Why, for people.
        reason: String,
    },
}
