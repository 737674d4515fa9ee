//! `deidentification`: every program over the same files, in turn, several times.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clap::Args;
use serde::Serialize;

use crate::{
    Common,
    corpus::Corpus,
    floors, header, ours, peers,
    table::{self, Row},
    watched::{self, Cost},
};

/// De-identification of the same files by hospital-node, by its peers, and by the floors that nobody beats.
#[derive(Args)]
#[command(after_help = "Example: snowball-benchmark deidentification --python /tmp/peers-venv/bin/python")]
pub struct Deidentification {
    #[command(flatten)]
    common: Common,
    /// Real files instead of phantoms.
    #[arg(long, value_name = "DIR")]
    dicom: Option<PathBuf>,
    /// Most files of that folder, spread over it.
    #[arg(long, default_value_t = 2_000)]
    files_max: u64,
    /// Small phantoms (longest side 192 pixels).
    #[arg(long, default_value_t = 400)]
    small: u64,
    /// Phantoms of clinical size (longest side 2048 pixels).
    #[arg(long, default_value_t = 40)]
    large: u64,
    /// How often each program runs over each set; the median counts.
    #[arg(long, default_value_t = 5)]
    repeats: usize,
    /// A Python that has pydicom with deid, and dicom-anonymizer; absent: both are skipped.
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
}

/// What a program does with the files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nothing with what is in them.
    Floor,
    /// It changes headers; nobody looks at pixels.
    Header,
    /// Headers and a search of the pixels.
    Full,
}

/// One program in one way of use.
pub struct Contestant<'a> {
    pub name: String,
    pub kind: Kind,
    /// What it does and what it does not do, for people.
    pub remark: &'static str,
    /// Runs it over the files; `Place::folder` is empty before and removed afterwards.
    pub run: Run<'a>,
}

type Run<'a> = Box<dyn Fn(&Place<'_>) -> Result<Outcome> + 'a>;

/// Where a run takes place.
pub struct Place<'a> {
    pub corpus: &'a Corpus,
    pub folder: PathBuf,
    pub cores: usize,
}

impl Place<'_> {
    /// A new folder of the run.
    pub fn new_folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

/// What a run cost, and how many files it brought forth.
pub struct Outcome {
    pub cost: Cost,
    pub written: u64,
}

/// A program that is not there.
#[derive(Serialize)]
pub struct Skipped {
    pub program: String,
    /// What would bring it.
    pub remedy: String,
}

#[derive(Serialize)]
struct Report<'a> {
    cores: usize,
    repeats: usize,
    /// Load of the machine before the first run: more than a little, and the figures are of no use.
    load_before: f64,
    sets: Vec<Set<'a>>,
    skipped: &'a [Skipped],
}

/// The rows of one set of files.
#[derive(Serialize)]
pub struct Set<'a> {
    pub corpus: &'a Corpus,
    pub rows: Vec<Row>,
}

impl Deidentification {
    pub fn run(&self) -> Result<bool> {
        let node = self.common.node()?;
        let folder = self.common.folder()?;
        let load_before = load();
        let corpora = self.corpora(folder.path())?;
        let own = std::env::current_exe().context("cannot tell where this program lies")?;
        let (mut contestants, mut skipped) = (floors::contestants(&own), Vec::new());
        contestants.extend(header::contestants(&own));
        peers::contestants(self.python.as_deref(), &mut contestants, &mut skipped);
        contestants.extend(ours::contestants(&node));
        if self.common.cores < std::thread::available_parallelism()?.get() && !watched::has_taskset() {
            skipped.push(Skipped {
                program: "taskset (programs run on all processors)".to_owned(),
                remedy: "apt install util-linux".to_owned(),
            });
        }
        let mut sets = Vec::new();
        for corpus in &corpora {
            corpus.warm()?;
            let rows = self.rows(corpus, &contestants, folder.path())?;
            sets.push(Set { corpus, rows });
        }
        let report = Report {
            cores: self.common.cores,
            repeats: self.repeats.max(1),
            load_before,
            sets,
            skipped: &skipped,
        };
        if self.common.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            println!(
                "median of {} runs on {} processors; load of the machine before: {load_before:.2}",
                report.repeats, report.cores
            );
            for set in &report.sets {
                println!("\n{}", table::of(set));
            }
            println!("{}", table::remarks(&contestants, &skipped));
        }
        Ok(true)
    }

    fn corpora(&self, root: &Path) -> Result<Vec<Corpus>> {
        if let Some(source) = &self.dicom {
            return Ok(vec![Corpus::of(source, root, self.files_max)?]);
        }
        let mut corpora = Vec::new();
        for (images, side) in [(self.small, 192), (self.large, 2048)] {
            if images > 0 {
                corpora.push(Corpus::phantoms(root, images, side)?);
            }
        }
        Ok(corpora)
    }

    /// Each program in turn, then all of them again: what disturbs the machine for a while disturbs all alike.
    fn rows(&self, corpus: &Corpus, contestants: &[Contestant<'_>], root: &Path) -> Result<Vec<Row>> {
        let mut runs: Vec<Vec<Outcome>> = contestants.iter().map(|_| Vec::new()).collect();
        for repeat in 1..=self.repeats.max(1) {
            for (contestant, runs) in contestants.iter().zip(&mut runs) {
                eprintln!("{}: run {repeat}, {}", corpus.name, contestant.name);
                let place = Place {
                    corpus,
                    folder: root.join("run"),
                    cores: self.common.cores,
                };
                fs::create_dir_all(&place.folder)?;
                runs.push((contestant.run)(&place).with_context(|| format!("{} failed", contestant.name))?);
                fs::remove_dir_all(&place.folder)?;
            }
        }
        Ok(table::rows(corpus, contestants, &runs))
    }
}

/// The load average over the last minute.
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ')
        .next()
        .and_then(|first| first.parse().ok())
        .unwrap_or(f64::NAN)
}
