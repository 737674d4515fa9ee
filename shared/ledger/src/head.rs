//! Where a ledger stands.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use snowball_protocol::{ProblemCode, Sha256Digest};

/// How many records a ledger has and the hash of the last: who keeps it can tell later whether history was rewritten.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Whose ledger: a site's name, or `aggregator`.
    pub owner: String,
    /// How many records.
    pub entries: u64,
    /// Hash of the last record; of an empty ledger, its beginning.
    pub hash: Sha256Digest,
}

impl Head {
    /// What this head says about the ledger whose head was `kept` before. Between two sizes only the records themselves
    /// show whether one continues the other: the check of a whole ledger does.
    #[must_use]
    pub fn course(&self, kept: &Self) -> Course {
        match self.entries.cmp(&kept.entries) {
            Ordering::Greater => Course::Grown,
            Ordering::Equal if self.hash == kept.hash => Course::Same,
            Ordering::Equal => Course::Forked,
            Ordering::Less => Course::Rewound,
        }
    }

    /// The head of an empty ledger. Its hash names the owner, so no record of one ledger continues another.
    pub(crate) fn beginning(owner: &str) -> Self {
        let hash = Sha256Digest::of(format!("snowball ledger beginning v1\n{owner}\n").as_bytes());
        Self {
            owner: owner.to_owned(),
            entries: 0,
            hash,
        }
    }
}

/// How a ledger's head stands to one that was kept before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Course {
    /// The very same.
    Same,
    /// More records.
    Grown,
    /// Fewer records: the tail was cut, or an older copy was put back.
    Rewound,
    /// As many records and another last one: there are two histories.
    Forked,
}

impl Course {
    /// The code of what an honest ledger never does.
    #[must_use]
    pub const fn refusal(self) -> Option<ProblemCode> {
        match self {
            Self::Same | Self::Grown => None,
            Self::Rewound => Some(ProblemCode::LedgerRewound),
            Self::Forked => Some(ProblemCode::LedgerForked),
        }
    }
}

/// The rule for names of sites, which `aggregator` keeps too: 1 to 63 lower-case letters, digits or hyphens.
pub(crate) fn is_owner(text: &str) -> bool {
    text.parse::<snowball_protocol::SiteName>().is_ok()
}
