//! `idle`: what many sites cost that have nothing to do, and how fast a small round of all of them is.

use std::{fs, path::Path, time::Duration};

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::{
    aggregator,
    case::{Case, Group, Measured},
    consortium::Consortium,
    plan::plan,
    table,
};
use crate::{Common, deidentification::load, watched};

/// The smallest network that a plan may ask for.
const PARAMETERS_SMALL: f64 = 1e4;
/// After the last joining, so that its writes are over.
const SETTLE: Duration = Duration::from_secs(3);

/// Many sites that wait for tasks as nodes do: processor time, memory and descriptors of the server, and a small round.
#[derive(Args)]
#[command(after_help = "Example: snowball-benchmark idle --sites 100,1000")]
pub struct Idle {
    #[command(flatten)]
    common: Common,
    /// How many sites, one case each.
    #[arg(long, value_delimiter = ',', default_values_t = [100])]
    sites: Vec<u32>,
    /// How long each case watches, in seconds.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

/// What idle sites cost.
#[derive(Serialize)]
pub struct Row {
    pub sites: u32,
    pub seconds: u64,
    /// Processor time of the server over wall time, in percent of one processor.
    pub processor_percent: f64,
    pub server_memory_bytes_max: u64,
    /// Files and connections that the server holds.
    pub descriptors: usize,
    /// A round of all these sites with the smallest network.
    pub round: Measured,
}

#[derive(Serialize)]
struct Report {
    load_before: f64,
    rows: Vec<Row>,
}

impl Idle {
    pub fn run(&self) -> Result<bool> {
        let aggregator = aggregator(&self.common)?;
        let root = self.common.folder()?;
        let mut report = Report {
            load_before: load(),
            rows: Vec::new(),
        };
        for sites in self.sites.iter().copied().filter(|sites| *sites > 0) {
            report.rows.push(self.row(&aggregator, root.path(), sites)?);
        }
        if self.common.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            println!("load of the machine before: {:.2}\n", report.load_before);
            println!("{}", table::idle(&report.rows));
        }
        Ok(true)
    }

    fn row(&self, aggregator: &Path, root: &Path, sites: u32) -> Result<Row> {
        eprintln!("{sites} idle sites");
        let folder = root.join("idle");
        // One site more than there are: nobody gets a task.
        let plan = plan(PARAMETERS_SMALL, sites + 1, 1)?;
        let consortium = Consortium::found(aggregator, &folder, sites)?;
        consortium.start_study(&plan)?;
        let server = consortium.serve()?;
        let mut group = Group::start(&folder, 0, sites, 0)?;
        group.expect("ready")?;
        std::thread::sleep(SETTLE);
        let spent = || watched::processor_seconds(server.id()).unwrap_or(0.0);
        let before = spent();
        std::thread::sleep(Duration::from_secs(self.seconds));
        let processor_percent = (spent() - before) * 100.0 / self.seconds.max(1) as f64;
        let descriptors = fs::read_dir(format!("/proc/{}/fd", server.id())).map_or(0, Iterator::count);
        let server_memory_bytes_max = watched::memory_bytes(server.id(), "VmHWM:").unwrap_or(0);
        group.is_alive()?;
        drop((group, server));
        fs::remove_dir_all(&folder)?;
        let case = Case {
            sites,
            parameters: PARAMETERS_SMALL,
            repeats: 2,
        };
        Ok(Row {
            sites,
            seconds: self.seconds,
            processor_percent,
            server_memory_bytes_max,
            descriptors,
            round: case.run(aggregator, &folder)?,
        })
    }
}
