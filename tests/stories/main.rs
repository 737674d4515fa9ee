//! The stories: whole programs, real TLS, real files. One file a story; `stage` holds what they share.
#![allow(clippy::unwrap_used, missing_docs)]

mod archive;
mod capture;
mod closed_pipe;
mod deidentify;
mod evidence;
mod hostile_files;
mod join;
mod killed;
mod labels;
mod learning;
mod one_hot;
mod policy;
mod policy_change;
mod pull;
mod receive;
mod retrieve;
mod sealed;
mod stage;
mod tampered;
mod watch;
mod withdrawn;
mod wrong_certificate;
