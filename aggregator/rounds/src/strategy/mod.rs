//! How updates become a model, over flat slices of parameters.
//!
//! Mean-type strategies fold each update into a running sum; memory does not grow with the number of sites.

mod comparison;
mod fedavg;
mod floats;
#[cfg(test)]
mod properties;

pub use comparison::Comparison;
pub use fedavg::{FedAvg, Fold};
pub(crate) use floats::{FloatBytes, SquareSum};
use snowball_protocol::SiteName;

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
    /// A fold was broken off in the middle.
    #[error("a fold was broken off; the sum must be made again from the files")]
    Spoilt,
}
