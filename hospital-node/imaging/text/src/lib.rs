//! Finds text burned into the pixels of a radiograph, keeps a closed list of markers, and removes the rest.
//!
//! A very small convolutional network looks at the whole picture at several scales ([`proposer`]); where it suspects anything,
//! a larger one scores cells of four by four pixels as background, text, or a letter that stands alone ([`detector`], `look`).
//! Cells that hang together become areas ([`area`]), which a third network judges one by one, with more of what is around them
//! ([`judge`]). Two more networks read letters that stand alone ([`reader`]) and spell
//! short words ([`words`]); what is on the closed list ([`markers`]) stays. Every other area is filled with one value
//! (`redact`), and the picture is searched again around it, until nothing is found. A picture that keeps on showing text, or
//! whose text covers too much of it, goes to a person.
//!
//! It must never keep what it could not read, never paint in what might have been there, and never report a word that it
//! read. It links no training library and reaches neither files nor network; the networks are trained by
//! `tests/text-training` on made-up pictures only, and `CARD.md` says what they reach.
//!
//! Start at [`Searcher::clean`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod area;
mod closer;
pub mod convolve;
pub mod detector;
pub mod judge;
mod line;
mod look;
pub mod map;
pub mod markers;
pub mod network;
pub mod normal;
pub mod places;
pub mod proposer;
pub mod reader;
mod redact;
mod rows;
mod search;
#[cfg(test)]
mod tests;
mod weights;
pub mod words;

pub use area::{Area, Kind, Patch};
pub use redact::{Cleaned, Refused};
pub use search::{Found, Reading, Searcher};
pub use weights::Networks;
