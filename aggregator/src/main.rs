//! The aggregator of a Snowball consortium: it enrols sites, runs studies round by round and signs what comes out.
//!
//! It never sees a radiograph, and nothing executable passes through it. It links neither DICOM nor a tensor library.
//! Start at `cli` for the commands, `api` for the routes, `intake` for what an update must pass and `driver` for the rounds.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod api;
#[cfg(test)]
mod assembly;
mod authorities;
mod authority;
#[cfg(test)]
mod certificate_story;
mod cli;
mod config;
#[cfg(test)]
mod control_story;
mod dashboard;
#[cfg(test)]
mod dashboard_story;
mod driver;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod heads_story;
mod home;
mod identity;
mod intake;
mod journal;
#[cfg(test)]
mod late_story;
mod metrics;
#[cfg(test)]
mod outsiders;
mod quality;
mod release;
mod report;
mod revoked;
mod server;
mod server_certificate;
mod service;
mod state;
mod stop;
#[cfg(test)]
mod story;
#[cfg(test)]
mod strategy_story;
#[cfg(test)]
mod study_story;

fn main() -> std::process::ExitCode {
    cli::run()
}
