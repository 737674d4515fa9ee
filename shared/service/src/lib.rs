//! What both programs need to run as a service: accounts, backup, clock, connections, findings of `doctor`, exit codes, files, keys, letters
//! to people, output, progress, telemetry, metrics, shutdown, TLS. A closed list.
//!
//! Nothing here knows of studies, rounds or radiographs. Effects live here so that everything else can be pure.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod account;
pub mod backup;
pub mod clock;
pub mod commands;
pub mod connections;
pub mod doctor;
pub mod exit;
pub mod files;
pub mod keys;
pub mod letter;
pub mod metrics;
pub mod output;
pub mod progress;
pub mod shutdown;
pub mod telemetry;
pub mod tls;
