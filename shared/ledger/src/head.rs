//! Where a ledger stands.

use serde::{Deserialize, Serialize};
use snowball_protocol::Sha256Digest;

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

/// The rule for names of sites, which `aggregator` keeps too: 1 to 63 lower-case letters, digits or hyphens.
pub(crate) fn is_owner(text: &str) -> bool {
    text.parse::<snowball_protocol::SiteName>().is_ok()
}
