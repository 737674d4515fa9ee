//! What happened in the aggregator's store, in order, as the invariants look at it.

use snowball_protocol::{Attempt, RoundNumber, SiteName, ids::UnixSeconds, receipt::Receipt};
use snowball_rounds::Phase;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Fact {
    /// A site was shut out.
    Revoked {
        /// Which.
        site: SiteName,
    },
    /// An update counts from now on.
    Admitted {
        /// Whose.
        site: SiteName,
        /// In which round.
        round: RoundNumber,
        /// Which try.
        attempt: Attempt,
    },
    /// The study came to another phase.
    Moved {
        /// Where it stood.
        before: Box<Phase>,
        /// Where it stands.
        after: Box<Phase>,
        /// By the clock of whoever moved it.
        now: UnixSeconds,
    },
    /// The model of a round is written down.
    ModelMade {
        /// Which round.
        round: RoundNumber,
    },
    /// A receipt was handed to the network.
    ReceiptGiven {
        /// What it says.
        receipt: Box<Receipt>,
    },
}
