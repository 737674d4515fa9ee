//! The hospital's own archive: what it sends us, and what we ask of it.
//!
//! The only crate that speaks to a PACS: as a storage SCP ([`receive`]), as a client of query and retrieve ([`query`]) and of
//! DICOMweb ([`dicomweb`]). Everything that arrives goes to the [`spool`], byte for byte, and is durable there before the
//! sender is told so; what happens to it next is the intake's affair.
//!
//! It must never reach the aggregator, never hold a key of the site besides the TLS identity that it is given, never look into a
//! data set further than an answer to a query needs, and never put a value of a peer's data set into a log or an error.
//! Peers are hostile until shown otherwise: PDUs, messages, associations, objects and answers all have a bound, and a bad one
//! costs its association, never the process.
//!
//! Standards: PS3.8 (associations and PDUs, encoded by dicom-ul), PS3.7 (messages), PS3.4 annexes B, C (storage, query and
//! retrieve), PS3.18 (DICOMweb), RFC 2046 and 2387 (multipart).
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod association;
mod classes;
mod command;
pub mod dicomweb;
mod error;
pub mod fuzz;
mod identifier;
mod negotiate;
pub mod query;
pub mod receive;
pub mod spool;
mod title;
pub mod tls;
mod wire;

pub use classes::{RADIOGRAPHS, TRANSFER_SYNTAXES};
pub use error::PacsError;
pub use title::AeTitle;
