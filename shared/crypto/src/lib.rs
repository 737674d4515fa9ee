//! Keys, signatures and pseudonyms: the few primitives of `ring` that Snowball uses, as types that are hard to misuse.
//!
//! This crate never opens a file, a socket or a clock; keys and secrets come in and go out as bytes or text. No
//! secret ever stands in `Debug` output or in an error, and what holds one is overwritten when it is dropped, as far as
//! `ring` allows: its own expanded key schedules are not.
//!
//! Start at [`SigningKey`] (who says something), [`SiteSecret`] (the root of a hospital's pseudonyms), [`PseudonymKey`] (what
//! replaces identifiers) and [`SealingKey`] (what lies on disk). [`derived`] has the table of all derived keys.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod derived;
mod equal;
mod error;
mod hkdf;
mod linkage;
mod pem;
mod pseudonym;
mod pseudonym_key;
mod random;
mod sealing;
mod signature;
mod signing;
mod site_secret;
mod verifying;
mod wrapping;

pub use derived::{MarkKey, StoreKeys, VaultKeys, VaultSecret};
pub use equal::are_equal;
pub use error::CryptoError;
pub use linkage::{Linkage, Originals};
pub use pseudonym::{Domain, Pseudonym};
pub use pseudonym_key::{DAYS_SHIFT_MAX, PseudonymKey};
pub use random::{random_bytes, random_token};
pub use sealing::{SEAL_BYTES, SealingKey};
pub use signature::Signature;
pub use signing::SigningKey;
pub use site_secret::SiteSecret;
pub use verifying::VerifyingKey;
pub use wrapping::{PASSPHRASE_CHARACTERS_MIN, Passphrase, is_wrapped, unwrap, wrap};
