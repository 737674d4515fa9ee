//! What a node and its trainer agree on: jobs and answers over a pipe, and the shards that hold pixels.
//!
//! The trainer is a child process without network and with one key, that of the dataset it works on, which comes over the
//! pipe; this crate is everything it learns of the world. It holds no DICOM, no identifier beyond keyed pseudonyms, and links
//! no tensor library, so that the node builds without one.
//!
//! Start at [`job::Job`]; [`pipe`] frames it; [`shard`] is the dataset on disk, [`key`] what opens it.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod draw;
pub mod groups;
pub mod job;
pub mod key;
pub mod pipe;
pub mod shard;
