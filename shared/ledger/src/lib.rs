//! The ledger: what a hospital's node or the aggregator did, written down so that nobody can change it unseen.
//!
//! A ledger is a folder with a file of records (and archives of older ones), each hashed together with its predecessor, and a checkpoint that is
//! signed with the owner's key. Whoever has the public key can check both offline; `FORMAT.md` beside this crate says
//! how, without reading any of this code.
//!
//! What it can not do alone: an owner who holds the key can write another history, and whoever can write the folder
//! can put back an older state of all its files. Both come to light where the other side kept a later head; that is why
//! heads travel with updates and receipts.
//!
//! This crate reads no clock and no network, and an entry never holds a value of a patient. Start at [`Ledger`] to
//! write, at [`verify()`] to check, at [`Entry`] for what can be written down.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod chain;
mod checkpoint;
mod describe;
mod entry;
mod error;
mod fault;
mod files;
mod filter;
mod head;
mod kept;
mod ledger;
mod lines;
mod note;
mod read;
mod record;
mod recover;
mod rotate;
mod segment;
mod verify;

pub use entry::Entry;
pub use error::LedgerError;
pub use fault::VerifyError;
pub use files::{ARCHIVE_FOLDER, CHECKPOINT_FILE, NEXT_CHECKPOINT_FILE, NEXT_RECORDS_FILE, RECORDS_FILE};
pub use filter::Filter;
pub use head::{Course, Head};
pub use kept::{KeptHeads, kept_heads};
pub use ledger::{AtRest, Ledger};
pub use note::{NOTE_BYTES_MAX, SignedHead};
pub use read::{Records, read, records, records_at_hand};
pub use record::Record;
pub use recover::Repair;
pub use verify::{Expected, Verified, verify, verify_expecting};

/// The open file is closed before it grows beyond this, in bytes, unless the ledger is told otherwise.
pub const ARCHIVE_BYTES_DEFAULT: u64 = 64 * 1024 * 1024;
/// How the aggregator's ledger names its owner.
pub const AGGREGATOR: &str = "aggregator";
/// Longest line of the records file, in bytes with its line end.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
