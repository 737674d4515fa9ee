//! Evidence that leaves a site or the aggregator for an auditor, and the check that an auditor makes of it.
//!
//! An *evidence folder* holds one owner's ledger with everything that its records name by digest: policies, plans,
//! receipts, round records, releases, certificates; public keys, and never a private one; digests and counts, and never a
//! value of a patient. A manifest lists every file with its digest and is signed by the owner's ledger key. `EVIDENCE.md`
//! beside this crate describes it for whoever writes another auditor.
//!
//! The check needs nothing but the folders of all parties and the public keys, written down out of band. It opens no
//! connection, asks no clock and changes nothing. It must never trust a folder because another one says so: each statement
//! is held against what the other side signed.
//!
//! Start at [`Export`] to write a folder and at [`audit()`] to check several.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod aggregator;
mod check;
mod controls;
mod cross;
mod decisions;
mod documents;
#[cfg(test)]
mod documents_tests;
mod export;
mod finding;
mod first;
mod folder;
mod heard;
mod keys;
mod ledgers;
mod manifest;
mod measurements;
mod open;
mod outcome;
mod policies;
mod releases;
mod reviews;
mod rounds;
mod site;
mod table;
#[cfg(test)]
mod testing;

pub use check::audit;
pub use documents::{
    ConsortiumFacts, EnrolmentFacts, EvaluationFacts, UpdateFacts, is_lineage_signed, lineage_signed_bytes, paths,
};
pub use export::{Export, ExportError, Exported};
pub use finding::{Code, Finding};
pub use keys::{Keys, KeysError, SiteKeys};
pub use manifest::{Kind, ListedFile, MANIFEST_FILE, Manifest, SIGNATURE_FILE};
pub use outcome::{Area, Checked, OpenRound, Outcome};
pub use table::Table;
