//! `rounds`: one round of federated averaging with the real server, the real protocol and mutual TLS, without training; beside
//! the floor that was measured in the same run.

mod case;
mod consortium;
mod idle;
mod limits;
mod plan;
mod probe;
mod site;
mod table;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};
use clap::Args;
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use serde::Serialize;

pub use idle::Idle;
pub use site::Sites;

use crate::{Common, deidentification::load};
use case::{Case, Measured};
use limits::Limits;
use probe::Probe;

const MILLION: f64 = 1e6;
/// Models that each site holds at most, and the server and the probe together.
const MODELS_OF_SITE: u64 = 3;
const MODELS_OF_SERVER: u64 = 5;
/// Of what is free, so much in percent may be used.
const PERCENT_OF_FREE: u64 = 80;

/// Rounds of federated averaging over loopback: wall time, memory, and how far from the floor of this machine.
#[derive(Args)]
#[command(after_help = "Example: snowball-benchmark rounds --sites 2,8 --parameters 1,11.7")]
pub struct Rounds {
    #[command(flatten)]
    common: Common,
    /// Numbers of sites.
    #[arg(long, value_delimiter = ',', default_values_t = [2, 8, 32])]
    sites: Vec<u32>,
    /// Parameters of the network in millions; the nearest network that a plan may ask for is taken.
    #[arg(long, value_delimiter = ',', default_values_t = [1.0, 11.7, 25.6, 138.0])]
    parameters: Vec<f64>,
    /// Rounds that count in each case, after one that does not; the median is told.
    #[arg(long, default_value_t = 3)]
    repeats: u32,
}

/// A case that this machine has no room for.
#[derive(Serialize)]
pub struct Skipped {
    pub sites: u32,
    pub millions: f64,
    /// What is missing.
    pub reason: String,
}

#[derive(Serialize)]
struct Report {
    cores: usize,
    load_before: f64,
    load_after: f64,
    limits: Limits,
    rows: Vec<Measured>,
    skipped: Vec<Skipped>,
}

impl Rounds {
    pub fn run(&self) -> Result<bool> {
        let aggregator = aggregator(&self.common)?;
        let root = self.common.folder()?;
        let load_before = load();
        let limits = limits(&aggregator, root.path())?;
        let (mut rows, mut skipped) = (Vec::new(), Vec::new());
        for millions in &self.parameters {
            for sites in self.sites.iter().copied().filter(|sites| *sites > 0) {
                let case = Case {
                    sites,
                    parameters: millions * MILLION,
                    repeats: self.repeats,
                };
                if let Some(reason) = lacks(&case, root.path())? {
                    let millions = *millions;
                    skipped.push(Skipped {
                        sites,
                        millions,
                        reason,
                    });
                    continue;
                }
                eprintln!("{sites} sites, {millions} million parameters");
                rows.push(case.run(&aggregator, &root.path().join("case"))?);
            }
        }
        let report = Report {
            cores: std::thread::available_parallelism()?.get(),
            load_before,
            load_after: load(),
            limits,
            rows,
            skipped,
        };
        if self.common.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            println!(
                "{} processors; load of the machine before {:.2}, after {:.2}\n",
                report.cores, report.load_before, report.load_after
            );
            println!("{}", table::limits(&report.limits));
            println!("{}", table::rounds(&report.rows, &report.limits));
            println!("{}", table::peers(&report.rows));
            print!("{}", table::skipped(&report.skipped));
        }
        Ok(true)
    }
}

/// Where the aggregator's program lies.
fn aggregator(common: &Common) -> Result<PathBuf> {
    let path = match &common.programs {
        // No other program is needed.
        Some(folder) => folder.join("aggregator"),
        None => common.node()?.with_file_name("aggregator"),
    };
    ensure!(
        path.exists(),
        "{} is missing; run cargo build --workspace --bins",
        path.display()
    );
    Ok(path)
}

fn limits(aggregator: &Path, root: &Path) -> Result<Limits> {
    let folder = root.join("limits");
    consortium::Consortium::found(aggregator, &folder, 1)?;
    let limits = Limits::measure(&Probe::of(&folder)?, &folder)?;
    fs::remove_dir_all(&folder)?;
    Ok(limits)
}

/// What this machine lacks for a case, if anything: a benchmark must not drive it out of memory or fill its disk.
fn lacks(case: &Case, folder: &Path) -> Result<Option<String>> {
    let (model, sites) = (case.model_bytes()?, u64::from(case.sites));
    let mut memory = model * (MODELS_OF_SITE * sites + MODELS_OF_SERVER);
    // Each update in its site's outbox and at the server, and each round's model.
    let disk = model * (2 * sites + u64::from(case.repeats) + 3);
    let is_memory = statfs(folder)?.filesystem_type() == TMPFS_MAGIC;
    if is_memory {
        memory += disk;
    }
    let free_disk = snowball_service::files::free_bytes(folder)?;
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    for (what, needed, free) in [("memory", memory, free_memory()), ("disk", disk, free_disk)] {
        if needed > free / 100 * PERCENT_OF_FREE {
            let (needed, free) = (gigabytes(needed), gigabytes(free));
            return Ok(Some(format!(
                "it may need {needed:.1} GB of {what}, and {free:.1} are free"
            )));
        }
    }
    Ok(None)
}

/// Bytes that programs can get without swapping.
fn free_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(u64::MAX / 1024) * 1024
}
