//! `hospital-node`: what a hospital runs. It takes in radiographs, keeps them on site, trains on them and lets out what the
//! site's policy names, nothing else.
//!
//! This is the composition root: `cli` has one file a verb, `driver` carries out what `participation` decides, `trainer` runs
//! the one program that links a tensor library. Nothing here talks to the aggregator but through
//! `snowball_egress`, nor to the hospital's archive but through `snowball_pacs`.

mod aside;
mod auditor;
mod authorities;
mod beginning;
mod cli;
mod comparisons;
mod config;
mod converse;
mod count;
mod dashboard;
mod datasets;
mod driver;
mod enrolment;
mod events;
mod evidence;
mod figures;
mod home;
mod kept_parameters;
mod label_table;
mod local_model;
mod mask_files;
mod metrics;
mod now;
mod outline;
mod outputs;
mod overlay;
mod own_model;
mod page;
mod parent;
mod plans;
mod policy;
mod preview;
mod quarantine;
mod receipts;
mod renewal;
mod retention;
mod round;
mod scaffold;
mod second_reader;
mod selftest;
mod statistics;
mod trainer;
mod withheld;

fn main() -> std::process::ExitCode {
    cli::run()
}
