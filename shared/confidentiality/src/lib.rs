//! DICOM PS3.15 Annex E, the attribute confidentiality profiles, as data, and the one function that decides by it.
//!
//! The tables in `data/` hold facts of one edition of the standard ([`EDITION`]): table E.1-1 with every option column,
//! and which attributes the image classes of projection radiography list, with their Types. They are compiled in.
//!
//! Everything here is pure and total: no file at run time, no clock, no network, and an answer for whatever tag, path,
//! class or value representation is asked. The crate must never see a value of a patient, and never keep an attribute
//! because nobody thought of it: what neither the table nor the image class lists is removed.
//!
//! Start at [`Profile::decide`] (one attribute) and [`Profile::table`] (all of them, for people).

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod action;
mod classes;
mod decide;
mod effective;
mod language;
mod names;
mod option;
mod profile;
mod rows;
mod tag;

pub use action::{Action, Decision, Rule};
pub use classes::{AttributeType, Class, class, classes};
pub use effective::{EffectiveRow, changed};
pub use language::Language;
pub use names::{Name, by_keyword, name};
pub use option::ProfileOption;
pub use profile::{KeepRule, Profile};
pub use rows::{BasicCode, OptionCode, Row, Target, row, rows};
pub use tag::Tag;

/// The edition of the standard that the tables hold.
pub const EDITION: &str = "2024e";
