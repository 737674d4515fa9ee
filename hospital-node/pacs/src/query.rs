//! Query and retrieve as its user (PS3.4 annex C): what of a day the archive has, and would it send it.
//!
//! Study root, hierarchical, day by day: every archive offers that much. C-MOVE has the archive send to our own [`receive`]; with
//! C-GET the objects come back on the same association, where an archive offers it.
//!
//! [`receive`]: crate::receive

mod connect;
mod find;
mod retrieve;

#[cfg(test)]
pub(crate) use connect::Proposal;
pub use connect::{Archive, Archived};
pub use find::Series;
pub use retrieve::{Moved, Wanted};
