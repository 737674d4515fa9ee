//! How updates become a model, over flat slices of parameters, in steps that any plan may put together: each update is shortened
//! to a bound, the updates are combined, the server's optimiser moves the model.
//!
//! Means fold each update into a running sum as it comes; memory does not grow with the number of sites. The others look at the
//! updates when the round ends, a stretch of parameters at a time, so that memory is bounded, too. Start at [`RoundEnd`].

mod columns;
#[cfg(test)]
mod compositions;
mod distances;
mod gram;
#[cfg(test)]
mod properties;
mod round_end;
mod running_mean;
mod scaffold;
mod server;
mod squares;
mod weight;

pub use gram::Gram;
pub use round_end::{Looked, RoundEnd, needs_distances};
pub use running_mean::{Fold, RunningMean};
pub use scaffold::{ControlStep, next_control};
pub use server::initial_state;
use snowball_encoding::DecodeFault;
use snowball_protocol::SiteName;
pub(crate) use squares::SquareSum;

/// Why updates did not become a model. No fault of one update gets here: the intake refuses those.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StrategyFault {
    /// More or fewer numbers than the network has parameters.
    #[error("an update or a model has another number of parameters than the network")]
    WrongLength,
    /// A number beyond the bound that the intake checked.
    #[error("an admitted update holds a number beyond the plan's norm")]
    OutOfBounds,
    /// The numbers are not those that the intake saw.
    #[error("an admitted update has changed since it was checked")]
    ChangedOnDisk,
    /// The bytes do not decode, although those that the intake saw did.
    #[error("an admitted update does not decode any more: {0}")]
    Undecodable(#[from] DecodeFault),
    /// The same site a second time.
    #[error("{site} is in this round's sum already")]
    CountedTwice {
        /// Whose update.
        site: SiteName,
    },
    /// More updates than the plan allows in a round: the sum might not hold them.
    #[error("this round's sum has all the updates that the plan allows")]
    Full,
    /// Nothing was folded.
    #[error("no update was folded; there is no mean")]
    Empty,
    /// A round ends without what its rule needs to know of the updates.
    #[error("the updates were not looked at as the plan's rule needs it")]
    NotLookedAt,
    /// A fold was broken off in the middle.
    #[error("a fold was broken off; the sum must be made again from the files")]
    Spoilt,
}
