//! `large`: a node takes in a large archive, is killed once on the way, goes on; what it cost and whether all of it is there.

mod consistency;
mod curve;
mod estimate;
mod report;
mod stamp;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::{Common, corpus::Corpus, deidentification, home::Home, ours, watched};
use curve::Curve;
use report::Report;
use stamp::{Archive, Bases};

/// Bytes a pixel of a phantom takes on disk in all, at most: two in the archive, one and a half in the store.
const BYTES_PER_PIXEL_MAX: u64 = 4;

/// The intake of a large archive: speed and memory over time, a kill on the way, a check of every picture, an estimate.
#[derive(Args)]
#[command(after_help = "Example: snowball-benchmark large --instances 50000")]
pub struct Large {
    #[command(flatten)]
    common: Common,
    /// Radiographs to be generated.
    #[arg(long, default_value_t = 50_000)]
    instances: u64,
    /// Longest side of the generated ones, in pixels.
    #[arg(long, default_value_t = 192)]
    side: u32,
    /// Phantoms that they are made from.
    #[arg(long, default_value_t = 240)]
    bases: u64,
    /// After which share of them the node is killed once; 0: never.
    #[arg(long, default_value_t = 0.4)]
    kill_at: f64,
    #[arg(long, default_value_t = 1.8)]
    images_per_study: f64,
    /// Studies of the archive that is estimated.
    #[arg(long, default_value_t = 500_000)]
    studies: u64,
    /// Pictures of clinical size (longest side 2048 pixels) that the estimate is measured on.
    #[arg(long, default_value_t = 80)]
    clinical: u64,
}

impl Large {
    pub fn run(&self) -> Result<bool> {
        ensure!(self.instances >= 8, "--instances is at least 8");
        ensure!((0.0..1.0).contains(&self.kill_at), "--kill-at is a share below 1");
        ensure!(
            (1.0..=1000.0).contains(&self.images_per_study),
            "--images-per-study is 1 to 1000"
        );
        let node = self.common.node()?;
        let folder = self.common.folder()?;
        let side = u64::from(self.side);
        let bytes_max = self.instances * side * side * BYTES_PER_PIXEL_MAX + self.clinical * (32 << 20);
        let free = snowball_service::files::free_bytes(folder.path())?;
        ensure!(
            free > bytes_max,
            "{} has {} MB free and may need {} MB; name another --work, or fewer --instances",
            folder.path().display(),
            free / 1_000_000,
            bytes_max / 1_000_000
        );
        let load_before = deidentification::load();
        let begun = Instant::now();
        eprintln!("generating {} radiographs", self.instances);
        let bases = Bases::draw(&folder.path().join("bases"), self.bases, self.side)?;
        let (count, archive) = (bases.count(), folder.path().join("archive"));
        let plan = Archive {
            instances: self.instances,
            images_per_study: self.images_per_study,
        };
        let written = bases.write(&plan, &archive)?;
        drop(bases);
        let generating_seconds = begun.elapsed().as_secs_f64();

        let home = Home::make(&node, &folder.path().join("home"))?;
        let curves = self.fill(&home, &archive, folder.path())?;
        eprintln!("once more, to find everything known");
        let begun = Instant::now();
        let again = watched::ask(&mut self.ingest(&home, &archive))?;
        let known_seconds = begun.elapsed().as_secs_f64();
        let again: serde_json::Value = serde_json::from_str(again.trim()).context("ingest did not answer in JSON")?;
        let begun = Instant::now();
        let census = home.ask(&["census", "--cell-min", "0"])?;
        let census_seconds = begun.elapsed().as_secs_f64();
        home.ask(&["ledger", "verify"])?;
        eprintln!("checking every picture");
        let (stock, mut checks) = consistency::look(&home, self.instances, &census)?;
        checks.push(consistency::Check::equal(
            "files known when looked at again",
            self.instances,
            again["skipped"].as_u64().unwrap_or(0),
        ));
        let clinical = self.clinical(&node, folder.path())?;
        let report = Report {
            cores: self.common.cores,
            load_before,
            instances: self.instances,
            side: self.side,
            bases: count,
            written,
            generating_seconds,
            curves,
            known_seconds,
            census_seconds,
            stock,
            checks,
            clinical,
            studies: self.studies,
            images_per_study: self.images_per_study,
        };
        let all_holds = report.checks.iter().all(|check| check.holds);
        if self.common.json {
            println!("{}", report.json()?);
        } else {
            println!("{}", report.text());
        }
        Ok(all_holds)
    }

    /// The intake in one process, or in two with a kill between them.
    fn fill(&self, home: &Home, archive: &Path, folder: &Path) -> Result<Vec<Curve>> {
        let database = home.folder.join("store/store.sqlite");
        let log = folder.join("ingest.log");
        let kill_at = (self.kill_at > 0.0).then_some(((self.instances as f64 * self.kill_at) as u64).max(1));
        eprintln!("taking in");
        let first = curve::run(self.ingest(home, archive), &database, &log, kill_at)?;
        let mut curves = vec![first];
        if curves[0].was_killed {
            eprintln!("killed at {}; going on", curves[0].stored_after);
            curves.push(curve::run(self.ingest(home, archive), &database, &log, None)?);
        }
        Ok(curves)
    }

    fn ingest(&self, home: &Home, archive: &Path) -> Command {
        let (archive, threads) = (archive.display().to_string(), self.common.cores.to_string());
        watched::on_cores(
            &home.command(&["ingest", &archive, "--threads", &threads]),
            self.common.cores,
        )
    }

    /// The intake of pictures of clinical size, in a home of its own.
    fn clinical(&self, node: &Path, folder: &Path) -> Result<Option<Clinical>> {
        if self.clinical == 0 {
            return Ok(None);
        }
        eprintln!("drawing and taking in {} pictures of clinical size", self.clinical);
        let corpus = Corpus::phantoms(&folder.join("clinical"), self.clinical, 2048)?;
        let home = Home::make(node, &folder.join("clinical-home"))?;
        let log: PathBuf = folder.join("clinical.log");
        let command = self.ingest(&home, &corpus.folder);
        let cost = watched::run(vec![command], &log, std::process::ExitStatus::success)?;
        let summary = ours::summary(&log)?;
        Ok(Some(Clinical {
            images: corpus.files,
            bytes: corpus.bytes,
            accepted: summary["accepted"].as_u64().unwrap_or(0),
            seconds: cost.seconds,
            memory_bytes_max: cost.memory_bytes_max,
            pack_bytes: consistency::folder_bytes(&home.folder.join("store/packs"))?,
        }))
    }
}

/// What pictures of clinical size cost.
#[derive(serde::Serialize)]
pub struct Clinical {
    pub images: u64,
    pub bytes: u64,
    pub accepted: u64,
    pub seconds: f64,
    pub memory_bytes_max: u64,
    pub pack_bytes: u64,
}
