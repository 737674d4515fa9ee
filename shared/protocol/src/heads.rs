//! The heads of both ledgers, exchanged: who keeps the other's signed head finds out when its history is cut or rewritten.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `POST /v1/heads`: the site shows where its ledger stands. Before every update, when it connects, and when a study ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeadsOffer {
    /// The signed head of the site's ledger: a C2SP signed note.
    pub site_head: String,
}

/// Answer to [`HeadsOffer`], once the aggregator has written the site's head into its own ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeadsAnswer {
    /// The site's note with the aggregator's cosignature below.
    pub site_head: String,
    /// The signed head of the aggregator's ledger, which holds the site's by now.
    pub aggregator_head: String,
}
