//! The stories: whole programs, real TLS, real files. One file a story; `stage` holds what they share.
#![allow(clippy::unwrap_used, missing_docs)]

mod capture;
mod hostile_files;
mod join;
mod killed;
mod learning;
mod one_hot;
mod policy;
mod sealed;
mod stage;
mod tampered;
mod withdrawn;
mod wrong_certificate;
