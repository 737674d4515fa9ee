//! What no program can beat here: copying the files, and reading them for their digests. Run as a child, like everything else.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use rayon::prelude::*;
use snowball_protocol::Sha256Digest;

use crate::{
    corpus,
    deidentification::{Contestant, Kind, Outcome, Place},
    watched,
};

pub fn contestants(own: &Path) -> Vec<Contestant<'_>> {
    let floor = |name: &str, verb: &'static str, remark| Contestant {
        name: name.to_owned(),
        kind: Kind::Floor,
        remark,
        run: Box::new(move |place: &Place<'_>| {
            let (list, output) = (place.corpus.lists(&place.folder, 1)?, place.new_folder("out")?);
            let mut command = Command::new(own);
            command.args(["floor", verb, "--threads", &place.cores.to_string(), "--list"]);
            command.arg(&list[0]).arg("--output").arg(&output);
            let command = watched::on_cores(&command, place.cores);
            let cost = watched::run(vec![command], &place.log(), ExitStatus::success)?;
            let written = fs::read_dir(&output)?.count() as u64;
            Ok(Outcome { cost, written })
        }),
    };
    vec![
        floor("SHA-256 of the files", "digest", "reads and writes nothing"),
        floor(
            "copy of the files",
            "copy",
            "reads and writes; nothing is changed, nothing made durable",
        ),
    ]
}

/// Which floor.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Which {
    Copy,
    Digest,
}

/// Copies the files of a list, or reads them for their digests.
#[derive(Args)]
pub struct Floor {
    which: Which,
    #[arg(long)]
    list: PathBuf,
    #[arg(long)]
    output: PathBuf,
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

impl Floor {
    pub fn run(&self) -> Result<()> {
        let paths = corpus::listed(&self.list)?;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build()?;
        pool.install(|| paths.par_iter().with_max_len(1).try_for_each(|path| self.one(path)))
    }

    fn one(&self, path: &Path) -> Result<()> {
        let content = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        match self.which {
            Which::Copy => {
                let to = self.output.join(path.file_name().unwrap_or_default());
                fs::write(&to, content).with_context(|| format!("cannot write {}", to.display()))
            }
            Which::Digest => {
                std::hint::black_box(Sha256Digest::of(&content));
                Ok(())
            }
        }
    }
}
